"""A server on loopback that answers each request as the test's script says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Exchange:
    """A connection on which one request has arrived, head only."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: Received

    async def read_body(self) -> None:
        """Take in the body that the head announces."""
        size = int(self.received.headers.get("content-length", "0"))
        self.received.body = await self.reader.readexactly(size)


Act = Callable[[Exchange], Awaitable[None]]


def answer(status: int, body: bytes = b"", *, announced: int | None = None, **headers: str) -> Act:
    """Answer once the body has come; ``announced`` lies about the length and then cuts the line."""

    async def act(exchange: Exchange) -> None:
        await exchange.read_body()
        await _write(exchange, status, body, announced, headers)

    return act


def answer_at_once(status: int, body: bytes = b"") -> Act:
    """Answer before the body has been read, and read no more."""

    async def act(exchange: Exchange) -> None:
        await _write(exchange, status, body, None, {})
        await exchange.reader.read(1)
        await asyncio.Event().wait()

    return act


async def hang_up(exchange: Exchange) -> None:
    """Take the request and close the line without an answer."""
    await exchange.read_body()
    exchange.writer.close()


async def say_nothing(exchange: Exchange) -> None:
    """Take the request and never answer."""
    await exchange.read_body()
    await asyncio.Event().wait()


async def take_nothing(_exchange: Exchange) -> None:
    """Never read the body."""
    await asyncio.Event().wait()


async def _write(
    exchange: Exchange, status: int, body: bytes, announced: int | None, headers: dict[str, str]
) -> None:
    lines = [
        f"HTTP/1.1 {status} Scripted",
        f"Content-Length: {len(body) if announced is None else announced}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    exchange.writer.write(head if exchange.received.method == "HEAD" else head + body)
    await exchange.writer.drain()
    if announced is not None:
        exchange.writer.close()


@dataclass
class ScriptedServer:
    """Answers by ``script``, one act a request; the last act goes on for ever."""

    script: list[Act]
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                received = await _read_head(reader)
                self.requests.append(received)
                act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                await act(Exchange(reader, writer, received))
        writer.close()


async def _read_head(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return Received(method, target, {name.lower(): value for name, value in headers.items()})


@asynccontextmanager
async def scripted(*script: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Run a scripted server for the length of the block, over TLS where a context is given."""
    server = ScriptedServer(list(script))
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            await server.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # An aborted transport closes its socket in the loop's next turn.
        await asyncio.sleep(0)
