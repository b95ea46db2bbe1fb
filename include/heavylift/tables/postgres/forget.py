"""Begins a stream over: gives back what it holds on the source, and takes its tables off the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.postgres.schema_notes import ensure_notes
from heavylift.tables.postgres.slot import drop_publication, drop_slot
from heavylift.tables.postgres.state import Lease, ensure_state, leased, read_stream

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

_MADE = """
SELECT n.nspname, c.relname, c.relkind
FROM heavylift.stream_table t
JOIN pg_namespace n ON n.nspname = t.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
WHERE t.stream = %s AND c.relkind IN ('r', 'p')
"""


def forget_stream(request: TablesRequest, *, source: Session, target: Session) -> None:
    """Drop the stream's slot and publication, its tables on the target, and all that is noted of it.

    Only tables that the stream itself has filled are dropped, and only together: where something else
    depends on one of them, nothing is.

    :raises ConflictError: a run is at work on the stream.
    """
    state = read_stream(target, request.stream)
    if state is None:
        return
    ensure_state(target)
    ensure_notes(target)
    with leased(target, request.stream) as lease:
        drop_slot(source, state.slot)
        drop_publication(source, state.publication)
        rows = target.execute(_MADE, [request.stream]).fetchall()
        with target.transaction():
            _drop(target, [(row[0], row[1]) for row in rows])
            _erase(target, lease)


def _drop(target: Session, tables: Sequence[tuple[str, str]]) -> None:
    if tables:
        # In one statement, so that foreign keys among them do not matter.
        names = sql.SQL(", ").join(sql.Identifier(schema, name) for schema, name in tables)
        target.execute(sql.SQL("DROP TABLE {}").format(names))


def _erase(target: Session, lease: Lease) -> None:
    lease.demand(target)
    target.execute("DELETE FROM heavylift.stream WHERE id = %s", [lease.stream])
