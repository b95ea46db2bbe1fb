"""Stages an SQLite store beside the target's tables, so that all that moves and proves stores works on it.

A snapshot of the file is loaded into a schema of its own in the target's database, and the schema dropped
afterwards. What was loaded is read back and compared with the file before anything is made of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, IntegrityError, TransientError
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.registry.paths import SQLITE, stores_of
from heavylift.registry.store.catalog import LEFT_OUT, STAGED, STAGED_FROM, StoreTable, read_catalog
from heavylift.registry.store.sqlite_file import rows_of, snapshot_of, tables_in
from heavylift.registry.store.unfit import demand_fit

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.store.catalog import StoreCatalog

SCHEMA = "heavylift_staging"
_VERSION = "alembic_version"
_FOREIGN_KEYS = """
SELECT c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND n.nspname = %s ORDER BY 1, k.conname
"""


_REQUIRED = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = %s AND c.relkind = 'r' AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
"""
_SAME_VERSION = (
    "bring both to one version of MLflow: where the target is older, run mlflow db upgrade on it; where the"
    " file is older, make a copy of it (VACUUM INTO 'copy.db' in SQLite's shell), run mlflow db upgrade"
    " sqlite:///copy.db with the target's MLflow, and name the copy as the source's store; through the"
    " interface (--path api) the versions of the schemas are of no matter"
)


@contextmanager
def staged(request: RegistryRequest) -> Iterator[RegistryRequest]:
    """Yield the request; where its source is an SQLite file, one whose source is the staged snapshot.

    :raises NotFoundError: a side holds no tracking store.
    :raises ConflictError: the file's tables are others than the target's, or hold what its do not take.
    :raises TransientError: another run has staged something there, or the file cannot be read.
    :raises IntegrityError: what was loaded is not what the file holds.
    """
    store = request.source.store
    if store is None or store.conn_type != SQLITE:
        yield request
        return
    _, target = stores_of(request)
    with (
        told_as(f"staging the store {store.conn_id!r}", "what was staged is dropped by the next run"),
        snapshot_of(store) as source,
        closing(connect(target, "registry staging")) as session,
    ):
        _hold(session, request)
        try:
            _stage(session, source, read_catalog(session, where(target)), request)
            extra = {**target.extra, STAGED: SCHEMA, STAGED_FROM: store.host or ""}
            place = replace(target, conn_id=store.conn_id, extra=extra)
            yield replace(request, source=replace(request.source, store=place))
        finally:
            if not session.closed:
                _drop(session)


def _hold(session: Session, request: RegistryRequest) -> None:
    row = session.execute("SELECT pg_try_advisory_lock(hashtextextended('heavylift staging', 0))").fetchone()
    if row != (True,):
        raise TransientError(
            f"staging the source of registry {request.registry!r}",
            got="another run that stages a store in the target's database",
            expected="one run at a time",
            state="nothing was touched",
            remedy="wait for the other run, or end it; a run that was killed lets go within two minutes",
            code="9542",
        )


def _stage(
    session: Session, source: sqlite3.Connection, catalog: StoreCatalog, request: RegistryRequest
) -> None:
    from psycopg import sql

    there = tables_in(source)
    wanted = {name: table for name, table in catalog.tables.items() if name in there}
    _demand_same(wanted, there, _versions(source, catalog), request)
    demand_fit(source, wanted, _required(session, catalog), request)
    _drop(session)
    with session.transaction():
        session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        for name in (*wanted, _VERSION):
            session.execute(
                sql.SQL(
                    "CREATE UNLOGGED TABLE {}"
                    " (LIKE {} INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING INDEXES)"
                ).format(sql.Identifier(SCHEMA, name), sql.Identifier(catalog.schema, name))
            )
        _load(session, source, _VERSION, there[_VERSION], {})
        for name, table in wanted.items():
            columns = tuple(column.name for column in table.written)
            kinds = {column.name: column.type_name.partition("(")[0] for column in table.written}
            with told_as(f"staging table {name}", "what was staged is dropped; nothing was written"):
                _load(session, source, name, columns, kinds)
            session.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(SCHEMA, name)))
        _refer(session, catalog, wanted)


def _versions(source: sqlite3.Connection, catalog: StoreCatalog) -> tuple[str, str]:
    rows = source.execute(f"SELECT version_num FROM {_VERSION} ORDER BY 1").fetchall()  # noqa: S608 - its name
    return ",".join(str(row[0]) for row in rows), catalog.version


def _required(session: Session, catalog: StoreCatalog) -> dict[str, frozenset[str]]:
    """Return by table the columns that must have a value."""
    found: dict[str, set[str]] = {}
    for table, column in session.execute(_REQUIRED, [catalog.schema]).fetchall():
        found.setdefault(table, set()).add(column)
    return {table: frozenset(columns) for table, columns in found.items()}


def _demand_same(
    wanted: dict[str, StoreTable],
    there: dict[str, tuple[str, ...]],
    versions: tuple[str, str],
    request: RegistryRequest,
) -> None:
    wrong = [
        name
        for name, table in wanted.items()
        if {column.name for column in table.written} != set(there[name])
    ]
    # Tables that neither MLflow nor SQLite itself has made stay behind, and are told of by nobody else.
    wrong += sorted(name for name in set(there) - set(wanted) - LEFT_OUT if not name.startswith("sqlite_"))
    if wrong:
        raise ConflictError(
            f"staging the source of registry {request.registry!r}",
            got=f"the file's schema at revision {versions[0]}, the target's at {versions[1]}; tables that the"
            f" target lacks or has with other columns: {', '.join(wrong)}",
            expected="the same tables on both sides",
            state="nothing was touched",
            remedy=_SAME_VERSION,
            code="9543",
        )


def _load(
    session: Session, source: sqlite3.Connection, table: str, columns: tuple[str, ...], kinds: dict[str, str]
) -> None:
    """Load one table and read it back."""
    from psycopg import sql

    relation = sql.Identifier(SCHEMA, table)
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    shapes = [kinds.get(name, "text") for name in columns]
    sent = _Sum(shapes)
    with session.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(relation, listed)) as copy:
        for row in rows_of(source, table, columns):
            copy.write_row(row)
            sent.add(row)
    back = _Sum(shapes)
    with session.cursor("heavylift_staged") as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(_reading(relation, columns, shapes)):
            back.add(row)
    if (sent.rows, sent.sum) != (back.rows, back.sum):
        raise IntegrityError(
            f"staging table {table}",
            got=f"{back.rows} rows that read back otherwise than they were sent",
            expected=f"the file's {sent.rows} rows",
            state="what was staged is dropped; the target's own tables were not touched",
            remedy="look for values that SQLite takes and PostgreSQL does not, such as texts in a column of"
            " numbers; mend them on a copy of the file, and name that as the source's store",
            code="9544",
        )


def _reading(relation: sql.Identifier, columns: tuple[str, ...], shapes: list[str]) -> sql.Composed:
    from psycopg import sql

    listed = [
        sql.SQL("{}::text" if kind in {"json", "jsonb"} else "{}").format(sql.Identifier(name))
        for name, kind in zip(columns, shapes, strict=True)
    ]
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(listed), relation)


class _Sum:
    """Rows and the sum of their hashes, of values as the target's types tell them."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._forms = [_FORMS.get(kind, str) for kind in kinds]
        self.rows = 0
        self.sum = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row."""
        self.rows += 1
        try:
            values = [None if v is None else form(v) for form, v in zip(self._forms, row, strict=True)]
        except (TypeError, ValueError):
            # A text among numbers, say: the target refuses it, or reads something else back.
            values = list(row)
        self.sum += hash(repr(values))


_FORMS = {
    "bigint": int,
    "integer": int,
    "smallint": int,
    "boolean": bool,
    "double precision": float,
    "real": float,
    "bytea": bytes,
}


def _refer(session: Session, catalog: StoreCatalog, wanted: dict[str, StoreTable]) -> None:
    """Give the staged tables the references by which they are moved in order; rows are not checked again."""
    from psycopg import sql

    path = sql.SQL("SET LOCAL search_path = {}, pg_catalog")
    session.execute(path.format(sql.Identifier(catalog.schema)))
    found = session.execute(_FOREIGN_KEYS, [catalog.schema]).fetchall()
    session.execute(path.format(sql.Identifier(SCHEMA)))
    for table, definition in found:
        if table in wanted:
            # The server's own words for the constraint.
            session.execute(
                sql.SQL("ALTER TABLE {} ADD {} NOT VALID").format(
                    sql.Identifier(SCHEMA, table), sql.SQL(definition)
                )
            )


def _drop(session: Session) -> None:
    from psycopg import sql

    session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
