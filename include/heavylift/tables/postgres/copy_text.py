"""Rows in the text form of COPY (PostgreSQL manual, "COPY", File Formats)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from heavylift.tables.postgres.pgoutput import Row

_NULL = b"\\N"
CHUNK = 256 * 1024
"""Bytes that are handed to libpq at once."""


def copy_line(row: Row) -> bytes:
    """Return one row without its end of line."""
    line = b"\t".join([_NULL if value is None else value for value in row])
    # One look at the whole line is cheaper than one at each value; few values need an escape.
    if (
        line.count(b"\\") == row.count(None)
        and line.count(b"\t") == len(row) - 1
        and b"\n" not in line
        and b"\r" not in line
    ):
        return line
    return b"\t".join([_NULL if value is None else _escaped(value) for value in row])


def _escaped(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def copy_chunks(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield rows as COPY takes them, in pieces of about :data:`CHUNK` bytes."""
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = copy_line(row)
        lines.append(line)
        size += len(line)
        if size >= CHUNK:
            lines.append(b"")
            yield b"\n".join(lines)
            lines, size = [], 0
    if lines:
        lines.append(b"")
        yield b"\n".join(lines)
