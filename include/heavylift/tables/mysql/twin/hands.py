"""Does to children on a MySQL target what the source's foreign keys did; see :mod:`..cascades`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.tables.model import TableName
from heavylift.tables.mysql.cascades import Values
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import quoted
from heavylift.tables.mysql.twin.literals import writer_of
from heavylift.tables.mysql.twin.session import Lenient, run
from heavylift.tables.mysql.types import Kind, Mapped

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.postgres.pgoutput import Value

KEYS_AT_ONCE = 500
_NUMBERED = frozenset({Kind.BITS, Kind.ORDINAL})
_BYTES = frozenset({Kind.TEXT, Kind.BYTES, Kind.GEOMETRY})


@dataclass(frozen=True)
class TwinHands:
    """See :class:`heavylift.tables.mysql.cascades.Hands`.

    :param tables: as the target has them.
    """

    session: Session
    tables: Mapping[TableName, SourceTable]
    limit: int

    def select(
        self, table: TableName, wanted: Sequence[str], columns: Sequence[str], keys: Sequence[Values]
    ) -> list[Values]:
        """Return some columns of rows, as they travel."""
        expressions = ", ".join(_reading(self._column(table, name)) for name in wanted).encode()
        found: list[Values] = []
        for condition in self._conditions(table, columns, keys):
            with self.session.cursor() as cursor:
                cursor.execute(b"SELECT " + expressions + b" FROM " + _name(table) + b" WHERE " + condition)
                found += [tuple(map(_raw, row)) for row in cursor.fetchall()]
        return found

    def delete(self, table: TableName, columns: Sequence[str], keys: Sequence[Values]) -> None:
        """Delete rows."""
        for condition in self._conditions(table, columns, keys):
            self._run(table, b"DELETE FROM " + _name(table) + b" WHERE " + condition)

    def update(
        self, table: TableName, columns: Sequence[str], keys: Sequence[Values], values: Values
    ) -> None:
        """Give rows other values."""
        pairs = zip(columns, values, strict=True)
        sets = b", ".join(
            [quoted(name).encode() + b" = " + self._literal(table, name, v) for name, v in pairs]
        )
        for condition in self._conditions(table, columns, keys):
            self._run(table, b"UPDATE " + _name(table) + b" SET " + sets + b" WHERE " + condition)

    def _conditions(
        self, table: TableName, columns: Sequence[str], keys: Sequence[Values]
    ) -> Iterator[bytes]:
        for at in range(0, len(keys), KEYS_AT_ONCE):
            yield b" OR ".join(
                b"(" + b" AND ".join(self._equals(table, columns, key)) + b")"
                for key in keys[at : at + KEYS_AT_ONCE]
            )

    def _equals(self, table: TableName, columns: Sequence[str], values: Values) -> list[bytes]:
        return [
            quoted(name).encode() + b" = " + self._literal(table, name, value)
            for name, value in zip(columns, values, strict=True)
        ]

    def _literal(self, table: TableName, name: str, value: Value) -> bytes:
        return b"NULL" if value is None else writer_of(self._column(table, name))(value)

    def _column(self, table: TableName, name: str) -> Mapped:
        return next(each for each in self.tables[table].columns if each.source.name == name)

    def _run(self, table: TableName, statement: bytes) -> None:
        computed = frozenset(each.source.name for each in self.tables[table].columns if each.column.generated)
        run(self.session, statement, str(table), self.limit, Lenient(computed=computed))


def _reading(mapped: Mapped) -> str:
    name = quoted(mapped.source.name)
    if mapped.kind in _BYTES:
        return f"CAST({name} AS BINARY)"
    return f"CAST({name} + 0 AS CHAR)" if mapped.kind in _NUMBERED else f"CAST({name} AS CHAR)"


def _raw(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _name(table: TableName) -> bytes:
    return quoted(table.schema, table.name).encode()
