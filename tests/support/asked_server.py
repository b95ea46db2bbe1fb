"""A small HTTP server of known behaviour, in a thread of its own: what baselines are measured against."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n{}"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
NO_HTTP = b"I am no HTTP server\r\n\r\n"


@dataclass
class Behaviour:
    """What the server does.

    :param service: seconds for each request; ``serial`` serves one at a time.
    :param freeze_at: the number of the request at which the whole server stands still, once.
    :param gone_at: the number of requests after which it closes for good.
    :param silent: it takes requests and never answers.
    """

    service: float = 0.0
    serial: bool = False
    answer: bytes = OK
    freeze_at: int = 0
    freeze_seconds: float = 0.5
    gone_at: int = 0
    silent: bool = False
    close_after_each: bool = False
    endless: bool = False


@dataclass
class Asked:
    """A running server."""

    behaviour: Behaviour
    port: int = 0
    count: int = 0
    heads: list[bytes] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/invocations"


@contextmanager
def asked_server(behaviour: Behaviour) -> Iterator[Asked]:
    """Run a server until the end of the block; ``asked`` is set at its tenth request."""
    asked = Asked(behaviour)
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(asked, ready, stop)))
    thread.start()
    ready.wait(10)
    try:
        yield asked
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _serve(asked: Asked, ready: threading.Event, stop: asyncio.Event) -> None:
    gate = asyncio.Lock()
    lines: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        lines.add(writer)
        try:
            await _requests(asked, reader, writer, gate, server, lines)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            lines.discard(writer)
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    asked.port = server.sockets[0].getsockname()[1]
    ready.set()
    await stop.wait()
    server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _notice(asked: Asked) -> None:
    if asked.count >= 10:
        asked.asked.set()
    if asked.count == asked.behaviour.freeze_at:
        # Not asyncio's sleep: nothing of this server is to move.
        time.sleep(asked.behaviour.freeze_seconds)


async def _requests(
    asked: Asked,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    gate: asyncio.Lock,
    server: asyncio.Server,
    lines: set[asyncio.StreamWriter],
) -> None:
    does = asked.behaviour
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        asked.count += 1
        asked.heads.append(head)
        _notice(asked)
        if does.gone_at and asked.count >= does.gone_at:
            server.close()
            for line in list(lines):
                line.transport.abort()
            return
        if does.silent:
            await reader.read()
            return
        if does.serial:
            async with gate:
                await asyncio.sleep(does.service)
        elif does.service:
            await asyncio.sleep(does.service)
        writer.write(does.answer)
        while does.endless:
            writer.write(b"x" * 2**20)
            await writer.drain()
        if does.close_after_each:
            return
