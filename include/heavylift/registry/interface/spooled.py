"""Files on their way from server to server: small ones in memory, longer ones in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO

from heavylift.errors import NoRoomError
from heavylift.registry.rest.client import TrackingServer

_IN_MEMORY = 4 * 2**20
_PIECE = 2**20


@dataclass(frozen=True)
class Spooled:
    """A file that has been read whole; it can be sent as often as needed.

    :param size: in bytes.
    """

    file: IO[bytes]
    size: int

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the file from its beginning."""
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            yield piece


@asynccontextmanager
async def spooled(server: TrackingServer, path: str, query: dict[str, str]) -> AsyncIterator[Spooled]:
    """Read a file that a server sends; it is gone at the end of the block.

    :raises NoRoomError: it does not fit into the folder of temporary files.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:

        def begin() -> Callable[[bytes], None]:
            file.seek(0)
            file.truncate()
            return partial(_keep, file, f"GET {path} on {server.name}")

        await server.whole(path, query, begin)
        yield Spooled(file, file.tell())


def _keep(file: IO[bytes], what: str, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise NoRoomError(
            f"keeping the answer to {what} until it is sent on",
            got=f"{error.strerror or error}, in {tempfile.gettempdir()}",
            expected="room for the file; several are kept at once",
            state="the file was not moved; what was written stays",
            remedy="set TMPDIR to a folder with more room, or name both object stores' connections, and run"
            " the same command again",
            code="9562",
        ) from None
