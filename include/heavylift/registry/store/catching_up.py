"""Brings tables that are there to a moment of the source: only rows that differ, in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, IntegrityError
from heavylift.platforms.postgresql.pipe import pipe
from heavylift.registry.store.catalog import StoreTable, selected
from heavylift.registry.store.comparing import Key, differing_rows
from heavylift.registry.store.digests import TableDigest, table_digest
from heavylift.registry.store.state import Lease, note_table
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.requests import RegistryOptions
    from heavylift.registry.store.loading import Sides

_BATCH = 2000


@dataclass
class TableChange:
    """What is done to one table."""

    table: StoreTable
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    kept: int = 0


@dataclass
class CatchUp:
    """One run's changes to tables that are there; sessions are the caller's.

    :param source: reads as of the run's moment.
    :param reading: reads the target as it is before anything is written.
    :param writing: writes to the target, in one transaction.
    :param claim: takes the right to write, once it is known that there is something to write.
    """

    sides: Sides
    options: RegistryOptions
    lease: Lease
    source: Session
    rows_source: Session
    reading: Session
    writing: Session
    stop: threading.Event
    claim: Callable[[], None]
    changes: list[TableChange] = field(default_factory=list)
    written: dict[str, TableDigest] = field(default_factory=dict)

    def run(self, tables: Sequence[StoreTable], rows: dict[str, int]) -> list[TableChange]:
        """Change what differs in the tables, and note their digests; commit all of it or nothing.

        :param tables: those that differ, parents first.
        :param rows: about how many rows each has.
        :raises IntegrityError: afterwards they are not what they should be.
        """
        self.writing.execute("BEGIN")
        self.changes = [self._stage(table, rows.get(table.name, 0)) for table in tables]
        propagate = self.options.deletes is Deletes.PROPAGATE
        if not any(each.inserted or each.updated or (each.kept and propagate) for each in self.changes):
            # Rows that have gone from the source and are kept: they differ, and nothing is to be done.
            self.writing.execute("ROLLBACK")
            return self.changes
        self.claim()
        self.lease.demand(self.writing)
        if propagate:
            for change in reversed(self.changes):
                self._delete(change)
        for change in self.changes:
            self._write(change)
        for change in self.changes:
            self._prove(change)
        self.writing.execute("COMMIT")
        return self.changes

    def _stage(self, table: StoreTable, rows: int) -> TableChange:
        """Find what differs; bring the source's rows, and the keys that have gone, to the target's stage."""
        from psycopg import sql

        change = TableChange(table)
        relation = self.sides.target.relation(table.name)
        for stage, columns in ((_new(table), _columns(table)), (_gone(table), _keys(table))):
            self.writing.execute(
                sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                    stage, columns, relation
                )
            )
        found = differing_rows(
            table, self.sides, self.options.uris, rows, source=self.source, target=self.reading
        )
        fetch: list[Key] = []
        gone: list[Key] = []
        for each in found:
            change.inserted += each.kind == "missing"
            change.updated += each.kind == "different"
            change.kept += each.kind == "extra"
            (gone if each.kind == "extra" else fetch).append(each.key)
            if len(fetch) >= _BATCH:
                self._fetch(table, fetch)
                fetch = []
            if len(gone) >= _BATCH:
                self._note_gone(table, gone)
                gone = []
        self._fetch(table, fetch)
        self._note_gone(table, gone)
        return change

    def _fetch(self, table: StoreTable, keys: list[Key]) -> None:
        from psycopg import sql

        if not keys:
            return
        names = [sql.Identifier(f"k{n}") for n in range(len(table.key))]
        out = sql.SQL("COPY (SELECT {} FROM {} t JOIN ({}) w ({}) ON {}) TO STDOUT (FORMAT binary)").format(
            sql.SQL(", ").join(selected(table, self.options.uris)),
            self.sides.source.relation(table.name),
            _values(table, keys),
            sql.SQL(", ").join(names),
            _and(
                sql.SQL("t.{} = w.{}").format(sql.Identifier(key), name)
                for key, name in zip(table.key, names, strict=True)
            ),
        )
        into = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(_new(table))
        pipe(
            self.rows_source,
            self.writing,
            out.as_bytes(self.rows_source),
            into.as_bytes(self.writing),
            stop=self.stop,
            moved=lambda _bytes: None,
        )

    def _note_gone(self, table: StoreTable, keys: list[Key]) -> None:
        from psycopg import sql

        if keys and self.options.deletes is Deletes.PROPAGATE:
            self.writing.execute(sql.SQL("INSERT INTO {} {}").format(_gone(table), _values(table, keys)))

    def _delete(self, change: TableChange) -> None:
        from psycopg import sql

        if not change.kept:
            return
        done = self.writing.execute(
            sql.SQL("DELETE FROM {} t USING {} g WHERE {}").format(
                self.sides.target.relation(change.table.name),
                _gone(change.table),
                _same_key(change.table, "g"),
            )
        )
        # Fewer where a parent's deletion has taken them along already.
        change.deleted, change.kept = change.kept, 0
        if done.rowcount > change.deleted:
            raise self._wrong(change, f"{done.rowcount} rows deleted", f"at most {change.deleted}")

    def _write(self, change: TableChange) -> None:
        """Update rows first, so that a name that one row gives up is free for another."""
        from psycopg import sql

        table = change.table
        relation = self.sides.target.relation(table.name)
        others = [column.name for column in table.written if column.name not in table.key]
        if change.updated and others:
            self._park(table)
            self.writing.execute(
                sql.SQL("UPDATE {} t SET {} FROM {} n WHERE {}").format(
                    relation,
                    sql.SQL(", ").join(
                        sql.SQL("{0} = n.{0}").format(sql.Identifier(name)) for name in others
                    ),
                    _new(table),
                    _same_key(table, "n"),
                )
            )
        if change.inserted:
            self._insert(table)

    def _insert(self, table: StoreTable) -> None:
        import psycopg
        from psycopg import sql

        relation = self.sides.target.relation(table.name)
        try:
            self.writing.execute(
                sql.SQL(
                    "INSERT INTO {} ({}) SELECT * FROM {} n WHERE NOT EXISTS (SELECT FROM {} t WHERE {})"
                ).format(relation, _columns(table), _new(table), relation, _same_key(table, "n"))
            )
        except psycopg.errors.UniqueViolation as error:
            raise ConflictError(
                f"bringing table {table.name} up to date",
                got="a name that a row kept on the target still has",
                expected="names that are free",
                state="this run was taken back whole; the target is as it was",
                remedy="a thing was deleted on the source and its name given to a new one: let deletions"
                " follow (--deletes propagate), or rename what was kept on the target",
                code="7130",
            ) from error

    def _park(self, table: StoreTable) -> None:
        """Give rows whose unique names change others for a moment: names may go round in a circle."""
        from psycopg import sql

        for name in table.unique_texts:
            if name in table.key:
                continue
            self.writing.execute(
                sql.SQL(
                    "UPDATE {} t SET {} = 'heavylift ' || substr(md5(ROW({})::text), 1, 20) FROM {} n"
                    " WHERE {} AND t.{} IS DISTINCT FROM n.{}"
                ).format(
                    self.sides.target.relation(table.name),
                    sql.Identifier(name),
                    sql.SQL(", ").join(sql.Identifier("t", key) for key in table.key),
                    _new(table),
                    _same_key(table, "n"),
                    sql.Identifier(name),
                    sql.Identifier(name),
                )
            )

    def _prove(self, change: TableChange) -> None:
        """Compare the table with what it should be, before anything is committed."""
        table = change.table
        now = table_digest(self.writing, self.sides.target, table)
        wanted = table_digest(self.source, self.sides.source, table, self.options.uris)
        if (change.kept and now.rows != wanted.rows + change.kept) or (not change.kept and now != wanted):
            raise self._wrong(
                change,
                f"{now.rows} rows of digest {now}",
                f"{wanted.rows} + {change.kept} rows, source's {wanted}",
            )
        self.written[table.name] = now
        note_table(self.writing, self.lease, table.name, now)

    def _wrong(self, change: TableChange, got: str, expected: str) -> IntegrityError:
        return IntegrityError(
            f"bringing table {change.table.name} up to date",
            got=got,
            expected=expected,
            state="this run was taken back whole; the target is as it was",
            remedy="look for triggers, rules or another writer on the target's table, then run this again",
            code="7131",
        )


def _new(table: StoreTable) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier("pg_temp", f"new_{table.name}"[:63])


def _gone(table: StoreTable) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier("pg_temp", f"gone_{table.name}"[:63])


def _columns(table: StoreTable) -> sql.Composable:
    from psycopg import sql

    return sql.SQL(", ").join(sql.Identifier(column.name) for column in table.written)


def _keys(table: StoreTable) -> sql.Composable:
    from psycopg import sql

    return sql.SQL(", ").join(sql.Identifier(name) for name in table.key)


def _same_key(table: StoreTable, other: str) -> sql.Composable:
    from psycopg import sql

    return _and(
        sql.SQL("t.{0} = {1}.{0}").format(sql.Identifier(name), sql.Identifier(other)) for name in table.key
    )


def _and(parts: Iterable[sql.Composable]) -> sql.Composable:
    from psycopg import sql

    return sql.SQL(" AND ").join(parts)


def _values(table: StoreTable, keys: Sequence[Key]) -> sql.Composable:
    """Return a VALUES list of keys, each value cast to its column's type."""
    from psycopg import sql

    types = [sql.SQL(table.column(name).type_name) for name in table.key]
    rows = [
        sql.SQL("({})").format(
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(value), kind)
                for value, kind in zip(key, types, strict=True)
            )
        )
        for key in keys
    ]
    return sql.SQL("VALUES {}").format(sql.SQL(", ").join(rows))
