"""JSON over HTTPS to a store of secrets: no error shows a request's body or an answer's text."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from heavylift.errors import (
    AlreadyExistsError,
    ConnectionConfigError,
    HeavyliftError,
    PermanentError,
    ServerUnavailableError,
)
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.rest_faults import Reading, Told
from heavylift.platforms.secrets import quiet
from heavylift.platforms.tokens import CloudRequest, Token, TokenCache, may_carry_tokens

_ATTEMPTS, _PARALLEL = 5, 16
Query = Mapping[str, str]
Headers = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, eq=False, repr=False)
class _Quiet(CloudRequest):
    """A request that does not show its body."""

    permission: str = ""

    def __repr__(self) -> str:
        return self.what


class SecretApi:
    """Sends requests to one endpoint; close it when done.

    :param told: finds the reason in an error answer; its message is thrown away.
    :param fetch: fetches a token; None where none is wanted, or ``headers`` make what says who we are.
    :raises ConnectionConfigError: a token or a secret would travel unencrypted.
    """

    def __init__(
        self,
        name: str,
        endpoint: str,
        told: Callable[[Mapping[str, Any]], Told],
        *,
        fetch: Callable[[], Token] | None = None,
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        query: Query | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not may_carry_tokens(endpoint):
            raise ConnectionConfigError(
                f"reading connection {name!r}",
                got=f"the endpoint {endpoint}",
                expected="https:// where secrets are sent",
                state="nothing was touched",
                remedy=f"correct the address of connection {name!r}",
                code="8802",
            )
        self._endpoint, self._query, self._told = endpoint.rstrip("/"), query or {}, told
        self._tokens = TokenCache(fetch) if fetch else None
        self._headers = headers
        settings = HttpSettings(connections=_PARALLEL, attempts=_ATTEMPTS)
        self._http = HttpClient(self._sign, self._error, settings=settings, tls=tls)

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    async def send(
        self,
        method: str,
        path: str,
        permission: str,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the answer of one request; what is transient is sent again.

        :param permission: what the request needs, for the message of a refusal.
        :raises AlreadyExistsError: HTTP 409.
        """
        asked = urlencode({**self._query, **(query or {})}, quote_via=quote)
        url = f"{self._endpoint}/{path}" + (f"?{asked}" if asked else "")
        return await self._sent(method, url, f"{method} {path}", permission, body, headers or {})

    async def pages(
        self, path: str, permission: str, query: Query, token: str, asked: str, headers: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield a listing's pages.

        :param token: names one below another, separated by dots: where an answer names the next page.
        :param asked: which parameter takes it; empty where it is a URL.
        """
        given = dict(query)
        answer = await self.send("GET", path, permission, given, headers=headers)
        while True:
            yield answer
            more: Any = answer
            for name in token.split("."):
                more = more.get(name) if isinstance(more, Mapping) else None
            if not more or given.get(asked) == str(more):
                return
            if asked:
                given[asked] = str(more)
                answer = await self.send("GET", path, permission, given, headers=headers)
            else:
                self._demand_same_place(path, str(more))
                answer = await self._sent("GET", str(more), f"GET {path}", permission, None, headers)

    def _demand_same_place(self, path: str, url: str) -> None:
        if urlsplit(url)[:2] != urlsplit(self._endpoint)[:2]:
            raise PermanentError(
                f"GET {path}",
                got=f"a next page at {urlsplit(url).netloc or 'no host'}",
                expected=f"one at {urlsplit(self._endpoint).netloc}, where the credentials may go",
                state="nothing was sent there",
                remedy="check what stands between here and the store of secrets",
                code="8803",
            )

    async def _sent(
        self,
        method: str,
        url: str,
        what: str,
        permission: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> dict[str, Any]:
        found = {"Accept": "application/json", **headers}
        if body is not None:
            found.setdefault("Content-Type", "application/json")
        data = b"" if body is None else json.dumps(body).encode()
        answer = await self._http.send(_Quiet(method, url, what, found, data, permission=permission))
        try:
            told = json.loads(bytes(answer.body) or b"{}")
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise PermanentError(
                what,
                got="an answer that is no JSON object",
                expected="the API of a store of secrets",
                state="nothing was concluded",
                remedy="check that the connection leads to the store, and not to a proxy's page",
                code="8804",
            )
        return told

    async def _sign(self, request: Request) -> Mapping[str, str]:
        own = self._headers() if callable(self._headers) else self._headers or {}
        try:
            token = await self._tokens.get() if self._tokens else None
        except HeavyliftError as error:
            raise quiet(error) from None
        if isinstance(request, CloudRequest):
            request.sent_with.append(token)
        return {
            **request.headers,
            **own,
            **({"Authorization": f"Bearer {token.value}"} if token else {}),
        }

    def _error(
        self, request: Request, status: int, headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError | None:
        if status == 401 and self._tokens is not None and self._tokens.renew_after(request):
            return ServerUnavailableError(
                request.what,
                got=f"HTTP {status}",
                expected="a token that is accepted",
                state="the token was dropped; the next attempt fetches another",
                remedy="run again",
                code="8805",
            )
        if status == 409:
            return AlreadyExistsError(
                request.what,
                got=f"HTTP {status}",
                expected="a free name, or what was read a moment ago",
                state="what is there was not touched",
                remedy="run again: what it is is then looked at; a deleted secret may still hold the name",
                code="8806",
            )
        permission = request.permission if isinstance(request, _Quiet) else ""
        reading = Reading(told=lambda answer: (self._told(answer)[0], ""), permission=lambda _: permission)
        found = reading.read(request, status, headers, body)
        return quiet(found) if found is not None else None
