"""Files on their way between servers, with a server that cuts off or answers too early."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.errors import NoRoomError, ServerUnavailableError
from heavylift.registry.interface import server as writing
from heavylift.registry.interface.server import WritingServer
from heavylift.registry.interface.spooled import Spooled, _keep, spooled
from heavylift.registry.rest.client import TrackingServer

DATA = bytes(range(256)) * 40_000
"""More than is kept in memory."""
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Connection]:
    """Run a server that answers each request, which are counted from 1."""
    count = 0

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        await reader.readuntil(b"\r\n\r\n")
        count += 1
        await answer(reader, writer, count)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Connection("there", "mlflow", host=f"http://127.0.0.1:{port}")


async def _cut_off_at_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
    writer.write(_HEAD % len(DATA) + DATA[: 1000 if count == 1 else len(DATA)])
    await writer.drain()


def test_a_file_that_is_cut_off_is_read_again() -> None:
    async def read() -> tuple[bytes, int, str]:
        async with serving(_cut_off_at_first) as connection:
            server = TrackingServer(connection, 1)
            async with spooled(server, "x", {}) as file:
                found = b"".join([piece async for piece in file.pieces()]), file.size
            await server.close()
        async with serving(_cut_off_at_first) as connection:
            server = TrackingServer(connection, 1)
            digest = await server.digest("x", {})
            await server.close()
        return *found, digest

    assert run(read()) == (DATA, len(DATA), hashlib.sha256(DATA).hexdigest())


async def _early(_: asyncio.StreamReader, writer: asyncio.StreamWriter, _count: int) -> None:
    writer.write(_HEAD % 2 + b"{}")
    await writer.drain()


def test_an_answer_before_the_end_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "ATTEMPTS", 1)
    kept = tmp_path / "file"
    kept.write_bytes(DATA * 4)

    async def send() -> None:
        async with serving(_early) as connection:
            server = WritingServer(connection, 1)
            with kept.open("rb") as file:
                try:
                    await server.upload_from("PUT", "x", {}, Spooled(file, len(DATA) * 4))
                finally:
                    await server.close()

    with pytest.raises(ServerUnavailableError):
        run(send())


def test_a_full_disk_says_what_to_do() -> None:
    with (
        open("/dev/full", "wb", buffering=0) as file,
        pytest.raises(NoRoomError, match=r"No space left.*TMPDIR.*HL-9562"),
    ):
        _keep(file, "GET x on there", b"data")
