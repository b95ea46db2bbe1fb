"""PostgreSQL's texts as MySQL's statements write them; what would not arrive exactly is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable

from heavylift.errors import IntegrityError
from heavylift.tables.mysql.connect import Policy
from heavylift.tables.mysql.twin.literals import Write, double, quoted_text
from heavylift.tables.mysql.types import Kind, Mapped, SourceColumn, labels, map_column

_NUMBER = re.compile(rb"-?[0-9.]+(e[-+]?[0-9]+)?")
_DOUBLE = re.compile(rb"(?!-0$)-?[0-9.]+(e[-+]?[0-9]+)?")
"""No zero below zero: MariaDB loses its sign."""
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(rb"-?[0-9]{1,3}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_MOMENT = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_BITS = re.compile(rb"[01]+")


def writer_back(policy: Policy) -> Callable[[Mapped], Write]:
    """Return what writes columns, by how the way there has moved them.

    :param policy: of the way there.
    """

    def writer(own: Mapped) -> Write:
        mapped = map_column(own.source, policy)
        if mapped is None:
            raise _unlike(own.source, "a type that has no place in PostgreSQL")
        return _writer(mapped)

    return writer


def _writer(mapped: Mapped) -> Write:
    column, kind = mapped.source, mapped.kind
    makers: dict[Kind, Callable[[SourceColumn], Write]] = {
        Kind.BOOLEAN: lambda _: {b"t": b"1", b"f": b"0"}.__getitem__,
        Kind.INTEGER: lambda each: _matching(each, _NUMBER, lambda value: value),
        Kind.DECIMAL: lambda each: _matching(each, _NUMBER, lambda value: value),
        Kind.FLOAT: _double,
        Kind.DOUBLE: _double,
        Kind.BITS: lambda each: _matching(each, _BITS, lambda value: b"b'" + value + b"'"),
        Kind.BYTES: _bytes,
        Kind.DATE: lambda each: _matching(each, _DATE, quoted_text),
        Kind.TIME: lambda each: _matching(each, _TIME, quoted_text),
        Kind.INTERVAL: lambda each: _matching(each, _TIME, quoted_text),
        Kind.DATETIME: lambda each: _matching(each, _MOMENT, quoted_text),
        Kind.TIMESTAMP: _timestamp,
    }
    if column.data_type in {"enum", "set"}:
        return _label(column)
    return makers.get(kind, _text)(column)


def _double(column: SourceColumn) -> Write:
    return _matching(column, _DOUBLE, double)


def _matching(column: SourceColumn, form: re.Pattern[bytes], write: Write) -> Write:
    def checked(value: bytes) -> bytes:
        if form.fullmatch(value) is None:
            raise _unlike(
                column, "NaN, infinity, -0, a date before Christ or beyond 9999, or a time beyond 999 hours"
            )
        return write(value)

    return checked


def _timestamp(column: SourceColumn) -> Write:
    inner = _matching(column, _MOMENT, quoted_text)

    def write(value: bytes) -> bytes:
        # Both sessions are in UTC.
        return inner(value.removesuffix(b"+00"))

    return write


def _bytes(column: SourceColumn) -> Write:
    fixed = 2 * column.length if column.data_type == "binary" else None

    def write(value: bytes) -> bytes:
        digits = value.removeprefix(b"\\x")
        if fixed is not None and len(digits) != fixed:
            raise _unlike(column, f"bytes that are not {column.length} long, which BINARY fills up")
        return b"x'" + digits + b"'"

    return write


def _label(column: SourceColumn) -> Write:
    known = [each.encode() for each in labels(column.column_type)]
    several = column.data_type == "set"

    def write(value: bytes) -> bytes:
        if not value and not several and value not in known:
            return b"0"  # what stands for a label that was never valid
        given = value.split(b",") if several and value else [value] if value or not several else []
        # The server puts the members of a set in their order, and takes a label in any case.
        if given != [each for each in known if each in given]:
            raise _unlike(column, "a text that is none of its labels, or a set in another order")
        return b"_utf8mb4" + quoted_text(value)

    return write


def _text(column: SourceColumn) -> Write:
    padded = column.data_type == "char"

    def write(value: bytes) -> bytes:
        if padded and value.endswith(b" "):
            raise _unlike(column, "blanks at the end, which CHAR forgets")
        return b"_utf8mb4" + quoted_text(value)

    return write


def _unlike(column: SourceColumn, got: str) -> IntegrityError:
    return IntegrityError(
        f"writing values of column {column.name} ({column.column_type}) back",
        got=got,
        expected="a value that this column holds exactly",
        state="nothing of this batch was applied; the position stays",
        remedy="correct the rows on the target, where the application has written them; then run this again",
        code="6451",
    )
