"""Row images of the binary log, in the form in which rows travel to a server of the same kind.

Values keep what they are: texts stay the bytes of their own character set, labels are numbers, and dates that
no calendar has are dates. Columns that the target computes itself travel along, and are not written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heavylift.tables.mysql.rowimage import Described, Read, fraction_of
from heavylift.tables.postgres.pgoutput import Value

_NAMED = {"uuid": 16, "inet6": 16, "inet4": 4}
_GEOMETRY = 255


class OwnDescribed(Described):
    """Reads a table's row images for a target of the source's own kind."""

    def _reader(self, column: Any) -> Read:
        kind = int(column.type)
        if kind == _GEOMETRY:
            return _raw(column.length_size)
        if kind == 16:
            return _number(column.bytes)
        known = self.known.get(column.name)
        if kind in {253, 254} and known is not None and known.data_type in _NAMED:
            return _named(known.data_type)
        return super()._reader(column)

    def _text(self, column: Any, size: int, *, padded: int = 0) -> Read:
        if self._charset(column) == "binary":
            return _raw(size, padded)
        return _raw(size)

    def _enum(self, column: Any) -> Read:
        return _ordinal(column.size)

    def _set(self, column: Any) -> Read:
        return _ordinal(column.size)

    def _date(self, name: str) -> Read:
        del name

        def read(data: bytes, at: int) -> tuple[Value, int]:
            packed = int.from_bytes(data[at : at + 3], "little")
            return b"%04d-%02d-%02d" % (packed >> 9, packed >> 5 & 15, packed & 31), at + 3

        return read

    def _datetime(self, name: str, fraction: int) -> Read:
        del name
        size = (fraction + 1) // 2

        def read(data: bytes, at: int) -> tuple[Value, int]:
            packed = int.from_bytes(data[at : at + 5], "big") - 0x8000000000
            year, month = divmod(packed >> 22, 13)
            end = at + 5 + size
            whole = b"%04d-%02d-%02d %02d:%02d:%02d" % (
                year, month, packed >> 17 & 31, packed >> 12 & 31, packed >> 6 & 63, packed & 63,
            )  # fmt: skip
            return whole + fraction_of(data[at + 5 : end]), end

        return read

    def _timestamp(self, name: str, fraction: int) -> Read:
        # What is written to a session in UTC bears no zone.
        inner, size = super()._timestamp(name, fraction), (fraction + 1) // 2

        def read(data: bytes, at: int) -> tuple[Value, int]:
            end = at + 4 + size
            if not any(data[at:end]):
                return b"0000-00-00 00:00:00", end
            value, end = inner(data, at)
            return (value or b"").removesuffix(b"+00"), end

        return read


def _raw(size: int, padded: int = 0) -> Read:
    """Return the reader of bytes; the log leaves out the zeros at the end of a ``BINARY(n)``."""

    def read(data: bytes, at: int) -> tuple[Value, int]:
        start = at + size
        end = start + int.from_bytes(data[at:start], "little")
        return data[start:end].ljust(padded, b"\0"), end

    return read


def _number(size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + size
        return b"%d" % int.from_bytes(data[at:end], "big"), end

    return read


def _ordinal(size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + size
        return b"%d" % int.from_bytes(data[at:end], "little"), end

    return read


def _named(kind: str) -> Read:
    """Return the reader of a UUID or an address, which the log holds as bytes in hexadecimal's order."""
    size, shown = _NAMED[kind], _SHOWN[kind]

    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + 1 + data[at]
        return shown(data[at + 1 : end].ljust(size, b"\0")), end

    return read


def uuid_text(stored: bytes) -> bytes:
    """Return the text of a UUID as MariaDB stores it: those with a time in them are turned end to end."""
    turned = stored[6] & 0x80 and 0 < stored[8] < 0x80
    if turned:
        stored = stored[12:16] + stored[10:12] + stored[8:10] + stored[6:8] + stored[0:6]
    digits = stored.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])).encode()


def _inet4(stored: bytes) -> bytes:
    return ".".join(map(str, stored)).encode()


def _inet6(stored: bytes) -> bytes:
    digits = stored.hex()
    return ":".join(digits[at : at + 4] for at in range(0, 32, 4)).encode()


_SHOWN: dict[str, Callable[[bytes], bytes]] = {"uuid": uuid_text, "inet4": _inet4, "inet6": _inet6}
