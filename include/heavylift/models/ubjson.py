"""Walks through a file of UBJSON, as XGBoost keeps models: it holds values alone, and ends where they end."""

from __future__ import annotations

import struct
from typing import BinaryIO

_NUMBERS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8}
_INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
_BARE = frozenset({b"Z", b"N", b"T", b"F"})
_DEEPEST = 200
_MOST_VALUES = 50_000_000


def ubjson_problem(stream: BinaryIO, size: int) -> str:
    """Return why a file is no value of UBJSON from its first byte to its last; empty where it is one."""
    stream.seek(0)
    try:
        _Walker(stream, size).value(stream.read(1), 0)
    except (ValueError, struct.error) as error:
        return str(error)
    rest = size - stream.tell()
    return f"{rest} bytes follow its end" if rest else ""


class _Walker:
    """Steps over one value after the other; none is held."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size, self._seen = stream, size, 0

    def value(self, mark: bytes, depth: int) -> None:
        """Step over the value whose mark was read.

        :raises ValueError: there is none.
        """
        self._seen += 1
        if depth > _DEEPEST or self._seen > _MOST_VALUES:
            raise ValueError("values that lie too deep, or too many")
        if mark in _NUMBERS:
            self._skip(_NUMBERS[mark])
        elif mark == b"C":
            self._skip(1)
        elif mark in {b"S", b"H"}:
            self._skip(self._length(self._stream.read(1)))
        elif mark == b"[":
            self._items(depth, named=False)
        elif mark == b"{":
            self._items(depth, named=True)
        elif mark not in _BARE:
            raise ValueError(f"no value begins with {mark.hex() or 'the end of the file'}")

    def _items(self, depth: int, *, named: bool) -> None:
        mark, kind, number = self._stream.read(1), b"", None
        if mark == b"$":
            kind, mark = self._stream.read(1), self._stream.read(1)
            if mark != b"#":
                raise ValueError("a list of one type that tells no number")
        if mark == b"#":
            number = self._length(self._stream.read(1))
            if kind in _NUMBERS and not named:
                self._skip(_NUMBERS[kind] * number)
                return
            mark = b""
        end, done = (b"}" if named else b"]"), 0
        while number is None or done < number:
            mark = mark or self._stream.read(1)
            if number is None and mark == end:
                return
            if named:
                self._skip(self._length(mark))
                mark = b""
            self.value(kind or mark or self._stream.read(1), depth + 1)
            mark, done = b"", done + 1

    def _length(self, mark: bytes) -> int:
        form = _INTEGERS.get(mark)
        if form is None:
            raise ValueError(f"no number begins with {mark.hex() or 'the end of the file'}")
        (length,) = struct.unpack(form, self._stream.read(struct.calcsize(form)))
        if length < 0:
            raise ValueError("a length below 0")
        return int(length)

    def _skip(self, length: int) -> None:
        if self._stream.tell() + length > self._size:
            raise ValueError("a value that is longer than the file")
        self._stream.seek(length, 1)
