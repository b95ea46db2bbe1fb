"""An HTTP proxy that spoils some of what passes, by a seed, and counts what it did.

It passes the Host header on as it came, so that signatures stay valid.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.fault_answers import refusal
from tests.support.fault_schedule import REFUSED, Kind, Schedule

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
SLOW_CHUNK = 64 * 1024
SLOW_SECONDS = 0.02


@dataclass
class FaultProxy:
    """Deals out the faults of a schedule; a request suffers at most one.

    :param dialect: in whose words it refuses: ``s3``, ``gcs`` or ``azure``.
    :param most: so many faults at most.
    :param stalls_seconds: how long a stalled request is held before it is cut.
    :param done: how often each fault was dealt out.
    :param seen: how often each ``METHOD path`` came.
    :param answers_lost: the ``METHOD path`` of requests that were carried out, and whose answer was not
        passed on.
    :param large: the numbers of requests with a body of at least ``large_bytes``.
    :param watch: each is told the number of each request before anything is done with it.
    """

    upstream: str
    schedule: Schedule
    dialect: str = "s3"
    most: int = 1_000_000
    stalls_seconds: float = 30.0
    watch: list[Callable[[int], None]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    answers_lost: list[str] = field(default_factory=list)
    large_bytes: int = 5 * 2**20
    large: list[int] = field(default_factory=list)
    url: str = ""
    number: int = 0
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _session: aiohttp.ClientSession | None = None

    def _draw(self, request: web.Request) -> str:
        self.number += 1
        for tell in self.watch:
            tell(self.number)
        kind = kind_of(request.method, request.raw_path, self.dialect)
        fault = self.schedule.fault(self.number, kind) if self.done.total() < self.most else ""
        if fault:
            self.done[fault] += 1
        return fault

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, spoilt or not."""
        self.seen[f"{request.method} {request.raw_path}"] += 1
        fault = self._draw(request)
        try:
            return await self._spoil(request, fault)
        except (ConnectionError, aiohttp.ClientPayloadError):
            # The client has hung up, as killed ones do; there is nobody to answer.
            return _cut(request)

    async def _spoil(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "stall":
            await self._hold()
            return _cut(request)
        body = await request.read()
        if len(body) >= self.large_bytes:
            self.large.append(self.number)
        if fault in REFUSED:
            told = refusal(self.dialect, fault, request.method)
            return web.Response(status=told.status, body=told.body, headers=told.headers)
        if fault == "reset":
            return _cut(request)
        if fault == "flip_request" and body:
            body = flipped_payload(body) if self.dialect == "gcs" else self._flipped(body)
        return await self._pass_on(request, body, fault)

    def _flipped(self, body: bytes) -> bytes:
        # Not always the same bit: two downloads that are wrong alike cannot be told by anybody.
        return _flipped_at(body, random.Random(f"{self.schedule.seed}:{self.number}").randrange(len(body)))

    async def _hold(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), self.stalls_seconds)
        except TimeoutError:
            return

    def client(self) -> aiohttp.ClientSession:
        """Return the client that speaks to the store, one connection for each request."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        return self._session

    async def _pass_on(self, request: web.Request, body: bytes, fault: str) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_HEADERS}
        headers["Content-Length"] = str(len(body))
        async with self.client().request(
            request.method,
            URL(self.upstream + request.raw_path, encoded=True),
            headers=headers,
            data=BytesIO(body) if body else None,
            allow_redirects=False,
            skip_auto_headers={"Accept-Encoding", "Content-Type", "User-Agent"},
        ) as answer:
            content = await answer.read()
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_HEADERS}
        if fault in {"lost", "error_after"}:
            self.answers_lost.append(f"{request.method} {request.raw_path}")
            if fault == "lost":
                return _cut(request)
            told = refusal(self.dialect, "error", request.method)
            return web.Response(status=told.status, body=told.body, headers=told.headers)
        return await self._answer(request, answer.status, kept, content, fault)

    async def _answer(
        self, request: web.Request, status: int, headers: dict[str, str], content: bytes, fault: str
    ) -> web.StreamResponse:
        whole = bool(content) and status in {200, 206}
        if fault == "flip_answer" and whole:
            content = self._flipped(content)
        if fault == "short" and whole:
            content = content[: len(content) // 2]
        response = web.StreamResponse(status=status, headers=headers)
        if request.method != "HEAD":
            response.content_length = len(content)
        await response.prepare(request)
        if fault in {"truncate", "stall_body"} and len(content) > 1:
            self.answers_lost.append(f"{request.method} {request.raw_path}")
            await response.write(content[: len(content) // 2])
            if fault == "stall_body":
                await self._hold()
            return _cut(request, response)
        if request.method != "HEAD":
            await self._write(response, content, slowly=fault == "slow")
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, content: bytes, *, slowly: bool) -> None:
        if not slowly:
            await response.write(content)
            return
        for start in range(0, len(content), SLOW_CHUNK):
            await response.write(content[start : start + SLOW_CHUNK])
            await asyncio.sleep(SLOW_SECONDS)

    async def close(self) -> None:
        """Let go of all that is held."""
        self._closing.set()
        if self._session is not None:
            await self._session.close()


def kind_of(method: str, path: str, dialect: str) -> Kind:
    """Return what a request is about."""
    query = path.partition("?")[2]
    if dialect == "gcs":
        if method == "GET":
            return Kind.DOWNLOAD if "alt=media" in query else Kind.READ
        return Kind.UPLOAD if path.startswith("/upload/") else Kind.WRITE
    if method in {"GET", "HEAD"}:
        return Kind.DOWNLOAD if method == "GET" and not query and path.count("/") > 1 else Kind.READ
    is_data = method == "PUT" and (not query or "partNumber=" in query or "comp=block&" in query + "&")
    return Kind.UPLOAD if is_data else Kind.WRITE


def _cut(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response or web.Response(status=500)


def flipped_payload(body: bytes) -> bytes:
    """Return a multipart/related body with one bit of its last part turned over, if that has any."""
    boundary = body.partition(b"\r\n")[0]
    end = body.rfind(b"\r\n" + boundary + b"--")
    start = body.find(b"\r\n\r\n", body.find(boundary, len(boundary))) + 4
    return _flipped_at(body, (start + end) // 2) if end > start > 4 else body


def _flipped_at(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :]


@asynccontextmanager
async def fault_proxy(
    upstream: str,
    seed: object,
    rates: Mapping[str, float],
    most: int = 1_000_000,
    *,
    dialect: str = "s3",
) -> AsyncIterator[FaultProxy]:
    """Run a proxy with these rates before ``upstream`` for the length of the block."""
    async with running(FaultProxy(upstream, Schedule(seed, rates), dialect, most)) as proxy:
        yield proxy


@asynccontextmanager
async def running(proxy: FaultProxy) -> AsyncIterator[FaultProxy]:
    """Run ``proxy`` on a free loopback port for the length of the block."""
    proxy.upstream = proxy.upstream.rstrip("/")
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
    finally:
        await proxy.close()
        await asyncio.wait_for(runner.cleanup(), 10)
