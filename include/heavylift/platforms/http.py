"""HTTP for the data path: exact URLs, retries by error class, bounded bodies.

aiohttp does the protocol; this adds what every adapter needs: a URL that is never
normalised (keys may hold ``//`` or ``..``), signing afresh for each attempt, one place where
statuses become errors, and backoff with full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from heavylift.errors import HeavyliftError, TransientError
from heavylift.platforms.http_errors import error_for_status, no_answer, no_attempt
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.sending import Sending

READ_CHUNK = 256 * 1024

Signer = Callable[["Request"], Awaitable[Mapping[str, str]]]
"""Given the request, returns all headers to send, authorisation included."""

ErrorReader = Callable[["Request", int, Mapping[str, str], bytes], HeavyliftError | None]
"""An adapter's reading of an error answer; None leaves it to ``http_errors.error_for_status``."""

AnswerCheck = Callable[["Response"], HeavyliftError | None]
"""An adapter's second look at a 2xx answer; S3 hides errors in some of them."""


@dataclass(frozen=True)
class Request:
    """One request. ``url`` is already percent-encoded and is sent exactly so.

    :param what: the act and object, for error messages, e.g. ``"put of s3://b/k"``.
    """

    method: str
    url: str
    what: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """An answer read whole; header names are case-insensitive."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True)
class HttpSettings:
    """Limits of one store's client.

    :param connections: parallel requests at most.
    :param attempts: how often a request is tried before its transient error comes out.
    :param stall_seconds: longest silence of the other side.
    """

    connections: int = 64
    attempts: int = 6
    base_delay_seconds: float = 0.2
    max_delay_seconds: float = 20.0
    connect_seconds: float = 20.0
    stall_seconds: float = 60.0


class HttpClient:
    """One pool of connections to one store.

    :param sign: makes the headers of each attempt.
    :param read_error: the adapter's reading of error bodies.
    :param pacer: holds bodies in both directions to a bandwidth.
    :param tls: None checks certificates against the system's authorities; a context replaces
        that, for a private authority.
    """

    def __init__(
        self,
        sign: Signer,
        read_error: ErrorReader,
        *,
        settings: HttpSettings | None = None,
        pacer: Pacer | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._sign = sign
        self._read_error = read_error
        self._settings = settings or HttpSettings()
        self._pacer = pacer or Pacer()
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=limits.connections, limit_per_host=0, ssl=True if self._tls is None else self._tls
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=limits.connect_seconds, sock_read=limits.stall_seconds
                ),
                auto_decompress=False,
                skip_auto_headers={"Accept-Encoding", "Content-Type", "Accept"},
                read_bufsize=READ_CHUNK,
            )
            # aiohttp would send an idempotent request again without telling. A create-only PUT
            # whose answer was lost then finds its own object and looks like somebody else's.
            self._session._retry_connection = False
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _proxy(self, url: str) -> str | None:
        # Not aiohttp's trust_env: that also reads ~/.netrc, in a thread, for every request,
        # and refuses a signed request to any host that is named there.
        origin = url[: url.find("/", len("https://"))]
        if origin not in self._proxies:
            parts = urlsplit(url)
            skipped = proxy_bypass(parts.hostname or "")
            self._proxies[origin] = None if skipped else getproxies().get(parts.scheme)
        return self._proxies[origin]

    async def send(
        self,
        request: Request,
        *,
        check: AnswerCheck | None = None,
        failures: list[TransientError] | None = None,
    ) -> Response:
        """Send a request, read its answer whole, retry what is transient.

        :param check: looks at an answer of success and returns the error it hides, if any.
        :param failures: takes in the errors of attempts that were retried, so that the caller
            can tell the effect of its own earlier attempt from somebody else's act.
        :raises HeavyliftError: by status, or by the adapter's reading of the error body.
        """
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return await self._attempt(request, check)
            except TransientError as error:
                if attempt == self._settings.attempts:
                    raise
                if failures is not None:
                    failures.append(error)
                await asyncio.sleep(self._backoff(attempt, error))
        raise no_attempt(request.what)

    async def _attempt(self, request: Request, check: AnswerCheck | None) -> Response:
        async with self._exchange(request) as answer:
            response = Response(answer.status, answer.headers, await answer.read())
        hidden = check(response) if check else None
        if hidden is not None:
            raise hidden
        return response

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open an answer whose body the caller reads with ``body_chunks``; opening is retried.

        :raises HeavyliftError: as ``send``.
        """
        for attempt in range(1, self._settings.attempts + 1):
            exchange = self._exchange(request)
            try:
                answer = await exchange.__aenter__()
            except TransientError as error:
                if attempt == self._settings.attempts:
                    raise
                await asyncio.sleep(self._backoff(attempt, error))
                continue
            try:
                yield answer
            finally:
                # A body that was not read to its end must not go back into the pool.
                if not answer.content.at_eof():
                    answer.close()
                await exchange.__aexit__(None, None, None)
            return
        raise no_attempt(request.what)

    async def body_chunks(self, answer: aiohttp.ClientResponse, what: str) -> AsyncIterator[bytes]:
        """Yield an open answer's body; a cut or stalled body is a ServerUnavailableError."""
        try:
            async for chunk in answer.content.iter_chunked(READ_CHUNK):
                await self._pacer.take(len(chunk))
                yield chunk
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise no_answer(what, error) from None

    @asynccontextmanager
    async def _exchange(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = CIMultiDict(await self._sign(request))
        if request.body or request.method in {"PUT", "POST"}:
            headers["Content-Length"] = str(len(request.body))
        sending = Sending(request.body, self._pacer, self._settings.stall_seconds)
        try:
            exchange = self._open_session().request(
                request.method,
                URL(request.url, encoded=True),
                headers=headers,
                data=await sending.data(),
                allow_redirects=False,
                proxy=self._proxy(request.url),
            )
            answer = await sending.watched(exchange.__aenter__())
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise no_answer(request.what, error) from None
        try:
            if answer.status >= 300:
                raise self._error(request, answer.status, answer.headers, await answer.read())
            yield answer
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise no_answer(request.what, error) from None
        finally:
            if not sending.done:
                # Refused before all was sent: the rest is not worth its bandwidth.
                answer.close()
            await exchange.__aexit__(None, None, None)

    def _error(
        self, request: Request, status: int, headers: Mapping[str, str], body: bytes
    ) -> HeavyliftError:
        error = self._read_error(request, status, headers, body) or error_for_status(request.what, status, "")
        if isinstance(error, TransientError) and "Retry-After" in headers:
            error.retry_after = headers["Retry-After"]
        return error

    def _backoff(self, attempt: int, error: TransientError) -> float:
        if error.retry_after.isdigit():
            return min(float(error.retry_after), self._settings.max_delay_seconds)
        ceiling = min(self._settings.base_delay_seconds * 2**attempt, self._settings.max_delay_seconds)
        return random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
