"""HTTP for the data path: exact URLs, retries by error class, bounded bodies.

The connections are ``http_connection``'s; this adds what every adapter needs: a URL that is never
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
from dataclasses import dataclass, field
from typing import cast

from heavylift.checksums import Body
from heavylift.errors import HeavyliftError, TransientError
from heavylift.platforms.admission import Admission
from heavylift.platforms.http_answer import Answer, StreamedBody
from heavylift.platforms.http_connection import Connection, Pace
from heavylift.platforms.http_errors import error_for_status, no_answer, no_attempt
from heavylift.platforms.http_message import Headers, Origin, request_head, split_url
from heavylift.platforms.http_pool import Pool
from heavylift.platforms.overload import seconds_to_wait
from heavylift.platforms.pacing import Pacer

MOST_ANSWER_BYTES = 64 * 2**20
"""The longest answer that is read whole without the caller having said how long it may be."""
_MOST_ERROR_BYTES = 2**20

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
    :param streamed: the body where it is made while it is sent; such a request is for a client that
        tries once.
    """

    method: str
    url: str
    what: str
    headers: Mapping[str, str]
    body: Body = b""
    streamed: StreamedBody | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer read whole; header names are case-insensitive."""

    status: int
    headers: Headers
    body: bytes | bytearray


@dataclass(frozen=True)
class HttpSettings:
    """Limits of one store's client.

    :param connections: parallel requests at most.
    :param attempts: how often a request is tried before its transient error comes out.
    :param stall_seconds: longest silence of the other side.
    :param admission: what holds the requests back; every one is admitted where it is not set.
    """

    connections: int = 64
    attempts: int = 6
    base_delay_seconds: float = 0.2
    max_delay_seconds: float = 20.0
    connect_seconds: float = 20.0
    stall_seconds: float = 60.0
    admission: Admission = field(default_factory=Admission)


class HttpClient:
    """The connections to one store.

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
        self._pace: Pace | None = self._pacer.take if self._pacer.holds_back else None
        self._tls = tls
        self._pools: dict[Origin, Pool] = {}
        self._origins: dict[str, Origin] = {}

    def _origin(self, url: str) -> tuple[Origin, str]:
        cut = url.find("/", len("https://"))
        known = self._origins.get(url[:cut])
        if known is not None and cut > 0:
            return known, url[cut:]
        origin, target = split_url(url)
        if "?" not in url[:cut] and cut > 0:
            self._origins[url[:cut]] = origin
        return origin, target

    def _open_pool(self, origin: Origin) -> Pool:
        limits = self._settings
        if origin.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        pool = self._pools[origin] = Pool(
            origin,
            tls=self._tls if origin.tls else None,
            most=limits.connections,
            connect_seconds=limits.connect_seconds,
            stall_seconds=limits.stall_seconds,
        )
        return pool

    async def close(self) -> None:
        """Close all connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()

    async def send(
        self,
        request: Request,
        *,
        check: AnswerCheck | None = None,
        failures: list[TransientError] | None = None,
        most_bytes: int = MOST_ANSWER_BYTES,
        into: bytearray | None = None,
    ) -> Response:
        """Send a request, read its answer whole, retry what is transient.

        :param check: looks at an answer of success and returns the error it hides, if any.
        :param failures: takes in the errors of attempts that were retried, so that the caller
            can tell the effect of its own earlier attempt from somebody else's act.
        :param most_bytes: a longer answer is an error.
        :param into: a buffer for the body, if that has room in it and is worth it.
        :raises HeavyliftError: by status, or by the adapter's reading of the error body.
        """
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return await self._attempt(request, check, most_bytes, into)
            except TransientError as error:
                if attempt == self._settings.attempts:
                    raise
                if failures is not None:
                    failures.append(error)
                await asyncio.sleep(self._backoff(attempt, error))
        raise no_attempt(request.what)

    async def _attempt(
        self, request: Request, check: AnswerCheck | None, most_bytes: int, into: bytearray | None
    ) -> Response:
        pool, connection, answer = await self._exchange(request, max(most_bytes, _MOST_ERROR_BYTES), into)
        pool.release(connection)
        if answer.status >= 300:
            raise self._error(request, answer.status, answer.headers, answer.body)
        # A view only where the caller gave a buffer, and with it takes any.
        body = cast("bytes | bytearray", answer.body)
        response = Response(answer.status, answer.headers, body)
        hidden = check(response) if check else None
        if hidden is not None:
            raise hidden
        if self._pace is not None:
            await self._pace(len(response.body))
        return response

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Answer]:
        """Open an answer whose body the caller reads with ``body_chunks``; opening is retried.

        :raises HeavyliftError: as ``send``.
        """
        pool, connection, answer = await self._opened(request)
        try:
            yield answer
        except (OSError, TimeoutError) as error:
            raise no_answer(request.what, error) from None
        finally:
            # A body that was not read to its end must not go back into the pool.
            pool.release(connection)

    async def _opened(self, request: Request) -> tuple[Pool, Connection, Answer]:
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return await self._open(request)
            except TransientError as error:
                if attempt == self._settings.attempts:
                    raise
                await asyncio.sleep(self._backoff(attempt, error))
        raise no_attempt(request.what)

    async def _open(self, request: Request) -> tuple[Pool, Connection, Answer]:
        pool, connection, answer = await self._exchange(request, None)
        if answer.status < 300:
            return pool, connection, answer
        try:
            body = await answer.read()
        except (OSError, TimeoutError) as error:
            raise no_answer(request.what, error) from None
        finally:
            pool.release(connection)
        raise self._error(request, answer.status, answer.headers, body)

    async def body_chunks(self, answer: Answer, what: str) -> AsyncIterator[bytes]:
        """Yield an open answer's body; a cut or stalled body is a ServerUnavailableError."""
        try:
            while chunk := await answer.next_chunk():
                if self._pace is not None:
                    await self._pace(len(chunk))
                yield chunk
        except (OSError, TimeoutError) as error:
            raise no_answer(what, error) from None

    async def _exchange(
        self, request: Request, most_bytes: int | None, into: bytearray | None = None
    ) -> tuple[Pool, Connection, Answer]:
        """Send a request once, when its turn has come; what comes back is for ``Pool.release``."""
        admission = self._settings.admission
        if not admission.try_enter():
            await admission.enter()
        try:
            # Signed after the wait: a signature tells the time, and grows stale.
            pool, connection, answer = await self._sent(request, most_bytes, into)
        except BaseException as error:
            admission.failed(error)
            raise
        admission.answered(answer.status, answer.headers.get("Retry-After"))
        return pool, connection, answer

    async def _sent(
        self, request: Request, most_bytes: int | None, into: bytearray | None
    ) -> tuple[Pool, Connection, Answer]:
        headers = await self._sign(request)
        origin, target = self._origin(request.url)
        pool = self._pools.get(origin) or self._open_pool(origin)
        if pool.proxy is not None:
            target, headers = pool.forwarded(request.url, target, headers)
        size = len(request.body) if request.streamed is None else request.streamed.size
        head = request_head(request.method, target, origin, headers, size, request.what)
        try:
            connection = pool.idle() or await pool.acquire()
        except (OSError, TimeoutError) as error:
            raise no_answer(request.what, error) from None
        try:
            answer = await connection.exchange(
                request.method,
                head,
                request.body,
                most_bytes=most_bytes,
                pace=self._pace if size else None,
                into=into,
                streamed=request.streamed,
            )
        except (OSError, TimeoutError) as error:
            pool.release(connection)
            raise no_answer(request.what, error) from None
        except BaseException:
            connection.abort()
            pool.release(connection)
            raise
        return pool, connection, answer

    def _error(self, request: Request, status: int, headers: Mapping[str, str], body: Body) -> HeavyliftError:
        read = self._read_error(request, status, headers, bytes(body))
        error = read or error_for_status(request.what, status, "")
        if isinstance(error, TransientError) and "Retry-After" in headers:
            error.retry_after = headers["Retry-After"]
        return error

    def _backoff(self, attempt: int, error: TransientError) -> float:
        asked = seconds_to_wait(error.retry_after)
        if asked > 0:
            return min(asked, self._settings.max_delay_seconds)
        ceiling = min(self._settings.base_delay_seconds * 2**attempt, self._settings.max_delay_seconds)
        return random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
