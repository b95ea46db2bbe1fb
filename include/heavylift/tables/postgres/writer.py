"""Writing one table's folded changes into the target, by sets.

Rows are staged by COPY in a temporary table and then merged by one statement of each kind: deletes
before everything else, so that a unique value may move from a row that goes to one that comes.

Rows that the log has changed are updated, new ones inserted: ``ON CONFLICT DO UPDATE`` locks each row
before it changes it, and writes that to the log of the target. Where the target lacks a row that was
changed, or has one already that is new, the row of the source is there afterwards all the same.

Staged columns are called c0, c1, … in the order of the log's columns, ``m`` marks rows that lack values,
o0, o1, … are the key under which the target's row has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.postgres.copy_text import copy_chunks
from heavylift.tables.postgres.fold import Key, KeyedFold, Partial, Rows, Shape, in_order
from heavylift.tables.postgres.pgoutput import UNCHANGED, Row
from heavylift.tables.postgres.target_table import TargetTable

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

Lacking = list[tuple[Key, Partial]]
"""Rows that lack values, each with its key."""
_numbers = count(1)


@dataclass(frozen=True)
class Missing:
    """Rows that an update should have found on the target, by key."""

    shape: Shape
    keys: tuple[Key, ...]


def spelled(names: Iterable[str]) -> sql.Composed:
    """Return column names for a list in a statement."""
    return sql.SQL(", ").join([sql.Identifier(name) for name in names])


def _joined(pairs: Iterable[sql.Composed], by: str = " AND ") -> sql.Composed:
    return sql.SQL(by).join(list(pairs))


class KeyedWriter:
    """Writes the changes of one table with a key, in one session of the target."""

    def __init__(self, session: Session, shape: Shape, target: TargetTable) -> None:
        self._session = session
        self._shape = shape
        self._columns = [
            (at, name)
            for at, name in enumerate(shape.columns)
            if name in target.columns and not target.columns[name].generated
        ]
        self._key = shape.key
        number = next(_numbers)
        self._goes = sql.Identifier("pg_temp", f"heavylift_d{number}")
        self._comes = sql.Identifier("pg_temp", f"heavylift_u{number}")
        self._changes = sql.Identifier("pg_temp", f"heavylift_c{number}")
        self._table = sql.Identifier(target.name.schema, target.name.name)
        self._only = sql.SQL("" if target.spreads else "ONLY ")
        fixed = {name for name, column in target.columns.items() if column.always}
        self._settable = [(at, name) for at, name in self._columns if name not in self._key]
        self._upserts = target.upserts_by(self._key) and not fixed & {name for _, name in self._settable}
        self._prepare(target)

    def _prepare(self, target: TargetTable) -> None:
        """Make the staging tables and all statements that do not depend on the rows."""

        def typed(prefix: str, places: Iterable[tuple[int, str]]) -> list[sql.Composable]:
            return [sql.SQL(f"{prefix}{at} {target.columns[name].staged_type}") for at, name in places]

        keys = list(enumerate(self._key))
        making = sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DELETE ROWS")
        comes = [sql.SQL("m integer"), *typed("o", keys), *typed("c", self._columns)]
        self._session.execute(making.format(self._goes, sql.SQL(", ").join(typed("c", keys))))
        self._session.execute(making.format(self._comes, sql.SQL(", ").join(comes)))
        self._session.execute(making.format(self._changes, sql.SQL(", ").join(typed("c", self._columns))))
        self._delete = sql.SQL("DELETE FROM {only}{table} t USING {goes} u WHERE {match}").format(
            only=self._only,
            table=self._table,
            goes=self._goes,
            match=_joined(
                sql.SQL("t.{} = u.{}").format(sql.Identifier(name), sql.Identifier(f"c{at}"))
                for at, name in keys
            ),
        )
        self._insert = sql.SQL(
            "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
            " SELECT {staged} FROM {comes} u WHERE m IS NULL"
        ).format(
            table=self._table,
            names=spelled(name for _, name in self._columns),
            staged=self._staged(self._columns),
            comes=self._comes,
        )
        self._upsert = self._insert + self._on_conflict()
        self._updates = self._upserts and bool(self._settable) and not target.spreads
        match = _joined(
            sql.SQL("t.{} = u.{}").format(sql.Identifier(name), sql.Identifier(f"c{at}"))
            for at, name in self._columns
            if name in self._key
        )
        self._update = sql.SQL("UPDATE {only}{table} t SET {sets} FROM {changes} u WHERE {match}").format(
            only=self._only,
            table=self._table,
            sets=_joined(
                (
                    sql.SQL("{} = u.{}").format(sql.Identifier(name), sql.Identifier(f"c{at}"))
                    for at, name in self._settable
                ),
                ", ",
            ),
            changes=self._changes,
            match=match,
        )
        self._insert_lost = sql.SQL(
            "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {staged} FROM {changes} u"
            " WHERE NOT EXISTS (SELECT FROM {only}{table} t WHERE {match})"
        ).format(
            table=self._table,
            names=spelled(name for _, name in self._columns),
            staged=self._staged(self._columns),
            changes=self._changes,
            only=self._only,
            match=match,
        )

    def _on_conflict(self) -> sql.Composed:
        head = sql.SQL(" ON CONFLICT ({}) DO ").format(spelled(self._key))
        if not self._settable:
            return head + sql.SQL("NOTHING")
        sets = _joined(
            (sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for _, name in self._settable),
            ", ",
        )
        return head + sql.SQL("UPDATE SET ") + sets

    def _staged(self, places: Iterable[tuple[int, str]]) -> sql.Composed:
        return sql.SQL(", ").join([sql.Identifier("u", f"c{at}") for at, _ in places])

    def write(self, fold: KeyedFold, *, rewrite: bool = False) -> list[Missing]:
        """Bring the table to where the fold's changes end; return what it should have had but has not.

        :param rewrite: take all touched rows out and put them in again, where values that must be unique
            change places within the batch.
        """
        gone = in_order(key for key, entry in fold.entries.items() if entry is None)
        partial = [(key, entry) for key, entry in fold.entries.items() if isinstance(entry, Partial)]
        rewrite = rewrite or not self._upserts
        missing: list[Key] = []
        filled: Lacking = []
        kept: Lacking = []
        for key, entry in partial:
            (filled if rewrite or entry.origin != key else kept).append((key, entry))
        if filled:
            missing += self._fill(filled)
        if rewrite:
            gone = list(fold.entries)
        if gone:
            self._copy(self._goes, [f"c{at}" for at in range(len(self._key))], gone)
            self._session.execute(self._delete, prepare=True)
        if kept:
            missing += self._update_partly(kept)
        self._put(*fold.parted(), filled=bool(filled), rewrite=rewrite)
        return [Missing(self._shape, tuple(missing))] if missing else []

    def _put(self, comes: Rows, updates: Rows, *, filled: bool, rewrite: bool) -> None:
        """Write whole rows.

        :param comes: rows of new keys.
        :param updates: rows of keys that the table should have.
        :param filled: rows are staged already that are to come, too.
        """
        if rewrite or not self._updates:
            comes, updates = comes + updates, Rows()
        if updates:
            self._stage(self._changes, updates)
            if self._session.execute(self._update, prepare=True).rowcount != len(updates):
                self._session.execute(self._insert_lost)
        if comes:
            self._stage(self._comes, comes)
        if comes or filled:
            self._session.execute(self._insert if rewrite else self._upsert, prepare=True)

    def _stage(self, table: sql.Composable, rows: Rows) -> None:
        """Copy whole rows into a staging table."""
        columns = [f"c{at}" for at, _ in self._columns]
        if len(columns) == len(self._shape.columns):
            self._copy_text(table, columns, rows.spelled())
        else:
            self._copy(table, columns, map(self._picked, rows))

    def clear(self) -> None:
        """Empty the staging tables, for another write in the same transaction."""
        self._session.execute(sql.SQL("TRUNCATE {}, {}, {}").format(self._goes, self._comes, self._changes))

    def _picked(self, row: Row) -> Row:
        return tuple([row[at] for at, _ in self._columns])

    def _copy(self, table: sql.Composable, columns: Sequence[str], rows: Iterable[Row]) -> None:
        self._copy_text(table, columns, copy_chunks(rows))

    def _copy_text(self, table: sql.Composable, columns: Sequence[str], chunks: Iterable[bytes]) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, spelled(columns))
        with self._session.cursor().copy(statement) as copy:
            for chunk in chunks:
                copy.write(chunk)

    def _by_absence(self, entries: Iterable[tuple[Key, Partial]]) -> dict[tuple[int, ...], Lacking]:
        """Group rows by which of their values are missing."""
        groups: dict[tuple[int, ...], Lacking] = {}
        for key, entry in entries:
            absent = tuple(at for at, _ in self._columns if entry.row[at] is UNCHANGED)
            groups.setdefault(absent, []).append((key, entry))
        return groups

    def _stage_partial(self, absent: tuple[int, ...], group: Lacking, mark: int) -> list[tuple[int, str]]:
        """Stage rows that lack the values at ``absent``; return the columns that they have."""
        present = [(at, name) for at, name in self._columns if at not in absent]
        columns = ["m", *(f"o{at}" for at in range(len(self._key))), *(f"c{at}" for at, _ in present)]
        marked = str(mark).encode()
        rows = ((marked, *entry.origin, *[entry.row[at] for at, _ in present]) for _, entry in group)
        self._copy(self._comes, columns, rows)
        return present

    def _origin_match(self) -> sql.Composed:
        return _joined(
            sql.SQL("t.{} = u.{}").format(sql.Identifier(name), sql.Identifier(f"o{at}"))
            for at, name in enumerate(self._key)
        )

    def _update_partly(self, entries: Lacking) -> list[Key]:
        """Update rows in place, so that large values that did not change are not written again."""
        missing: list[Key] = []
        for mark, (absent, group) in enumerate(self._by_absence(entries).items(), start=1):
            present = self._stage_partial(absent, group, mark)
            sets = [(at, name) for at, name in present if name not in self._key]
            if not sets:
                continue
            statement = sql.SQL(
                "UPDATE {only}{table} t SET {sets} FROM {comes} u WHERE u.m = {mark} AND {match}"
            )
            done = self._session.execute(
                statement.format(
                    only=self._only,
                    table=self._table,
                    comes=self._comes,
                    mark=sql.Literal(mark),
                    match=self._origin_match(),
                    sets=_joined(
                        (
                            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("u", f"c{at}"))
                            for at, name in sets
                        ),
                        ", ",
                    ),
                )
            )
            if done.rowcount != len(group):
                missing += self._not_there(mark, group)
        return missing

    def _fill(self, entries: Lacking) -> list[Key]:
        """Stage rows as whole ones, with the values they lack from the target's rows of before."""
        missing: list[Key] = []
        # Apart from the marks of rows that are updated in place.
        for mark, (absent, group) in enumerate(self._by_absence(entries).items(), start=1_000_000):
            self._stage_partial(absent, group, mark)
            places = dict(self._columns)
            sets = [sql.SQL("m = NULL").format()]
            sets += [
                sql.SQL("{} = t.{}").format(sql.Identifier(f"c{at}"), sql.Identifier(places[at]))
                for at in absent
            ]
            statement = sql.SQL(
                "UPDATE {comes} u SET {sets} FROM {only}{table} t WHERE u.m = {mark} AND {match}"
            )
            done = self._session.execute(
                statement.format(
                    only=self._only,
                    table=self._table,
                    comes=self._comes,
                    mark=sql.Literal(mark),
                    match=self._origin_match(),
                    sets=sql.SQL(", ").join(sets),
                )
            )
            if done.rowcount != len(group):
                missing += self._not_there(mark, group)
        return missing

    def _not_there(self, mark: int, group: Lacking) -> list[Key]:
        """Return the keys (as they are now on the source) of rows whose origin the target lacks."""
        texts = sql.SQL(", ").join(
            [sql.SQL("{}::text").format(sql.Identifier("u", f"o{at}")) for at in range(len(self._key))]
        )
        found = self._session.execute(
            sql.SQL(
                "SELECT {texts} FROM {comes} u WHERE u.m = {mark}"
                " AND NOT EXISTS (SELECT FROM {only}{table} t WHERE {match})"
            ).format(
                texts=texts,
                comes=self._comes,
                mark=sql.Literal(mark),
                only=self._only,
                table=self._table,
                match=self._origin_match(),
            )
        ).fetchall()
        lost = {tuple(None if value is None else str(value).encode() for value in row) for row in found}
        return [key for key, entry in group if entry.origin in lost]
