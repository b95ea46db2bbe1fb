"""Writing the changes of a table whose rows have no key: so many like this come, so many go."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from psycopg import sql

from heavylift.errors import IntegrityError
from heavylift.tables.postgres.copy_text import copy_chunks
from heavylift.tables.postgres.fold import KeylessFold, Shape
from heavylift.tables.postgres.target_table import TargetTable
from heavylift.tables.postgres.writer import Missing, spelled

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_numbers = count(1)


class KeylessWriter:
    """Writes the changes of one table whose rows have no key."""

    def __init__(self, session: Session, shape: Shape, target: TargetTable) -> None:
        self._session = session
        self._shape = shape
        self._columns = [
            (at, name)
            for at, name in enumerate(shape.columns)
            if name in target.columns and not target.columns[name].generated
        ]
        self._staged = sql.Identifier("pg_temp", f"heavylift_k{next(_numbers)}")
        self._table = sql.Identifier(target.name.schema, target.name.name)
        self._only = sql.SQL("" if target.spreads else "ONLY ")
        typed = [sql.SQL(f"c{at} {target.columns[name].staged_type}") for at, name in self._columns]
        session.execute(
            sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DELETE ROWS").format(
                self._staged, sql.SQL(", ").join([sql.SQL("i integer"), sql.SQL("n integer"), *typed])
            )
        )

    def write(self, fold: KeylessFold, *, rewrite: bool = False) -> list[Missing]:
        """Add and take away as many of each row as the fold says.

        :raises IntegrityError: the target has fewer such rows than must go.
        """
        del rewrite  # rows have no unique values to exchange
        rows = [(row, times) for row, times in fold.counts.items() if times]
        if not rows:
            return []
        columns = ["i", "n", *(f"c{at}" for at, _ in self._columns)]
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(self._staged, spelled(columns))
        staged = (
            (str(i).encode(), str(times).encode(), *[row[at] for at, _ in self._columns])
            for i, (row, times) in enumerate(rows)
        )
        with self._session.cursor().copy(statement) as copy:
            for chunk in copy_chunks(staged):
                copy.write(chunk)
        goes = -sum(times for _, times in rows if times < 0)
        if goes:
            self._take_away(goes)
        if any(times > 0 for _, times in rows):
            self._add()
        return []

    def clear(self) -> None:
        """Empty the staging table, for another write in the same transaction."""
        self._session.execute(sql.SQL("TRUNCATE {}").format(self._staged))

    def _take_away(self, goes: int) -> None:
        # Rows are found by their text, which every type has; equality not all of them have.
        here = sql.SQL("ROW({})::text").format(
            sql.SQL(", ").join([sql.Identifier("t", name) for _, name in self._columns])
        )
        staged = sql.SQL("ROW({})::text").format(
            sql.SQL(", ").join([sql.Identifier("u", f"c{at}") for at, _ in self._columns])
        )
        statement = sql.SQL(
            "DELETE FROM {only}{table} WHERE (tableoid, ctid) IN (SELECT r.tableoid, r.ctid FROM ("
            "SELECT t.tableoid, t.ctid, -u.n AS n,"
            " row_number() OVER (PARTITION BY u.i ORDER BY t.ctid) AS nth"
            " FROM {only}{table} t JOIN {staged_in} u ON {here} = {staged} WHERE u.n < 0) r"
            " WHERE r.nth <= r.n)"
        ).format(only=self._only, table=self._table, staged_in=self._staged, here=here, staged=staged)
        self._session.execute("SET LOCAL enable_hashjoin = on")
        done: Any = self._session.execute(statement)
        self._session.execute("SET LOCAL enable_hashjoin = off")
        if done.rowcount != goes:
            raise IntegrityError(
                f"applying changes of {self._shape.table}",
                got=f"{done.rowcount} of {goes} rows that should go",
                expected="the target to hold what the source held",
                state="nothing of this batch was applied; the position stays",
                remedy="somebody else has written to the table on the target: compare it with"
                " heavylift tables verify, then take a new snapshot of it",
                code="6036",
            )

    def _add(self) -> None:
        statement = sql.SQL(
            "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
            " SELECT {values} FROM {staged} u, generate_series(1, u.n) WHERE u.n > 0"
        )
        if not self._columns:
            statement = sql.SQL(
                "INSERT INTO {table} SELECT FROM {staged} u, generate_series(1, u.n) WHERE u.n > 0"
            )
        self._session.execute(
            statement.format(
                table=self._table,
                names=spelled(name for _, name in self._columns),
                values=sql.SQL(", ").join([sql.Identifier("u", f"c{at}") for at, _ in self._columns]),
                staged=self._staged,
            )
        )
