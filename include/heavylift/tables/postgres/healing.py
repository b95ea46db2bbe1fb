"""Rows that an update did not find on the target.

After a resumed snapshot the target is, for a while, ahead of the stream in places: ranges were read
later than others. An update that moves a row between two such ranges, and does not repeat a large value,
then finds no row to take that value from. The row is read from the source as it is now; the table counts
as settled only once the stream has come there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import IntegrityError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.fold import Key, Shape
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.state import TableState, write_table
from heavylift.tables.postgres.writer import Missing, spelled

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session


@dataclass(frozen=True)
class Healer:
    """Fetches rows from the source that the target lacks, while a table is not settled.

    :param source: a session of the source, in autocommit mode.
    """

    source: Session
    stream: str
    states: dict[TableName, TableState]
    owner: Callable[[TableName], TableName]

    def __call__(self, session: Session, missing: list[Missing], first_lsn: int) -> None:
        """Put the missing rows on the target, within the caller's transaction.

        :param first_lsn: where the batch's first transaction was committed.
        :raises IntegrityError: the table is settled, so that the row should have been there.
        """
        for each in missing:
            owner = self.owner(each.shape.table)
            state = self.states[owner]
            if first_lsn >= (state.settled or 0) and each.keys:
                raise _diverged(each)
            for key in each.keys:
                self._fetch(session, each.shape, key)
            here = self.source.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
            settled = lsn_from_text(here[0]) if here else 0
            changed = replace(state, settled=max(settled, state.settled or 0))
            write_table(session, self.stream, changed)
            self.states[owner] = changed

    def _fetch(self, session: Session, shape: Shape, key: Key) -> None:
        table = sql.Identifier(shape.table.schema, shape.table.name)
        names = shape.columns
        texts = [value.decode() if value is not None else None for value in key]
        match = sql.SQL(" AND ").join([sql.SQL("{} = %s").format(sql.Identifier(name)) for name in shape.key])
        # Literals of unknown type on the way in, as in a plain INSERT: each takes its column's type.
        row = self.source.execute(
            sql.SQL("SELECT {} FROM {} WHERE {}").format(
                sql.SQL(", ").join([sql.SQL("{}::text").format(sql.Identifier(name)) for name in names]),
                table,
                match,
            ),
            texts,
        ).fetchone()
        if row is None:
            return  # gone since; the stream will say so
        session.execute(
            sql.SQL(
                "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})"
                " ON CONFLICT ({key}) DO NOTHING"
            ).format(
                table=table,
                names=spelled(names),
                values=sql.SQL(", ").join([sql.Literal(value) for value in row]),
                key=spelled(shape.key),
            )
        )


def _diverged(missing: Missing) -> IntegrityError:
    return IntegrityError(
        f"applying changes of {missing.shape.table}",
        got=f"{len(missing.keys)} updated rows that the target does not have",
        expected="the target to hold what the source held",
        state="nothing of this batch was applied; the position stays",
        remedy="somebody else has written to the table on the target: compare it with heavylift tables"
        " verify, then take a new snapshot of it",
        code="6037",
    )
