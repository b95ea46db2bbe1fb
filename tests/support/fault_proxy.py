"""An HTTP proxy that spoils some of what passes, by a seed, and counts what it did.

It passes the Host header on as it came, so that signatures stay valid.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
from aiohttp import web
from yarl import URL

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
FAULTS = ("busy", "throttle", "error", "reset", "truncate", "flip_answer", "flip_request")


@dataclass
class FaultProxy:
    """``rates`` give each fault's probability for one request; a request suffers at most one.

    :param done: how often each fault was dealt out.
    :param seen: how often each ``METHOD path`` came.
    """

    upstream: str
    seed: int
    rates: Mapping[str, float]
    most: int = 1_000_000
    done: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def _draw(self, method: str, path: str) -> str:
        if sum(self.done.values()) >= self.most:
            return ""
        for fault in FAULTS:
            wrong_way = (fault == "flip_request" and method != "PUT") or (
                fault in {"flip_answer", "truncate"} and not _is_download(method, path)
            )
            if not wrong_way and self._random.random() < self.rates.get(fault, 0):
                self.done[fault] += 1
                return fault
        return ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, spoilt or not."""
        self.seen[f"{request.method} {request.raw_path}"] += 1
        fault = self._draw(request.method, request.raw_path)
        statuses = {"busy": 503, "throttle": 429, "error": 500}
        if fault in statuses:
            return web.Response(status=statuses[fault])
        body = await request.read()
        if fault == "flip_request" and body:
            body = flipped(body)
        if fault == "reset":
            _cut(request)
            return web.Response(status=500)
        return await self._pass_on(request, body, fault)

    async def _pass_on(self, request: web.Request, body: bytes, fault: str) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_HEADERS}
        headers["Content-Length"] = str(len(body))
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                URL(self.upstream + request.raw_path, encoded=True),
                headers=headers,
                data=BytesIO(body) if body else None,
                allow_redirects=False,
                skip_auto_headers={"Accept-Encoding", "Content-Type", "User-Agent"},
            ) as answer,
        ):
            content = await answer.read()
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_HEADERS}
        return await self._answer(request, answer.status, kept, content, fault)

    async def _answer(
        self, request: web.Request, status: int, headers: dict[str, str], content: bytes, fault: str
    ) -> web.StreamResponse:
        if fault == "flip_answer" and content and status in {200, 206}:
            content = flipped(content)
        response = web.StreamResponse(status=status, headers=headers)
        if request.method != "HEAD":
            response.content_length = len(content)
        await response.prepare(request)
        if fault == "truncate" and len(content) > 1:
            await response.write(content[: len(content) // 2])
            _cut(request)
            return response
        if request.method != "HEAD":
            await response.write(content)
        await response.write_eof()
        return response


def _is_download(method: str, path: str) -> bool:
    # Listings and metadata have no checksum of their own; only objects' bytes are damaged.
    return method == "GET" and ("alt=media" in path or ("?" not in path and "/storage/v1/" not in path))


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def flipped(body: bytes) -> bytes:
    """Return ``body`` with one bit of its middle turned over."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 4]) + body[middle + 1 :]


@asynccontextmanager
async def fault_proxy(
    upstream: str, seed: int, rates: Mapping[str, float], most: int = 1_000_000
) -> AsyncIterator[FaultProxy]:
    """Run a proxy before ``upstream`` on a free loopback port for the length of the block."""
    proxy = FaultProxy(upstream.rstrip("/"), seed, rates, most)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        proxy.url = f"http://127.0.0.1:{port}"
        yield proxy
    finally:
        await asyncio.wait_for(runner.cleanup(), 10)
