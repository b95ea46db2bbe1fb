"""Copies a table that is not there yet: one transaction, from server to server, proved before it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, IntegrityError
from heavylift.platforms.postgresql.pipe import pipe
from heavylift.registry.store.catalog import StoreCatalog, StoreTable, selected
from heavylift.registry.store.digests import TableDigest, table_digest
from heavylift.registry.store.state import Lease, note_table

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.uris import UriMap

REBUILD_FROM_BYTES = 4 * 2**20
"""From this size on, indexes that are made afterwards cost less than indexes kept up row by row."""

LOCK_SECONDS = 5
"""How long to wait for a table that somebody else reads, before its indexes are left as they are."""

PRISTINE = {"experiments": "experiment_id = 0", "workspaces": "name = 'default'"}
"""The rows that a server makes by itself on its first start; they give way to the source's."""

_DEFINITIONS = """
SELECT 'c', conname, pg_get_constraintdef(oid), contype::text FROM pg_constraint
WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u', 'f')
UNION ALL
SELECT 'i', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), '' FROM pg_index i
WHERE i.indrelid = %(table)s::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)
"""


@dataclass(frozen=True)
class Loaded:
    """A table that has arrived."""

    table: str
    digest: TableDigest
    size_bytes: int


@dataclass(frozen=True)
class Sides:
    """Both stores as their catalogs describe them."""

    source: StoreCatalog
    target: StoreCatalog

    @classmethod
    def of(cls, source: StoreCatalog, target: StoreCatalog) -> Sides:
        """Return both, digested the same way."""
        texts = source.hashes_texts or target.hashes_texts
        return cls(replace(source, hashes_texts=texts), replace(target, hashes_texts=texts))


def load_table(
    table: StoreTable,
    sides: Sides,
    uris: UriMap,
    *,
    source: Session,
    target: Session,
    lease: Lease,
    stop: threading.Event,
    moved: Callable[[int], None],
) -> Loaded:
    """Copy a whole table and note it; both sessions are closed by the caller where this fails.

    :param source: reads as of the run's moment.
    :raises IntegrityError: what arrived is not what was read.
    :raises ConflictError: somebody else's rows are in the table.
    """
    target.execute("BEGIN")
    relation = sides.target.relation(table.name)
    _demand_empty(target, sides.target, table)
    rebuilt = _without_indexes(target, relation) if worth_rebuilding(table) else None
    done = pipe(
        source,
        target,
        _reading(sides.source, table, uris).as_bytes(source),
        _writing(relation, table).as_bytes(target),
        stop=stop,
        moved=moved,
    )
    with ThreadPoolExecutor(1) as pool:
        # The source has nothing else to do while the target makes its indexes.
        reading = pool.submit(table_digest, source, sides.source, table, uris)
        if rebuilt is not None:
            rebuilt.make()
        digest = table_digest(target, sides.target, table)
        wanted = reading.result()
    if digest != wanted:
        raise IntegrityError(
            f"copying table {table.name}",
            got=f"{digest.rows} rows of digest {digest} on the target",
            expected=f"{wanted.rows} rows of digest {wanted}, as read from the source",
            state="this table was taken back; those that were finished stay",
            remedy="look for triggers or rules on the target's table that change rows, then run this again",
            code="7122",
        )
    note_table(target, lease, table.name, digest)
    lease.demand(target)
    target.execute("COMMIT")
    return Loaded(table.name, digest, done.size_bytes)


def worth_rebuilding(table: StoreTable) -> bool:
    """Tell whether a table's keys and indexes are made again after its rows are there."""
    # A key that others refer to cannot be taken away without taking theirs.
    return not table.referenced and table.size_bytes >= REBUILD_FROM_BYTES


def _without_indexes(session: Session, relation: sql.Identifier) -> _Indexes | None:
    """Take a table's indexes away; None where that is not to be had: they are then kept up row by row."""
    import psycopg

    if not _owned(session, relation):
        return None
    indexes = _Indexes(session, relation)
    try:
        with session.transaction():
            # Somebody who looks at the table for long must not hold the copy up.
            session.execute(f"SET LOCAL lock_timeout = {int(LOCK_SECONDS * 1000)}".encode())
            indexes.drop()
            session.execute("SET LOCAL lock_timeout = 0")
    except psycopg.errors.LockNotAvailable:
        return None
    return indexes


def _owned(session: Session, relation: sql.Identifier) -> bool:
    """Tell whether the role may take a table's indexes away."""
    row = session.execute(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass",
        [relation.as_string(session)],
    ).fetchone()
    return row == (True,)


def _demand_empty(target: Session, catalog: StoreCatalog, table: StoreTable) -> None:
    from psycopg import sql

    relation = catalog.relation(table.name)
    if table.name in PRISTINE:
        target.execute(sql.SQL("DELETE FROM {} WHERE {}").format(relation, sql.SQL(PRISTINE[table.name])))
    if target.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(relation)).fetchone() is not None:
        raise ConflictError(
            f"copying table {table.name}",
            got="rows on the target that this migration did not write",
            expected="an empty table",
            state="this table is as it was; those that were finished stay",
            remedy="use a new tracking store; while it is filled, nobody may write to the target's server",
            code="7123",
        )


def _reading(catalog: StoreCatalog, table: StoreTable, uris: UriMap) -> sql.Composed:
    from psycopg import sql

    return sql.SQL("COPY (SELECT {} FROM {} t) TO STDOUT (FORMAT binary)").format(
        sql.SQL(", ").join(selected(table, uris)), catalog.relation(table.name)
    )


def _writing(relation: sql.Composable, table: StoreTable) -> sql.Composed:
    from psycopg import sql

    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.written)
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(relation, columns)


class _Indexes:
    """A table's keys and indexes, taken away before a large copy and made again after it.

    All of it is in the copy's transaction: whatever happens, the table never lacks one.
    """

    def __init__(self, session: Session, relation: sql.Identifier) -> None:
        self._session = session
        self._relation = relation
        name = relation.as_string(session)
        rows = session.execute(_DEFINITIONS, {"table": name}).fetchall()
        self._constraints = [(str(a), str(b), str(c)) for kind, a, b, c in rows if kind == "c"]
        self._indexes = [(str(a), str(b)) for kind, a, b, _ in rows if kind == "i"]

    def drop(self) -> None:
        from psycopg import sql

        for name, _, _ in sorted(self._constraints, key=lambda each: each[2] != "f"):
            self._session.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(self._relation, sql.Identifier(name))
            )
        for name, _ in self._indexes:
            # The name is regclass's own text: quoted by the server where it needs to be.
            self._session.execute(f"DROP INDEX {name}".encode())

    def make(self) -> None:
        from psycopg import sql

        self._session.execute("SET LOCAL maintenance_work_mem = '128MB'")
        for _, definition in self._indexes:
            self._session.execute(definition.encode())
        # Keys before the references that hang on them.
        for name, definition, _ in sorted(self._constraints, key=lambda each: each[2] == "f"):
            self._session.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    self._relation,
                    sql.Identifier(name),
                    sql.SQL(definition),
                )
            )
