"""Pools of HTTP/1.1 connections: opened as they are needed, used again, watched for silence."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from heavylift.platforms.http_connection import READ_BUFFER, BrokenConnectionError, Connection
from heavylift.platforms.http_message import Origin, authority_of, request_head, split_url

_MOST_PROXY_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Proxy:
    """A proxy that the environment names for an origin.

    :param authorisation: the value of a Proxy-Authorization header, or nothing.
    """

    origin: Origin
    authorisation: str

    def headers(self) -> dict[str, str]:
        """Return what the proxy itself wants to be told."""
        return {"Proxy-Authorization": self.authorisation} if self.authorisation else {}


def proxy_for(origin: Origin) -> Proxy | None:
    """Return the environment's proxy for an origin: ``http_proxy``, ``https_proxy``, ``no_proxy``."""
    url = None if proxy_bypass(origin.host) else getproxies().get("https" if origin.tls else "http")
    if not url:
        return None
    parts = urlsplit(url)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    basic = f"Basic {base64.b64encode(user.encode()).decode()}" if parts.username else ""
    return Proxy(split_url(url)[0], basic)


class Pool:
    """The connections to one origin; ``most`` of them at once, others wait in the order they came.

    :param tls: trusts the origin's certificate; None for plain HTTP.
    :param stall_seconds: a connection whose other side is silent for so long is cut.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        tls: ssl.SSLContext | None,
        most: int,
        connect_seconds: float,
        stall_seconds: float,
    ) -> None:
        self.origin = origin
        self.proxy = proxy_for(origin)
        self._tls = tls
        self._most = most
        self._connect_seconds = connect_seconds
        self._stall_seconds = stall_seconds
        self._loop = asyncio.get_running_loop()
        self._scratch = memoryview(bytearray(READ_BUFFER))
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._opening = 0
        self._open: set[Connection] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed: set[asyncio.Future[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def idle(self) -> Connection | None:
        """Return a connection that waits to be used again, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return self._lend(connection)
        return None

    async def acquire(self) -> Connection:
        """Return a connection for one exchange.

        :raises OSError: none could be opened.
        """
        while True:
            if (connection := self.idle()) is not None:
                return connection
            if self._opening + len(self._open) < self._most:
                return self._lend(await self._opened())
            turn = self._loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_one()
                raise

    async def _opened(self) -> Connection:
        self._opening += 1
        try:
            async with asyncio.timeout(self._connect_seconds):
                connection = await self._connect()
            if connection.usable:
                self._open.add(connection)
            return connection
        except BaseException:
            self._wake_one()
            raise
        finally:
            self._opening -= 1

    def _lend(self, connection: Connection) -> Connection:
        self._busy.add(connection)
        if self._sweep is None:
            self._schedule_sweep()
        return connection

    def release(self, connection: Connection) -> None:
        """Take a connection back; one that is not at the end of an exchange is cut."""
        self._busy.discard(connection)
        if connection.reusable():
            self._idle.append(connection)
            self._wake_one()
        else:
            connection.abort()

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _lost(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open.discard(connection)
        self._wake_one()
        if not self._open:
            for waiter in self._closed:
                if not waiter.done():
                    waiter.set_result(None)

    async def _connect(self) -> Connection:
        if self.proxy is not None:
            return await self._through(self.proxy)
        origin, context = self.origin, self._tls
        name = origin.host if context is not None else None
        return await self._dial(origin, context, name)

    async def _dial(self, origin: Origin, tls: ssl.SSLContext | None, name: str | None) -> Connection:
        made: list[Connection] = []

        def factory() -> Connection:
            # An address that does not answer makes no connection, and must not be counted as lost.
            made.append(Connection(self._loop, self._lost, self._scratch))
            return made[-1]

        await self._loop.create_connection(factory, origin.host, origin.port, ssl=tls, server_hostname=name)
        return made[-1]

    async def _through(self, proxy: Proxy) -> Connection:
        """Connect to the proxy; for TLS, let it make a tunnel to the origin."""
        tls = ssl.create_default_context() if proxy.origin.tls else None
        connection = await self._dial(proxy.origin, tls, proxy.origin.host if tls else None)
        if self._tls is None:
            return connection
        try:
            await self._tunnel(connection, proxy, self._tls)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _tunnel(self, connection: Connection, proxy: Proxy, tls: ssl.SSLContext) -> None:
        target = f"{self.origin.host}:{self.origin.port}"
        head = request_head("CONNECT", target, self.origin, proxy.headers(), 0, "proxy")
        answer = await connection.exchange("HEAD", head, b"", most_bytes=_MOST_PROXY_ANSWER, pace=None)
        if answer.status != 200:
            raise BrokenConnectionError(f"the proxy {authority_of(proxy.origin)} said HTTP {answer.status}")
        await connection.start_tls(tls, self.origin.host)

    def forwarded(self, url: str, target: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return request target and headers for a proxy that forwards; a tunnel needs no change."""
        if self.proxy is None or self._tls is not None:
            return target, headers
        return url, {**headers, **self.proxy.headers()}

    def _schedule_sweep(self) -> None:
        self._sweep = self._loop.call_later(max(self._stall_seconds / 5, 0.02), self._cut_stalled)

    def _cut_stalled(self) -> None:
        self._sweep = None
        since = self._loop.time() - self._stall_seconds
        for connection in list(self._busy):
            if connection.stalled(since):
                connection.abort(TimeoutError(f"silent for {self._stall_seconds:g} s"))
        if self._busy:
            self._schedule_sweep()

    async def close(self) -> None:
        """Close all connections, and wait until they are."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in list(self._open):
            connection.abort()
        if self._open:
            waiter = self._loop.create_future()
            self._closed.add(waiter)
            async with asyncio.timeout(5):
                await waiter
