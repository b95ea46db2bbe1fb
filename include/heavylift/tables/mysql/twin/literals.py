"""Values as a statement of MySQL's writes them, each exactly what the source has.

Texts are given as the bytes of their column's own character set, labels by their number: nothing is turned
into another form and back on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import quoted
from heavylift.tables.mysql.types import Kind, Mapped
from heavylift.tables.postgres.pgoutput import Row, Value

Write = Callable[[bytes], bytes]

_PLAIN = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.BITS, Kind.ORDINAL})
_QUOTED = frozenset({Kind.DATE, Kind.INTERVAL, Kind.DATETIME, Kind.TIMESTAMP, Kind.NAMED})
_WIDE = frozenset({"ucs2", "utf16", "utf16le", "utf32"})


@dataclass(frozen=True)
class Written:
    """One column that is written.

    :param at: its place in a row.
    """

    mapped: Mapped
    at: int
    write: Write

    @property
    def name(self) -> bytes:
        """Return the column's name as a statement writes it."""
        return quoted(self.mapped.source.name).encode()


def writer_of(mapped: Mapped) -> Write:
    """Return what writes a column's values that are not NULL."""
    kind, charset = mapped.kind, mapped.source.charset
    if kind in _PLAIN:
        return _as_it_is
    if kind in {Kind.FLOAT, Kind.DOUBLE}:
        return double
    if kind in _QUOTED:
        return quoted_text
    if kind in {Kind.BYTES, Kind.GEOMETRY}:
        return lambda value: b"_binary" + quoted_text(value)
    if kind is Kind.JSONB or charset in {"", "utf8mb4"}:
        return quoted_text
    introducer = b"_" + charset.encode()
    if charset in _WIDE:
        return lambda value: introducer + b" x'" + value.hex().encode() + b"'"
    return lambda value: introducer + quoted_text(value)


def written(
    table: SourceTable, columns: Sequence[str], literals: Callable[[Mapped], Write] = writer_of
) -> tuple[Written, ...]:
    """Return the columns of a row that are written: all but those that the server computes.

    :param columns: the row's, in its order.
    :param literals: gives what writes a column's values.
    """
    known = {each.source.name: each for each in table.columns}
    return tuple(
        Written(known[name], at, literals(known[name]))
        for at, name in enumerate(columns)
        if name in known and not known[name].column.generated
    )


def tuples_of(columns: Sequence[Written], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield rows as they stand behind VALUES."""
    writes = [(each.at, each.write) for each in columns]
    for row in rows:
        values = [b"NULL" if row[at] is None else write(row[at]) for at, write in writes]  # type: ignore[arg-type]
        yield b"(" + b",".join(values) + b")"


def same(column: Written, value: Value) -> bytes:
    """Return the condition that a column holds exactly a value, byte for byte."""
    name = column.name
    if value is None:
        return name + b" IS NULL"
    kind = column.mapped.kind
    if kind is Kind.TEXT:
        return b"CAST(" + name + b" AS BINARY) = _binary" + quoted_text(value)
    if kind is Kind.GEOMETRY:
        return b"HEX(" + name + b") = '" + value.hex().upper().encode() + b"'"
    if kind is Kind.FLOAT:
        # A float is compared as the double that it is.
        return b"(" + name + b" + 0e0) = " + column.write(value)
    if kind in {Kind.BITS, Kind.ORDINAL}:
        return b"(" + name + b" + 0) = " + column.write(value)
    return name + b" = " + column.write(value)


def _as_it_is(value: bytes) -> bytes:
    return value


def double(value: bytes) -> bytes:
    """Return a double."""
    return value if b"e" in value else value + b"e0"


def quoted_text(value: bytes) -> bytes:
    """Return bytes within quotes."""
    # Of all bytes only these two mean something within quotes; the session leaves backslashes their meaning.
    if b"\\" in value or b"'" in value:
        value = value.replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    return b"'" + value + b"'"
