"""Does to children on a PostgreSQL target what the source's foreign keys did; see :mod:`.cascades`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.model import TableName
from heavylift.tables.mysql.cascades import Values

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.pgoutput import Value


@dataclass(frozen=True)
class PostgresHands:
    """See :class:`heavylift.tables.mysql.cascades.Hands`."""

    session: Session

    def select(
        self, table: TableName, wanted: Sequence[str], columns: Sequence[str], keys: Sequence[Values]
    ) -> list[Values]:
        """Return some columns of rows, as they travel."""
        texts = sql.SQL(", ").join([sql.SQL("{}::text").format(sql.Identifier(name)) for name in wanted])
        found: list[Values] = []
        for key in keys:
            query = sql.SQL("SELECT {} FROM {} WHERE {}").format(texts, _name(table), _equal(columns, key))
            rows = self.session.execute(query).fetchall()
            found += [tuple(None if each is None else each.encode() for each in row) for row in rows]
        return found

    def delete(self, table: TableName, columns: Sequence[str], keys: Sequence[Values]) -> None:
        """Delete rows."""
        for key in keys:
            self.session.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(_name(table), _equal(columns, key))
            )

    def update(
        self, table: TableName, columns: Sequence[str], keys: Sequence[Values], values: Values
    ) -> None:
        """Give rows other values."""
        sets = sql.SQL(", ").join(
            [
                sql.SQL("{} = {}").format(sql.Identifier(name), _literal(value))
                for name, value in zip(columns, values, strict=True)
            ]
        )
        for key in keys:
            self.session.execute(
                sql.SQL("UPDATE {} SET {} WHERE {}").format(_name(table), sets, _equal(columns, key))
            )


def _equal(columns: Sequence[str], key: Values) -> sql.Composed:
    return sql.SQL(" AND ").join(
        [
            sql.SQL("{} = {}").format(sql.Identifier(name), _literal(value))
            for name, value in zip(columns, key, strict=True)
        ]
    )


def _literal(value: Value) -> sql.Literal:
    # A text of unknown type takes its column's.
    return sql.Literal(None if value is None else value.decode())


def _name(table: TableName) -> sql.Identifier:
    return sql.Identifier(table.schema, table.name)
