"""Stages a store beside the target's tables, so that all that moves and proves stores works on it.

One moment of an SQLite file, or of a MySQL database, is loaded into a schema of its own in the target's
database, and the schema dropped afterwards. What was loaded is read back and compared with what was sent
before anything is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.errors import TransientError, UnsupportedError
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.platforms.postgresql.stopping import demand_going_on
from heavylift.registry.paths import SQLITE, is_staged, stores_of
from heavylift.registry.store.catalog import (
    LEFT_OUT,
    STAGED,
    STAGED_AT,
    STAGED_FROM,
    StoreTable,
    read_catalog,
)
from heavylift.registry.store.making import is_blank
from heavylift.registry.store.mysql_rows import database_rows
from heavylift.registry.store.references import refer, without_parents
from heavylift.registry.store.sqlite_rows import file_rows
from heavylift.registry.work import RegistryProgress, Work

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.connections import Connection
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.store.catalog import StoreCatalog
    from heavylift.registry.store.rows import RowSource

SCHEMA = "heavylift_staging"
_VERSION = "alembic_version"
_LOOKS_UP = 5_000
"""Rows after which it is told how far staging is, and looked whether to stop."""
_REQUIRED = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = %s AND c.relkind = 'r' AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
"""


@contextmanager
def staged(request: RegistryRequest, work: Work | None = None) -> Iterator[RegistryRequest]:
    """Yield the request; where its source is no PostgreSQL, one whose source is the staged snapshot.

    :param work: who is told how far staging is, and may stop it.
    :raises NotFoundError: a side holds no tracking store.
    :raises ConflictError: the source's tables are others than the target's, or hold what its do not take.
    :raises UnsupportedError: the target's database is empty: such a source has no tables to make its like.
    :raises TransientError: another run has staged something there, or the source cannot be read.
    :raises IntegrityError: what was loaded is not what the source holds.
    """
    store = request.source.store
    if store is None or not is_staged(store):
        yield request
        return
    _, target = stores_of(request)
    with (
        told_as(f"staging the store {store.conn_id!r}", "what was staged is dropped by the next run"),
        closing(connect(target, "registry staging")) as session,
    ):
        _hold(session, request)
        if request.options.make_tables and is_blank(session):
            raise _no_tables(request, store)
        try:
            # The source is let go as soon as all of it is here.
            with _rows_of(store) as source:
                _stage(session, source, read_catalog(session, where(target)), request, work or Work())
                found = {
                    STAGED: SCHEMA,
                    STAGED_FROM: source.place,
                    STAGED_AT: source.moment.isoformat(),
                }
            place = replace(target, conn_id=store.conn_id, extra={**target.extra, **found})
            yield replace(request, source=replace(request.source, store=place))
        finally:
            if not session.closed:
                _drop(session)


def _rows_of(store: Connection) -> AbstractContextManager[RowSource]:
    return file_rows(store) if store.conn_type == SQLITE else database_rows(store)


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


def _no_tables(request: RegistryRequest, store: Connection) -> UnsupportedError:
    return UnsupportedError(
        f"making MLflow's tables on the target of registry {request.registry!r}",
        got=f"an empty database, and a source store of type {store.conn_type!r}",
        expected="a source in PostgreSQL, whose definitions can be taken over as they are",
        state="nothing was touched",
        remedy="make the tables with MLflow of the source's version: mlflow db upgrade <the target's database"
        " URL>; then copy without --make-tables",
        code="9597",
    )


def _stage(
    session: Session, source: RowSource, catalog: StoreCatalog, request: RegistryRequest, work: Work
) -> None:
    from psycopg import sql

    there = source.tables(catalog.tables)
    wanted = {name: table for name, table in catalog.tables.items() if name in there}
    _demand_same(source, wanted, there, catalog, request)
    work.tell(RegistryProgress("looking through the source's values", 0, len(wanted)))
    unfit = source.unfit(wanted, _required(session, catalog))
    if unfit:
        raise source.refused(unfit, request)
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
        _load(session, source, _VERSION, there[_VERSION], {}, lambda _row: None)
        for number, (name, table) in enumerate(wanted.items()):
            columns = tuple(column.name for column in table.written)
            kinds = {column.name: column.type_name.partition("(")[0] for column in table.written}
            with told_as(f"staging table {name}", "what was staged is dropped; nothing was written"):
                _load(
                    session, source, name, columns, kinds, partial(_look_up, work, name, number, len(wanted))
                )
            session.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(SCHEMA, name)))
        refer(session, catalog.schema, SCHEMA, wanted)
        if not source.keeps_references:
            orphans = list(without_parents(session, SCHEMA, wanted))
            if orphans:
                raise source.refused(orphans, request)


def _required(session: Session, catalog: StoreCatalog) -> dict[str, frozenset[str]]:
    """Return by table the columns that must have a value."""
    found: dict[str, set[str]] = {}
    for table, column in session.execute(_REQUIRED, [catalog.schema]).fetchall():
        found.setdefault(table, set()).add(column)
    return {table: frozenset(columns) for table, columns in found.items()}


def _demand_same(
    source: RowSource,
    wanted: dict[str, StoreTable],
    there: dict[str, tuple[str, ...]],
    catalog: StoreCatalog,
    request: RegistryRequest,
) -> None:
    wrong = [
        name
        for name, table in wanted.items()
        if {column.name for column in table.written} != set(there[name])
    ]
    # Tables that MLflow has not made stay behind, and are told of by nobody else.
    wrong += sorted(source.others(set(there) - set(wanted) - LEFT_OUT))
    if wrong:
        raise source.differs(
            f"schema at revision {source.revision()}, the target's at {catalog.version}; tables that the"
            f" target lacks or has with other columns: {', '.join(wrong)}",
            request,
        )


def _load(
    session: Session,
    source: RowSource,
    table: str,
    columns: tuple[str, ...],
    kinds: dict[str, str],
    look_up: Callable[[int], None],
) -> None:
    """Load one table and read it back.

    :param look_up: is called now and then with the number of rows so far.
    """
    from psycopg import sql

    relation = sql.Identifier(SCHEMA, table)
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    shapes = [kinds.get(name, "text") for name in columns]
    sent = _Sum(shapes)
    with session.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(relation, listed)) as copy:
        for row in source.rows(table, columns):
            if sent.rows % _LOOKS_UP == 0:
                look_up(sent.rows)
            copy.write_row(row)
            sent.add(row)
    back = _Sum(shapes)
    with session.cursor("heavylift_staged") as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(_reading(relation, columns, shapes)):
            if back.rows % _LOOKS_UP == 0:
                look_up(sent.rows)
            back.add(row)
    if (sent.rows, sent.sum) != (back.rows, back.sum):
        raise source.read_back_otherwise(table, sent.rows, back.rows)


def _look_up(work: Work, table: str, done: int, tables: int, rows: int) -> None:
    demand_going_on(work.stop)
    work.tell(RegistryProgress(f"staging {table}", done, tables, rows))


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


def _drop(session: Session) -> None:
    from psycopg import sql

    session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
