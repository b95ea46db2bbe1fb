"""Decodes row images of the binary log into texts that PostgreSQL reads.

The library decodes them too, into Python's values; on that way a date of zero, the end of a ``BINARY``, the
order of a ``SET`` and the fraction of a negative ``TIME`` are lost, and it costs five times as much. So it is
the library that reads packets, events and the tables' descriptions, and this module that reads their rows.

Formats: MySQL internals manual, "Binary Protocol of Row Events", and ``sql/log_event.cc``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from struct import Struct
from typing import Any

from heavylift.errors import UnsupportedError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.types import SourceColumn, labels
from heavylift.tables.mysql.values import Mender, as_hex, has_zero_byte
from heavylift.tables.postgres.pgoutput import Row, Value

Read = Callable[[bytes, int], tuple[Value, int]]
"""Reads one value that is not NULL; returns it and where it ends."""

_FLOAT, _DOUBLE = Struct("<f"), Struct("<d")
_NARROW = {1: 1, 2: 2, 9: 3, 3: 4, 8: 8}
"""Integer types → bytes."""
_CODECS = {
    "ascii": "ascii", "ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be",
    "latin2": "iso8859-2", "latin5": "iso8859-9", "latin7": "iso8859-13", "greek": "iso8859-7",
    "hebrew": "iso8859-8", "cp1250": "cp1250", "cp1251": "cp1251", "cp1256": "cp1256", "cp1257": "cp1257",
    "cp850": "cp850", "cp852": "cp852", "cp866": "cp866", "koi8r": "koi8-r", "koi8u": "koi8-u", "gbk": "gbk",
    "gb2312": "gb2312", "big5": "big5", "sjis": "shift_jis", "cp932": "cp932", "ujis": "euc-jp",
    "euckr": "euc-kr",
}  # fmt: skip
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_LATIN1 = [bytes([byte]).decode("cp1252", "replace") for byte in range(256)]
for _hole in (0x81, 0x8D, 0x8F, 0x90, 0x9D):  # MySQL's latin1 has the control characters there
    _LATIN1[_hole] = chr(_hole)
_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
"""Bytes that hold so many decimal digits."""


@dataclass(frozen=True)
class Described:
    """A table as the log describes it before its rows.

    :param columns: the library's own descriptions.
    :param known: the catalogue's columns by name, where the log does not say enough.
    """

    name: TableName
    columns: tuple[Any, ...]
    known: dict[str, SourceColumn]
    mender: Mender

    def readers(self) -> list[Read]:
        """Return how each column's values are read."""
        return [self._reader(each) for each in self.columns]

    def _reader(self, column: Any) -> Read:
        kind = int(column.type)
        if kind in _NARROW:
            return _integer(_NARROW[kind], signed=not column.unsigned)
        makers: dict[int, Callable[[], Read]] = {
            4: lambda: _number(_FLOAT),
            5: lambda: _number(_DOUBLE),
            10: lambda: self._date(column.name),
            14: lambda: self._date(column.name),
            13: lambda: _year,
            15: lambda: self._text(column, 2 if column.max_length > 255 else 1),
            253: lambda: self._text(column, 2 if column.max_length > 255 else 1),
            254: lambda: self._text(column, 2 if column.max_length > 255 else 1, padded=column.max_length),
            252: lambda: self._text(column, column.length_size),
            16: lambda: _bits(column.bits, column.bytes),
            17: lambda: self._timestamp(column.name, column.fsp),
            18: lambda: self._datetime(column.name, column.fsp),
            19: lambda: _time(column.fsp),
            245: lambda: _json(column.length_size),
            246: lambda: _decimal(column.precision, column.decimals),
            247: lambda: self._enum(column),
            248: lambda: self._set(column),
        }
        if kind not in makers:
            raise _unreadable(self.name, column.name, f"the log's type {kind}")
        return makers[kind]()

    def _charset(self, column: Any) -> str:
        name = column.collation_name
        if name:
            return str(name).partition("_")[0]
        known = self.known.get(column.name)
        if known is None:
            raise _unreadable(self.name, column.name, "a collation that the library does not know")
        return known.charset or "binary"

    def _text(self, column: Any, size: int, *, padded: int = 0) -> Read:
        charset = self._charset(column)
        if charset == "binary":
            return _bytes(size, padded)
        decode, name, table = _decoder(charset), column.name, self.name
        if decode is None:
            raise _unreadable(table, name, f"texts in {charset}")

        def read(data: bytes, at: int) -> tuple[Value, int]:
            start = at + size
            end = start + int.from_bytes(data[at:start], "little")
            text = decode(data[start:end])
            if b"\0" in text:
                raise has_zero_byte(table, name)
            return text, end

        return read

    def _labels(self, column: Any, told: list[str] | None) -> list[bytes]:
        found = list(told or [])
        known = self.known.get(column.name)
        catalogue = labels(known.column_type) if known and known.data_type in {"enum", "set"} else []
        # The library gives up on labels that are not UTF-8, and puts nothing in their place.
        if "" in found and len(catalogue) == len(found):
            found = catalogue
        if not found:
            raise _unreadable(self.name, column.name, "no labels")
        return [label.encode() for label in found]

    def _enum(self, column: Any) -> Read:
        names, size = [b"", *self._labels(column, (column.enum_values or [""])[1:])], column.size

        def read(data: bytes, at: int) -> tuple[Value, int]:
            return names[int.from_bytes(data[at : at + size], "little")], at + size

        return read

    def _set(self, column: Any) -> Read:
        names, size = self._labels(column, column.set_values), column.size

        def read(data: bytes, at: int) -> tuple[Value, int]:
            mask = int.from_bytes(data[at : at + size], "little")
            return b",".join([name for bit, name in enumerate(names) if mask >> bit & 1]), at + size

        return read

    def _date(self, name: str) -> Read:
        zero = self.mender.zero

        def read(data: bytes, at: int) -> tuple[Value, int]:
            packed = int.from_bytes(data[at : at + 3], "little")
            year, month, day = packed >> 9, packed >> 5 & 15, packed & 31
            if not (year and month and day):
                return zero(name), at + 3
            return b"%04d-%02d-%02d" % (year, month, day), at + 3

        return read

    def _datetime(self, name: str, fraction: int) -> Read:
        zero, size = self.mender.zero, (fraction + 1) // 2

        def read(data: bytes, at: int) -> tuple[Value, int]:
            packed = int.from_bytes(data[at : at + 5], "big") - 0x8000000000
            months, day = packed >> 22, packed >> 17 & 31
            year, month = divmod(months, 13)
            end = at + 5 + size
            if not (year and month and day):
                return zero(name), end
            whole = b"%04d-%02d-%02d %02d:%02d:%02d" % (
                year, month, day, packed >> 12 & 31, packed >> 6 & 63, packed & 63,
            )  # fmt: skip
            return whole + fraction_of(data[at + 5 : end]), end

        return read

    def _timestamp(self, name: str, fraction: int) -> Read:
        zero, size = self.mender.zero, (fraction + 1) // 2

        def read(data: bytes, at: int) -> tuple[Value, int]:
            seconds, end = int.from_bytes(data[at : at + 4], "big"), at + 4 + size
            part = data[at + 4 : end]
            if not seconds and not any(part):
                return zero(name), end
            moment = datetime.fromtimestamp(seconds, UTC)
            whole = b"%04d-%02d-%02d %02d:%02d:%02d" % moment.timetuple()[:6]
            return whole + fraction_of(part) + b"+00", end

        return read


def rows_of(data: bytes, readers: list[Read]) -> list[Row]:
    """Return the row images that one event holds, one after the other."""
    rows: list[Row] = []
    at, end = 0, len(data)
    width = (len(readers) + 7) // 8
    numbered = [(number >> 3, 1 << (number & 7), read) for number, read in enumerate(readers)]
    while at < end:
        nulls = data[at : at + width]
        at += width
        values: list[Value] = []
        for byte, bit, read in numbered:
            if nulls[byte] & bit:
                values.append(None)
            else:
                value, at = read(data, at)
                values.append(value)
        rows.append(tuple(values))
    return rows


def _integer(size: int, *, signed: bool) -> Read:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + size
        return b"%d" % int.from_bytes(data[at:end], "little", signed=signed), end

    return read


def _number(form: Struct) -> Read:
    size = form.size

    def read(data: bytes, at: int) -> tuple[Value, int]:
        return repr(form.unpack_from(data, at)[0]).encode(), at + size

    return read


def _year(data: bytes, at: int) -> tuple[Value, int]:
    return b"%d" % (1900 + data[at] if data[at] else 0), at + 1


def _bits(count: int, size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + size
        return format(int.from_bytes(data[at:end], "big"), f"0{count}b").encode(), end

    return read


def _bytes(size: int, padded: int) -> Read:
    """Return the reader of bytes; the log leaves out the zeros at the end of a ``BINARY(n)``."""

    def read(data: bytes, at: int) -> tuple[Value, int]:
        start = at + size
        end = start + int.from_bytes(data[at:start], "little")
        return as_hex(data[start:end].ljust(padded, b"\0")), end

    return read


def _time(fraction: int) -> Read:
    size = (fraction + 1) // 2
    offset, shift = 0x800000 << (8 * size), 8 * size

    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + 3 + size
        # Whole and fraction are one number; a negative one is its complement.
        packed = int.from_bytes(data[at:end], "big") - offset
        sign, packed = (b"-", -packed) if packed < 0 else (b"", packed)
        whole = packed >> shift
        part = (packed & ((1 << shift) - 1)).to_bytes(size, "big")
        text = b"%02d:%02d:%02d" % (whole >> 12 & 1023, whole >> 6 & 63, whole & 63)
        return sign + text + fraction_of(part), end

    return read


def fraction_of(part: bytes) -> bytes:
    """Return the digits behind the point: two for each byte."""
    return b".%0*d" % (2 * len(part), int.from_bytes(part, "big")) if part else b""


def _decimal(precision: int, scale: int) -> Read:
    left, right = divmod(precision - scale, 9), divmod(scale, 9)
    groups = [_DIGITS[left[1]], *[4] * left[0]], [*[4] * right[0], _DIGITS[right[1]]]
    widths = [9] * right[0] + [right[1]]
    size = sum(groups[0]) + sum(groups[1])

    def read(data: bytes, at: int) -> tuple[Value, int]:
        raw = bytearray(data[at : at + size])
        negative = not raw[0] & 0x80
        raw[0] ^= 0x80
        if negative:
            raw = bytearray(byte ^ 0xFF for byte in raw)
        whole, place = 0, 0
        for length in groups[0]:
            if length:
                whole = whole * 10**9 + int.from_bytes(raw[place : place + length], "big")
                place += length
        text = b"-%d" % whole if negative else b"%d" % whole
        if scale:
            text += b"."
            for length, width in zip(groups[1], widths, strict=True):
                if length:
                    text += b"%0*d" % (width, int.from_bytes(raw[place : place + length], "big"))
                    place += length
        return text, at + size

    return read


def _json(size: int) -> Read:
    """Return the reader of MySQL's binary JSON, which the library turns into Python's values."""

    def read(data: bytes, at: int) -> tuple[Value, int]:
        start = at + size
        end = start + int.from_bytes(data[at:start], "little")
        return json_text(data[start:end]), end

    return read


def json_text(data: bytes) -> bytes:
    """Return the text of a value in MySQL's binary JSON."""
    from pymysqlreplication.json_binary import parse_json

    return _written(parse_json(data[0], data[1:])).encode() if data else b"null"


def _written(value: Any) -> str:
    """Return JSON text; by hand, because a decimal must stay one."""
    if isinstance(value, dict):
        pairs = (f"{_written(name)}: {_written(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        value = value.decode()
    return json.dumps(
        value if isinstance(value, int | float | str | None) else str(value), ensure_ascii=False
    )


def _decoder(charset: str) -> Callable[[bytes], bytes] | None:
    if charset in _UTF8:
        return lambda raw: raw
    if charset == "latin1":
        return lambda raw: raw if raw.isascii() else "".join([_LATIN1[byte] for byte in raw]).encode()
    codec = _CODECS.get(charset)
    return (lambda raw: raw.decode(codec).encode()) if codec else None


def _unreadable(table: TableName, column: str | None, got: str) -> UnsupportedError:
    return UnsupportedError(
        f"reading the log's rows of {table}",
        got=f"{got} in column {column}",
        expected="a type that is in docs/reference/tables-mysql.md",
        state="nothing of this transaction was applied; the position stays",
        remedy="ALTER TABLE … FORCE brings old formats up to date; else change the type or leave the table"
        " out, and take it anew",
        code="6414",
    )
