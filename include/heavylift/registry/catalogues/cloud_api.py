"""A cloud's management API: JSON over HTTPS with a bearer token, and nothing made twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from heavylift.errors import (
    AlreadyExistsError,
    ConnectionConfigError,
    HeavyliftError,
    PermanentError,
    ServerUnavailableError,
    TransientError,
)
from heavylift.platforms.http import HttpClient, HttpSettings
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.tokens import CloudRequest, Token, TokenCache, may_carry_tokens
from heavylift.registry.interface.server import again

T = TypeVar("T")
Query = Mapping[str, str | int]
_MOST_LOOKS, _LOOK_SECONDS = 600, 1.0
_SHOWN = 300


class CloudApi:
    """Sends requests to one endpoint; close it when done.

    :param fetch: fetches a token; None where none is wanted.
    :param query: is part of every request.
    :raises ConnectionConfigError: a token would travel unencrypted.
    """

    def __init__(
        self,
        name: str,
        endpoint: str,
        fetch: Callable[[], Token] | None,
        parallel: int,
        query: Query | None = None,
    ) -> None:
        if fetch is not None and not may_carry_tokens(endpoint):
            raise ConnectionConfigError(
                f"reading connection {name!r}",
                got=f"the endpoint {endpoint}",
                expected="https:// where access tokens are sent",
                state="nothing was touched",
                remedy=f"correct the extra field endpoint_url of connection {name!r}",
                code="7190",
            )
        self._name, self._endpoint, self._query = name, endpoint.rstrip("/"), query or {}
        self._tokens = TokenCache(fetch) if fetch else None
        settings = HttpSettings(connections=parallel, attempts=1)
        self._http = HttpClient(self._sign, self._error, settings=settings)

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    async def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Return the answer to a GET."""
        return await again(lambda: self._once("GET", path, query or {}, None))

    async def write(
        self, method: str, path: str, body: Mapping[str, Any], query: Query | None = None
    ) -> dict[str, Any]:
        """Send what may be carried out twice without harm; until there is an answer."""
        return await again(lambda: self._once(method, path, query or {}, body))

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        find: Callable[[], Awaitable[T | None]],
        query: Query | None = None,
    ) -> dict[str, Any] | T:
        """Make something once, however often an answer is lost.

        :param find: looks for the thing.
        :return: the answer, or what was found where the answer was lost.
        """
        lost = False

        async def attempt() -> dict[str, Any] | T:
            nonlocal lost
            found = await find() if lost else None
            lost = True
            return await self._once("POST", path, query or {}, body) if found is None else found

        return await again(attempt)

    async def pages(
        self, path: str, field: str, query: Query, token: str, asked: str
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield a listing's things.

        :param token: which field of an answer names the next page; ``asked``: which parameter takes it.
        """
        given = dict(query)
        while True:
            answer = await self.get(path, given)
            for each in answer.get(field) or ():
                yield each
            more = answer.get(token)
            if not more:
                return
            given[asked] = str(more)

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Ask until something is there.

        :raises TransientError: it is not there after ten minutes; it goes on there.
        """
        for number in range(_MOST_LOOKS):
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(min(_LOOK_SECONDS, _LOOK_SECONDS * 2 ** (number - 5)))
        raise TransientError(
            what,
            got="no end after ten minutes",
            state="it goes on there",
            remedy="run the same command again: what came of it is then found",
            code="7191",
        )

    async def _sign(self, request: Any) -> Mapping[str, str]:
        token = await self._tokens.get() if self._tokens else None
        if isinstance(request, CloudRequest):
            request.sent_with.append(token)
        return {**request.headers, **({"Authorization": f"Bearer {token.value}"} if token else {})}

    async def _once(
        self, method: str, path: str, query: Query, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        asked = urlencode({**self._query, **query})
        url = f"{self._endpoint}/{path}" + (f"?{asked}" if asked else "")
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = b"" if body is None else json.dumps(body).encode()
        request = CloudRequest(method, url, f"{method} {path} over {self._name}", headers, data)
        answer = await self._http.send(request)
        try:
            found = json.loads(bytes(answer.body) or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise PermanentError(
                request.what,
                got="an answer that is no JSON object",
                expected="the cloud's API",
                state="nothing was concluded",
                remedy=f"check the endpoint of connection {self._name!r}",
                code="7192",
            )
        return found

    def _error(
        self, request: Any, status: int, _headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError | None:
        try:
            told = json.loads(body)["error"]
            detail = f"{told.get('status') or told.get('code')}: {told.get('message', '')}"[:_SHOWN]
        except (ValueError, KeyError, TypeError, AttributeError):
            detail = ""
        if status == 401 and self._tokens is not None and self._tokens.renew_after(request):
            return ServerUnavailableError(
                request.what,
                got=f"HTTP {status}",
                expected="a token that is accepted",
                state="the token was dropped; the next attempt fetches another",
                remedy="run again",
                code="7193",
            )
        if status == 409:
            return AlreadyExistsError(
                request.what,
                got=f"HTTP {status} {detail}",
                expected="a free name",
                state="what has the name was not touched",
                remedy="run again: what it is is then looked at",
                code="7194",
            )
        return error_for_status(request.what, status, detail)
