"""Objects as files: ranges of them, for a reader that seeks."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

from heavylift.errors import ServerUnavailableError
from heavylift.platforms.ports import ListedObject, ObjectStore

TRIES = 5
TAIL_BYTES = 64 * 1024
"""A Parquet footer mostly fits into this much of the file's end, so that one request reads it."""


async def read_range(store: ObjectStore, item: ListedObject, offset: int, length: int) -> bytes:
    """Return bytes of one object, pinned to its listed version."""
    for attempt in range(1, TRIES + 1):
        try:
            async with store.get(item.key, version=item.version, offset=offset, length=length) as stream:
                return b"".join([bytes(chunk) async for chunk in stream.chunks()])[:length]
        except ServerUnavailableError:
            if attempt == TRIES:
                raise
            await asyncio.sleep(0.1 * 2**attempt)
    return b""


class RangeFile(io.RawIOBase):
    """An object as a file to be read by a library that knows no asyncio, from another thread.

    :param read: returns ``length`` bytes at ``offset``.
    :param size_bytes: of the object.
    """

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        super().__init__()
        self._read = read
        self._size = size_bytes
        self._position = 0
        self._tail_start = max(0, size_bytes - TAIL_BYTES)
        self._tail: bytes | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read up to the buffer's length; one request unless it lies in the file's end."""
        view = memoryview(buffer).cast("B")
        data = self._bytes(self._position, min(len(view), self._size - self._position))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _bytes(self, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        if offset < self._tail_start:
            return self._read(offset, length)
        if self._tail is None:
            self._tail = self._read(self._tail_start, self._size - self._tail_start)
        start = offset - self._tail_start
        return self._tail[start : start + length]


def range_file(store: ObjectStore, item: ListedObject, loop: asyncio.AbstractEventLoop) -> RangeFile:
    """Return the object as a file whose requests run on ``loop``; not to be used in its thread."""

    def read(offset: int, length: int) -> bytes:
        work = read_range(store, item, offset, length)
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    return RangeFile(read, item.size_bytes)
