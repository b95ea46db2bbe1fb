"""Begins a stream over: gives back what it holds on the source, and takes its tables off the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.postgres.quiet import pass_fences
from heavylift.tables.postgres.schema_notes import ensure_notes
from heavylift.tables.postgres.slot import drop_publication, drop_slot
from heavylift.tables.postgres.state import Lease, ensure_state, leased, read_stream

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

# What this stream has made, and tables that were there, empty, before it filled them.
_FILLED = """
SELECT n.nspname, c.relname, coalesce(s.made, false)
FROM heavylift.stream_table t
JOIN pg_namespace n ON n.nspname = t.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
LEFT JOIN LATERAL (
    SELECT bool_or(made) AS made FROM heavylift.stream_schema s
    WHERE s.stream = t.stream AND s.title = format('table %%s.%%s', n.nspname, c.relname)
) s ON true
WHERE t.stream = %s AND c.relkind IN ('r', 'p')
"""
_VIEWS = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = %s AND EXISTS (
    SELECT FROM heavylift.stream_schema s WHERE s.stream = %s AND s.made
        AND s.title = format('%%s %%s.%%s', %s::text, n.nspname, c.relname))
"""


def forget_stream(request: TablesRequest, *, source: Session, target: Session) -> None:
    """Drop the stream's slot and publication, its tables on the target, and all that is noted of it.

    Dropped are only tables and views that the stream itself has made, and only together: where something
    else depends on one of them, nothing is. A table that was there before is emptied of the stream's rows.

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
        # What was filled is emptied, also where it is fenced.
        pass_fences(target)
        with target.transaction():
            for kind, word in (("m", "MATERIALIZED VIEW"), ("v", "VIEW")):
                views = target.execute(_VIEWS, [kind, request.stream, word.lower()]).fetchall()
                _each(target, f"DROP {word}", [(row[0], row[1]) for row in views])
            rows = target.execute(_FILLED, [request.stream]).fetchall()
            # In one statement, so that foreign keys among them do not matter.
            _each(target, "DROP TABLE", [(row[0], row[1]) for row in rows if row[2]])
            _each(target, "TRUNCATE", [(row[0], row[1]) for row in rows if not row[2]])
            _erase(target, lease)


def _each(target: Session, act: str, relations: Sequence[tuple[str, str]]) -> None:
    if relations:
        names = sql.SQL(", ").join(sql.Identifier(schema, name) for schema, name in relations)
        target.execute(sql.Composed([sql.SQL(act + " "), names]))


def _erase(target: Session, lease: Lease) -> None:
    lease.demand(target)
    target.execute("DELETE FROM heavylift.stream WHERE id = %s", [lease.stream])
