"""Reads text by blocks: whole records, each in one block, and never more than two blocks in memory."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import IO

from heavylift.compliance.units import BLOCK_BYTES


def block_at(file: IO[bytes], number: int, size_bytes: int) -> bytes:
    """Return the records that begin in a block: from the first line that begins there to the last one's end.

    A block within one long line is returned as it is: nothing goes unread because no line ends.
    """
    start, end = number * BLOCK_BYTES, min(size_bytes, (number + 1) * BLOCK_BYTES)
    file.seek(max(0, start - 1))
    data = _read(file, end - max(0, start - 1))
    if start:
        first = data.find(b"\n")
        if first < 0:
            return data[1:]
        data = data[first + 1 :]
    if data and not data.endswith(b"\n") and end < size_bytes:
        data += _to_the_line_end(file)
    return data


def _to_the_line_end(file: IO[bytes]) -> bytes:
    tail = b""
    while len(tail) < BLOCK_BYTES:
        more = file.read(64 * 1024)
        if not more:
            break
        head, newline, _ = more.partition(b"\n")
        tail += head + newline
        if newline:
            break
    return tail


def unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a gzip file's text in blocks of whole lines; lines longer than a block are cut."""
    rest = b""
    with gzip.GzipFile(fileobj=file) as packed:
        while True:
            data = packed.read(BLOCK_BYTES)
            if not data:
                break
            rest += data
            cut = rest.rfind(b"\n") + 1
            if not cut and len(rest) < 2 * BLOCK_BYTES:
                continue
            cut = cut or len(rest)
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def _read(file: IO[bytes], length: int) -> bytes:
    parts = []
    while length > 0:
        part = file.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
