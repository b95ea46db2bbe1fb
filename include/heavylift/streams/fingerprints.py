"""What makes two records the same: key, value, headers and timestamp, each byte of them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

Headers = Mapping[str, str | bytes | None] | Sequence[tuple[str, str | bytes | None]]
"""Headers in order; a client's types let them be a mapping too, which no reader is ever given."""

_ABSENT = struct.pack(">q", -1)
_LENGTH = struct.Struct(">q")


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
    parts = [_LENGTH.pack(record.timestamp()[1])]
    for part in (key, value):
        parts += (_ABSENT,) if part is None else (_LENGTH.pack(len(part)), part)
    for name, content in _pairs(headers):
        raw = _raw(name)
        parts += (_LENGTH.pack(len(raw)), raw)
        parts += (_ABSENT,) if content is None else (_LENGTH.pack(len(_raw(content))), _raw(content))
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


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
