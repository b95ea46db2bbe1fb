"""Requests to one registry: authorised, followed to where blobs really lie, errors in Heavylift's words."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from heavylift.errors import CredentialError, HeavyliftError, PermanentError, ThrottledError
from heavylift.platforms.http import HttpClient, HttpSettings, Request, Response
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.oci.authorising import Authoriser, Login
from heavylift.platforms.pacing import Pacer

if TYPE_CHECKING:
    from heavylift.platforms.http_answer import Answer, StreamedBody

_HOPS, _SHOWN_CODES = 4, 3
_CONNECTIONS, _STALL_SECONDS = 32, 300.0
"""Registries are silent for minutes while they put a large blob in its place."""
_TOO_MANY = "TOOMANYREQUESTS"


class ChallengedError(CredentialError):
    """The registry asks who we are; ``challenge`` is its WWW-Authenticate header."""

    default_code = "9151"
    challenge: str = ""


class MovedError(PermanentError):
    """What was asked for lies elsewhere; ``location`` tells where."""

    default_code = "9152"
    location: str = ""


class Wire:
    """The connections to one registry, and to where it sends us for blobs.

    :param base: ``http[s]://host[:port]``.
    :param plain: credentials may travel over plain HTTP.
    :param pacer: holds what is read to a bandwidth.
    """

    def __init__(
        self,
        base: str,
        login: Login,
        *,
        plain: bool = False,
        settings: HttpSettings | None = None,
        pacer: Pacer | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self._host = urlsplit(self.base).netloc
        many = settings or HttpSettings(connections=_CONNECTIONS, stall_seconds=_STALL_SECONDS)
        # A body that is streamed exists once: whoever sends it decides about another attempt.
        once = HttpSettings(connections=many.connections, attempts=1, stall_seconds=many.stall_seconds)
        self._http = HttpClient(_as_given, _read_error, settings=many, pacer=pacer, tls=tls)
        self._once = HttpClient(_as_given, _read_error, settings=once, tls=tls)
        self._auth = Authoriser(self.base, login, self._http, plain=plain)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
        await self._once.close()

    def url(self, path: str) -> str:
        """Return the URL of a path of the registry, or of a Location that it gave.

        A registry behind a proxy that ends TLS may name itself with http://; it is asked over https:// still.
        """
        found = urljoin(f"{self.base}/", path)
        parts = urlsplit(found)
        if parts.netloc == self._host and not self._own(found):
            return self.base + found[found.index(parts.netloc) + len(parts.netloc) :]
        return found

    def _own(self, url: str) -> bool:
        parts, own = urlsplit(url), urlsplit(self.base)
        return (parts.scheme, parts.netloc) == (own.scheme, own.netloc)

    async def send(
        self,
        method: str,
        path: str,
        what: str,
        scope: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        streamed: StreamedBody | None = None,
    ) -> Response:
        """Send a request and read its answer whole; what is transient is sent again, a stream is not.

        :raises HeavyliftError: by the status of the answer.
        """
        url = self.url(path)
        http = self._http if streamed is None else self._once
        given = await self._headers(url, scope, headers)
        try:
            return await http.send(Request(method, url, what, given, body, streamed))
        except ChallengedError as asked:
            if not self._own(url) or not await self._met(asked, scope, given):
                raise
            if streamed is not None:
                raise renewed(what) from None
        return await http.send(Request(method, url, what, await self._headers(url, scope, headers), body))

    async def _headers(self, url: str, scope: str, headers: Mapping[str, str] | None) -> dict[str, str]:
        """Return what to send: who we are is told to the registry alone, never to where it sends us."""
        own = await self._auth.headers(scope) if self._own(url) else {}
        return {**(headers or {}), **own}

    async def _met(self, asked: ChallengedError, scope: str, given: Mapping[str, str]) -> bool:
        return await self._auth.answer(asked.challenge, scope, given.get("Authorization", ""))

    @asynccontextmanager
    async def opened(
        self, path: str, what: str, scope: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Answer]:
        """Open the answer to a GET, wherever the registry sends us for it; its body is read piece by piece.

        :raises PermanentError: it sends us in circles, or from https:// to http://.
        """
        async with AsyncExitStack() as stack:
            yield await self._followed(stack, self.url(path), what, scope, headers)

    async def _followed(
        self, stack: AsyncExitStack, url: str, what: str, scope: str, headers: Mapping[str, str] | None
    ) -> Answer:
        for _ in range(_HOPS):
            given = await self._headers(url, scope, headers)
            try:
                return await stack.enter_async_context(self._http.stream(Request("GET", url, what, given)))
            except ChallengedError as asked:
                if not self._own(url) or not await self._met(asked, scope, given):
                    raise
            except MovedError as moved:
                url = _next(url, moved)
        raise PermanentError(
            what,
            got=f"more than {_HOPS} redirections or demands for credentials",
            expected="the bytes",
            state="nothing was changed",
            remedy="look at the registry: it sends its clients in circles",
            code="9153",
        )

    async def pieces(self, answer: Answer, what: str) -> AsyncIterator[bytes]:
        """Yield an open answer's body."""
        async for piece in self._http.body_chunks(answer, what):
            yield piece


def renewed(what: str) -> ThrottledError:
    """Return the error of a stream that was turned away for its token; another try has a fresh one."""
    return ThrottledError(
        what,
        got="HTTP 401 in the middle",
        expected="a token that lasts",
        state="a fresh token is at hand",
        remedy="run again",
        code="9154",
    )


def _next(url: str, moved: MovedError) -> str:
    found = urljoin(url, moved.location)
    if urlsplit(url).scheme == "https" and urlsplit(found).scheme != "https":
        raise PermanentError(
            moved.what,
            got="a redirection from https:// to something else",
            expected="https://",
            state="nothing was changed",
            remedy="look at the registry, or at what stands before it",
            code="9155",
        )
    return found


async def _as_given(request: Request) -> Mapping[str, str]:
    return request.headers


def _read_error(
    request: Request, status: int, headers: Mapping[str, str], body: bytes
) -> HeavyliftError | None:
    if status in {301, 302, 303, 307, 308} and headers.get("Location"):
        moved = MovedError(
            request.what,
            got=f"HTTP {status}",
            expected="an answer by the registry itself",
            state="nothing was changed",
            remedy="look at the registry: it sends its clients elsewhere",
        )
        moved.location = headers["Location"]
        return moved
    codes = _codes(body)
    if status == 401:
        asked = ChallengedError(
            request.what,
            got=f"HTTP 401 {codes}".rstrip(),
            expected="credentials that the registry takes",
            state="this object was not changed",
            remedy="check the connection's login and password, and what they may do in this registry",
        )
        asked.challenge = headers.get("WWW-Authenticate", "")
        return asked
    if _TOO_MANY in codes:
        return error_for_status(request.what, 429, codes)
    return error_for_status(request.what, status, codes)


def _codes(body: bytes) -> str:
    """Return the error codes of an answer; its messages may repeat what was sent, and are left out."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    rows = found.get("errors") if isinstance(found, dict) else None
    texts = [each.get("code") for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []
    plain = [each for each in texts if isinstance(each, str) and each.isascii() and each.isprintable()]
    return " ".join(each[:40] for each in plain[:_SHOWN_CODES])
