"""One bucket on the wire: addresses, tokens, error reading, and uploads that are checked."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from heavylift.checksums import Algorithm, Body
from heavylift.connections import Connection
from heavylift.errors import (
    AlreadyExistsError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    TransientError,
)
from heavylift.locations import Location
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher, unencrypted
from heavylift.platforms.gcp.faults import ErrorReading
from heavylift.platforms.gcp.resources import (
    HEAD_FIELDS,
    LIST_FIELDS,
    checksum_field,
    checksums_of,
    multipart_body,
)
from heavylift.platforms.http import HttpClient, HttpSettings, Request, Response
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.tokens import CloudRequest, TokenCache, may_carry_tokens

ENDPOINT = "https://storage.googleapis.com"
PAGE = 1000
Resource = dict[str, Any]
_A = TypeVar("_A")
_B = TypeVar("_B")


class BucketWire:
    """Sends requests for one bucket over the JSON API.

    :raises ConnectionConfigError: an access token would travel unencrypted.
    :param connection: ``extra.endpoint_url`` replaces Google's address (emulators, private
        endpoints); ``extra.quota_project_id`` is billed for requests (requester pays).
    """

    def __init__(
        self, location: Location, connection: Connection, *, settings: HttpSettings, pacer: Pacer
    ) -> None:
        self.location = location
        endpoint = (connection.text("endpoint_url") or ENDPOINT).rstrip("/")
        self._bucket = f"{endpoint}/storage/v1/b/{quote(location.container, safe='')}"
        self._upload = f"{endpoint}/upload/storage/v1/b/{quote(location.container, safe='')}/o"
        self._tokens = None if is_anonymous(connection) else TokenCache(token_fetcher(connection))
        if self._tokens is not None and not may_carry_tokens(endpoint):
            raise unencrypted(connection, endpoint)
        project = connection.text("quota_project_id")
        self._fixed = {"x-goog-user-project": project} if project else {}
        self.http = HttpClient(self._sign, ErrorReading(self._tokens), settings=settings, pacer=pacer)

    async def _sign(self, request: Request) -> Mapping[str, str]:
        token = await self._tokens.get() if self._tokens else None
        if isinstance(request, CloudRequest):
            request.sent_with.append(token)
        authorisation = {"Authorization": f"Bearer {token.value}"} if token else {}
        return {**self._fixed, **request.headers, **authorisation}

    def request(
        self,
        method: str,
        act: str,
        key: str | None,
        *,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        creates: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> CloudRequest:
        """Build a request for an object, or for the bucket's objects where ``key`` is None.

        :param path: what follows the object's name.
        """
        name = "" if key is None else "/" + quote(key, safe="", errors="surrogatepass")
        what = f"{act} of {self.location if key is None else self.location.url_of(key)}"
        url = f"{self._bucket}/o{name}{path}" + (f"?{urlencode(query)}" if query else "")
        return CloudRequest(method, url, what, headers or {}, body, creates=creates)

    async def read(self, request: Request, *, failures: list[TransientError] | None = None) -> Resource:
        """Send a request and return the JSON object that answers it."""
        return self._json(request, await self.http.send(request, failures=failures))

    def _json(self, request: Request, response: Response) -> Resource:
        try:
            answer = json.loads(response.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise not_gcs(request.what, "no JSON object")
        return answer

    async def pages(self, prefix: str, **query: str) -> AsyncIterator[list[Resource]]:
        """Yield the resources below ``prefix`` in pages, in UTF-8 byte order of their names."""
        query |= {
            "prefix": prefix,
            "maxResults": str(PAGE),
            "projection": "noAcl",
            "fields": f"nextPageToken,items({LIST_FIELDS})",
        }
        while True:
            answer = await self.read(self.request("GET", "list", None, query=query))
            yield answer.get("items", [])
            if not answer.get("nextPageToken"):
                return
            query["pageToken"] = answer["nextPageToken"]

    async def bucket(self, fields: str) -> Resource:
        """Return those ``fields`` of the bucket's own resource."""
        url = f"{self._bucket}?{urlencode({'fields': fields})}"
        return await self.read(CloudRequest("GET", url, f"settings of {self.location}", {}))

    async def resource(self, key: str, act: str, **query: str) -> Resource:
        """Return an object's resource."""
        return await self.read(self.request("GET", act, key, query={"fields": HEAD_FIELDS, **query}))

    async def insert(
        self, key: str, fields: Resource, body: Body, crc32c: str, *, act: str, create_only: bool
    ) -> Resource:
        """Write an object whole and return its resource, once its checksum is that of ``body``.

        :raises AlreadyExistsError: ``create_only`` and something is there.
        :raises IntegrityError: other bytes arrived; they were deleted.
        """
        boundary = secrets.token_hex(16)
        resource = {**fields, "name": key, "crc32c": checksum_field(crc32c)}
        query = {"uploadType": "multipart", "fields": LIST_FIELDS}
        if create_only:
            query["ifGenerationMatch"] = "0"
        request = CloudRequest(
            "POST",
            f"{self._upload}?{urlencode(query)}",
            f"{act} of {self.location.url_of(key)}",
            {"Content-Type": f"multipart/related; boundary={boundary}"},
            multipart_body(resource, body, boundary),
            creates=create_only,
        )
        return await self.create(request, key, len(body), crc32c)

    async def create(self, request: CloudRequest, key: str, size_bytes: int, crc32c: str) -> Resource:
        """Send a request that creates ``key`` and check what came to be.

        An attempt whose answer was lost may have created it: what is there then and has the
        bytes that were sent is taken for our own.
        """
        failures: list[TransientError] = []
        try:
            found = await self.read(request, failures=failures)
        except AlreadyExistsError:
            if not failures:
                raise
            found = await self.resource(key, "look at earlier attempt")
            if not understood(request.what, _holding(size_bytes, crc32c), found):
                raise
            return found
        if not understood(request.what, _holding(size_bytes, crc32c), found):
            raise await self._wrong(request, key, found, f"{size_bytes} bytes with CRC32C {crc32c}")
        return found

    async def _wrong(self, request: Request, key: str, found: Resource, expected: str) -> IntegrityError:
        state, left = "the wrong object was deleted", ""
        generation = str(found.get("generation", ""))
        try:
            await self.delete(key, generation=generation)
        except HeavyliftError as error:
            state, left = f"the wrong object is still there: {error}", generation
        wrong = IntegrityError(
            request.what,
            got=f"{found.get('size')} bytes with CRC32C {checksums_of(found).get(Algorithm.CRC32C)}",
            expected=expected,
            state=state,
            remedy="run again; if it recurs, look for a proxy or memory that changes bytes",
            code="3250",
        )
        wrong.left_version = left
        return wrong

    async def delete(self, key: str, **query: str) -> None:
        """Delete an object; no error if it is already gone."""
        try:
            await self.http.send(self.request("DELETE", "delete", key, query=query))
        except NotFoundError:
            return


def _holding(size_bytes: int, crc32c: str) -> Callable[[Resource], bool]:
    def holds(resource: Resource) -> bool:
        found = checksums_of(resource).get(Algorithm.CRC32C)
        return int(resource["size"]) == size_bytes and found == crc32c and bool(resource["generation"])

    return holds


def understood(what: str, read: Callable[[_A], _B], answer: _A) -> _B:
    """Return what ``read`` makes of an answer.

    :raises PermanentError: a field is missing or in another form than Cloud Storage's.
    """
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise not_gcs(what, f"{type(error).__name__} on reading its fields") from error


def not_gcs(what: str, got: str) -> PermanentError:
    """Return the error for an answer that is not Cloud Storage's."""
    return PermanentError(
        what,
        got=f"an answer that is not Cloud Storage's ({got})",
        expected="an answer of its JSON API",
        state="unknown whether the request had its effect",
        remedy="check endpoint_url: it must be the API itself, not a console or proxy page",
        code="3270",
    )
