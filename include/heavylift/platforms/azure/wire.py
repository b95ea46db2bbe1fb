"""One container on the wire: addresses, authorisation, error reading."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote, urlencode

from heavylift.checksums import Body
from heavylift.connections import Connection
from heavylift.errors import PermanentError, TransientError
from heavylift.locations import Location
from heavylift.platforms.azure.credentials import token_fetcher
from heavylift.platforms.azure.faults import ErrorReading
from heavylift.platforms.azure.settings import account_of
from heavylift.platforms.azure.signing import shared_key_authorisation
from heavylift.platforms.azure.xml import Element, parse
from heavylift.platforms.http import HttpClient, HttpSettings, Request, Response
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.tokens import CloudRequest, TokenCache

API_VERSION = "2023-11-03"


class ContainerWire:
    """Sends requests for one container and its blobs.

    :raises ConnectionConfigError: the connection is incomplete or contradicts itself.
    """

    def __init__(
        self, location: Location, connection: Connection, *, settings: HttpSettings, pacer: Pacer
    ) -> None:
        self.location = location
        self._account = account_of(connection)
        self._container_url = f"{self._account.endpoint}/{quote(location.container, safe='$')}"
        self._tokens = TokenCache(token_fetcher(connection)) if self._account.bearer else None
        self.http = HttpClient(self._sign, ErrorReading(self._tokens), settings=settings, pacer=pacer)

    async def _sign(self, request: Request) -> Mapping[str, str]:
        token = await self._tokens.get() if self._tokens else None
        if isinstance(request, CloudRequest):
            request.sent_with.append(token)
        headers = {"x-ms-version": API_VERSION, "x-ms-date": _date(int(time.time())), **request.headers}
        account = self._account
        if account.key is not None:
            headers["Authorization"] = shared_key_authorisation(
                account.name, account.key, request.method, request.url, headers, len(request.body)
            )
        elif token is not None:
            headers["Authorization"] = f"Bearer {token.value}"
        return headers

    def request(
        self,
        method: str,
        act: str,
        key: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        creates: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> CloudRequest:
        """Build a request for a blob, or for the container where ``key`` is None."""
        # Slashes are encoded too, so that nothing on the way folds "//" or cuts a last one.
        name = "" if key is None else "/" + quote(key, safe="", errors="surrogatepass")
        what = f"{act} of {self.location if key is None else self.location.url_of(key)}"
        parts = [urlencode(query, quote_via=quote)] if query else []
        parts += [self._account.sas] if self._account.sas else []
        url = self._container_url + name
        return CloudRequest(
            method, url + ("?" + "&".join(parts) if parts else ""), what, headers or {}, body, creates=creates
        )

    def service_request(self, method: str, act: str, query: Mapping[str, str]) -> CloudRequest:
        """Build a request for the account's blob service as a whole."""
        parts = [urlencode(query, quote_via=quote)]
        parts += [self._account.sas] if self._account.sas else []
        url = f"{self._account.endpoint}/?{'&'.join(parts)}"
        return CloudRequest(method, url, f"{act} of the account of {self.location}", {}, b"")

    async def send(self, request: Request, *, failures: list[TransientError] | None = None) -> Response:
        """Send a request and read its answer whole."""
        return await self.http.send(request, failures=failures)

    async def read_xml(self, request: Request) -> Element:
        """Send a request and return the XML that answers it."""
        response = await self.send(request)
        try:
            return parse(response.body)
        except (ValueError, IndexError):
            raise not_azure(request.what, "no XML") from None


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def etag_of(what: str, response: Response) -> str:
    """Return the ETag of what was written, without quotes."""
    etag: str = response.headers.get("ETag", "").strip('"')
    if not etag:
        raise not_azure(what, "no ETag")
    return etag


def not_azure(what: str, got: object) -> PermanentError:
    """Return the error for an answer that is not Blob Storage's."""
    return PermanentError(
        what,
        got=f"an answer that is not Blob Storage's ({got})",
        expected="an answer of the Blob service",
        state="nothing was changed",
        remedy="check the connection's host: it must be the Blob endpoint itself, no console or proxy",
        code="3381",
    )
