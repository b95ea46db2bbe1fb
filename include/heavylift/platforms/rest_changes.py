"""Small changes over a platform's management API: JSON over HTTPS, with a bearer token.

Whoever sends a change says by a version (``resourceVersion``, ``etag``, the exact record that is replaced)
what it was made from. So a change whose answer is lost may be sent again: the platform refuses it the second
time, and a look tells whose it was.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from heavylift.errors import HeavyliftError, PreconditionError
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.rest_faults import Told, no_reason, not_json

Headers = Mapping[str, str]
_SHOWN = 300
_CHANGED_MEANWHILE = frozenset({409, 412})


class RestChanges:
    """Sends requests to one API; close it when done.

    :param endpoint: before every path, no slash at its end.
    :param authorisation: makes the headers that say who we are.
    :param told: finds reason and message in an error answer.
    :param query: is part of every request.
    """

    def __init__(
        self,
        endpoint: str,
        authorisation: Callable[[], Awaitable[Headers]],
        *,
        told: Callable[[Mapping[str, Any]], Told] = no_reason,
        query: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._authorisation, self._told, self._query = authorisation, told, dict(query or {})
        settings = HttpSettings(connections=2, attempts=4)
        self._http = HttpClient(self._sign, self._error, settings=settings, tls=tls)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the answer to a GET.

        :raises NotFoundError: there is no such thing.
        """
        return await self._sent("GET", path, query, None)

    async def change(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Send one change and return its answer; a deletion has no body.

        :raises PreconditionError: what it was made from is not there any more.
        """
        return await self._sent(method, path, query, body)

    async def _sent(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        asked = urlencode({**self._query, **(query or {})})
        url = f"{self.endpoint}/{path.lstrip('/')}" + (f"?{asked}" if asked else "")
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = b"" if body is None else json.dumps(body).encode()
        what = f"{method} {path}"
        answer = await self._http.send(Request(method, url, what, headers, data))
        try:
            found = json.loads(bytes(answer.body) or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise not_json(what)
        return found

    async def _sign(self, request: Request) -> Headers:
        return {**request.headers, **await self._authorisation()}

    def _error(self, request: Request, status: int, _headers: Headers, body: bytes) -> HeavyliftError | None:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        told = self._told(answer) if isinstance(answer, Mapping) else ("", "")
        detail = " ".join(part for part in told if part)[:_SHOWN]
        if status in _CHANGED_MEANWHILE:
            return PreconditionError(
                request.what,
                got=f"HTTP {status} {detail}".strip(),
                expected="what the change was made from",
                state="nothing was changed",
                remedy="run the same command again: it looks afresh",
                code="8736",
            )
        return error_for_status(request.what, status, detail)
