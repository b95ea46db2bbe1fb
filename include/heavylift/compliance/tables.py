"""Scans tables of a PostgreSQL database: rows drawn by the server, each as likely, seeded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from heavylift.aio import in_thread
from heavylift.compliance.files import Drawn
from heavylift.compliance.gathering import Gathered
from heavylift.compliance.requests import ScanRequest
from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.patterns import selector
from heavylift.platforms.postgresql.connect import Session, connect, where
from heavylift.platforms.postgresql.faults import told_as

Tell = Callable[[tuple[int, int]], None]
FETCH_ROWS = 2_000
LONGEST = 64 * 1024
"""Characters of a value that are looked at; so many are not exceeded by a value's share of memory."""
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%%'
      AND n.nspname NOT LIKE 'pg_temp%%'
    ORDER BY 1, 2
"""
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_NOT_TEXT = frozenset({"boolean", "bytea", "real", "double precision", "oid", "xid", "tsvector"})


async def scan_tables(
    request: ScanRequest, database: Connection, gathered: Gathered, tell: Tell
) -> tuple[Drawn, str]:
    """Read what is drawn of the tables that the request names; return how much, and where.

    Everything is read in one read-only snapshot.

    :raises NotFoundError: no table has such a name.
    :raises CredentialError: the database refuses.
    """

    def work(stop: threading.Event, relay: Tell) -> Drawn:
        return _scan(request, database, gathered, stop, relay)

    return await in_thread(work, tell), where(database)


def _scan(
    request: ScanRequest, database: Connection, gathered: Gathered, stop: threading.Event, tell: Tell
) -> Drawn:
    what = f"scan of {where(database)}"
    session = connect(database, "compliance scan", autocommit=False)
    try:
        with told_as(what, "nothing was changed; there is no record of this scan"):
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            tables = _named(session, request, what)
            units = total = 0
            for schema, table in tables:
                count = _count(session, schema, table)
                read = _rows(session, request, (schema, table), count, gathered, stop)
                units, total = units + read, total + count
                tell((units, total))
            return Drawn(units, total, len(tables), len(tables))
    finally:
        session.close()


def _named(session: Session, request: ScanRequest, what: str) -> list[tuple[str, str]]:
    chosen = selector(request.tables, request.excluded_tables)
    found = [(str(row[0]), str(row[1])) for row in session.execute(_TABLES)]
    named = [each for each in found if chosen(".".join(each))]
    if named:
        return named
    raise NotFoundError(
        what,
        got=f"no table that matches {', '.join(request.tables)}",
        expected=f"one of {len(found)} tables, as schema.table",
        state="nothing was changed",
        remedy="correct the pattern, or grant USAGE of the schema to the role",
        code="8303",
    )


def _count(session: Session, schema: str, table: str) -> int:
    from psycopg import sql

    row = session.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
    return int(row[0]) if row else 0


def _rows(
    session: Session,
    request: ScanRequest,
    table: tuple[str, str],
    count: int,
    gathered: Gathered,
    stop: threading.Event,
) -> int:
    columns = [(str(row[0]), str(row[1])) for row in session.execute(_COLUMNS, table)]
    read = [name for name, kind in columns if kind not in _NOT_TEXT]
    for name, kind in columns:
        if kind in {"bytea", "real", "double precision"}:
            gathered.column(f"{'.'.join(table)}.{name}")
            gathered.leave(f"column of type {kind}", "its values are no text, whole numbers or days")
    if not read:
        return count
    names = [f"{'.'.join(table)}.{name}" for name in read]
    seen = 0
    with session.cursor(name="heavylift_scan") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(_query(request, table, read, count))
        while rows := cursor.fetchmany(FETCH_ROWS):
            if stop.is_set():
                raise InterruptedError
            for name, values in zip(names, zip(*rows, strict=True), strict=True):
                gathered.take(name, [_bytes(value) for value in values], ".".join(table), seen + 1)
            seen += len(rows)
            gathered.bytes_read += sum(len(value or "") for row in rows for value in row)
    return seen


def _query(request: ScanRequest, table: tuple[str, str], columns: Sequence[str], count: int) -> Any:
    """Return the query; rows are drawn one by one, so that the bound holds for them."""
    from psycopg import sql

    fields = sql.SQL(", ").join(
        sql.SQL("pg_catalog.left({}::pg_catalog.text, {})").format(sql.Identifier(name), sql.Literal(LONGEST))
        for name in columns
    )
    query = sql.SQL("SELECT {} FROM {}").format(fields, sql.Identifier(*table))
    # A tenth more than asked for, since chance may draw fewer.
    wanted = request.units * 1.1 + 30
    if request.everything or wanted >= count:
        return query
    sample = sql.SQL(" TABLESAMPLE BERNOULLI ({}) REPEATABLE ({})")
    return query + sample.format(sql.Literal(100 * wanted / count), sql.Literal(request.seed))


def _bytes(value: str | None) -> bytes:
    return value.encode() if value else b""
