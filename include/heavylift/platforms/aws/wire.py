"""One bucket on the wire: addresses, signing, error reading and retries in one place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from heavylift.checksums import Body
from heavylift.connections import Connection
from heavylift.errors import HeavyliftError, PermanentError, ServerUnavailableError, TransientError
from heavylift.locations import Location
from heavylift.platforms.aws.credentials import CredentialSource
from heavylift.platforms.aws.faults import error_of, is_expiry, read_fault
from heavylift.platforms.aws.naming import bucket_address
from heavylift.platforms.aws.settings import region_of, s3_option, tls_of
from heavylift.platforms.aws.signing import Signer
from heavylift.platforms.http import (
    MOST_ANSWER_BYTES,
    AnswerCheck,
    HttpClient,
    HttpSettings,
    Request,
    Response,
)
from heavylift.platforms.http_answer import Answer
from heavylift.platforms.pacing import Pacer


class BucketWire:
    """Sends requests for one bucket and its objects.

    :raises ConnectionConfigError: the connection is incomplete or contradicts itself.
    """

    def __init__(
        self, location: Location, connection: Connection, *, settings: HttpSettings, pacer: Pacer
    ) -> None:
        self.location = location
        self.server = ""
        """What the server last called itself."""
        region = region_of(connection)
        self.address = bucket_address(location, connection, region)
        self._credentials = CredentialSource(connection)
        signing = s3_option(connection, "payload_signing_enabled")
        self._http = HttpClient(
            Signer(self._credentials, region, sign_payload=None if signing is None else bool(signing)),
            self.read_error,
            settings=settings,
            pacer=pacer,
            tls=tls_of(connection) if self.address.base.startswith("https:") else None,
        )

    def request(
        self,
        method: str,
        act: str,
        key: str | None,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        **query: str,
    ) -> Request:
        """Build a request; ``key`` None means the bucket itself."""
        if key is None:
            url, what = self.address.bucket_url(**query), f"{act} {self.location}"
        else:
            url, what = self.address.object_url(key, **query), f"{act} {self.shown(key)}"
        return Request(method, url, what, headers or {}, body)

    def shown(self, key: str) -> str:
        """Return the URL of ``key`` for a message, on one line whatever the key holds."""
        url = self.location.url_of(key)
        return url if url.isprintable() else ascii(url)[1:-1]

    async def send(
        self,
        request: Request,
        *,
        check: AnswerCheck | None = None,
        failures: list[TransientError] | None = None,
        most_bytes: int = MOST_ANSWER_BYTES,
        into: bytearray | None = None,
    ) -> Response:
        """Send a request and read its answer whole; as ``HttpClient.send``."""
        response = await self._http.send(
            request, check=check, failures=failures, most_bytes=most_bytes, into=into
        )
        self.server = response.headers.get("server", "")
        self._credentials.accepted()
        return response

    def stream(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Open an answer whose body is read with ``HttpClient.body_chunks``."""
        return self._http.stream(request)

    @property
    def http(self) -> HttpClient:
        """The client, for reading an open body."""
        return self._http

    def read_error(
        self, request: Request, status: int, headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError:
        """Return the error that an answer means; credentials never show in it."""
        fault = read_fault(status, headers, body)
        fault = replace(fault, message=self._credentials.hide(fault.message))
        if is_expiry(request, fault) and self._credentials.forget_expired():
            return ServerUnavailableError(
                request.what,
                got=fault.shown,
                state="the credentials are read afresh",
                remedy="run again",
                code="3136",
            )
        return error_of(request, fault)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()


def not_s3(what: str, got: object) -> PermanentError:
    """Return the error for an answer that is not S3's."""
    return PermanentError(
        what,
        got=f"an answer that is not S3's ({got})",
        expected="an answer of the S3 API",
        state="nothing was changed",
        remedy="check endpoint_url: it must be the S3 endpoint itself, not a console or proxy page",
        code="3140",
    )
