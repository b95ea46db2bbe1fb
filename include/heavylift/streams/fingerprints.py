"""What makes two records the same: key, value, headers and timestamp, each byte of them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

Headers = Mapping[str, str | bytes | None] | Sequence[tuple[str, str | bytes | None]]
"""Headers in order; a client's types let them be a mapping too, which no reader is ever given."""

_ABSENT = -1
_HEAD = struct.Struct(">qqq")
_PAIR = struct.Struct(">qq")


class StreamRecord(Protocol):
    """A record of a stream as a client gives it."""

    def key(self) -> bytes | None:
        """Return the key, None where it has none."""

    def value(self) -> bytes | None:
        """Return the value, None in a tombstone."""

    def headers(self) -> Headers | None:
        """Return the headers in order."""

    def timestamp(self) -> tuple[int, int]:
        """Return kind and milliseconds."""

    def offset(self) -> int | None:
        """Return its offset."""


def fingerprint(record: StreamRecord) -> bytes:
    """Return 16 bytes that differ where key, value, a header, their order or the timestamp differs."""
    key, value, headers = record.key(), record.value(), record.headers()
    head = _HEAD.pack(
        record.timestamp()[1],
        _ABSENT if key is None else len(key),
        _ABSENT if value is None else len(value),
    )
    data = head + (key or b"") + (value or b"")
    if headers:
        data += _packed(headers)
    return hashlib.blake2b(data, digest_size=16).digest()


def _packed(headers: Headers) -> bytes:
    parts = []
    for name, content in _pairs(headers):
        raw = _raw(name)
        filled = None if content is None else _raw(content)
        parts += [_PAIR.pack(len(raw), _ABSENT if filled is None else len(filled)), raw, filled or b""]
    return b"".join(parts)


def _pairs(headers: Headers | None) -> Iterable[tuple[str, str | bytes | None]]:
    return headers.items() if isinstance(headers, Mapping) else headers or ()


def _raw(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


class RollingHash:
    """One digest over the fingerprints of a partition, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, print_: bytes) -> None:
        """Take the next record's fingerprint."""
        self._hash.update(print_)
        self.count += 1

    def hexdigest(self) -> str:
        """Return the digest over all so far."""
        return self._hash.hexdigest()
