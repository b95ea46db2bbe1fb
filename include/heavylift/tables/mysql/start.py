"""The first steps of a stream, and forgetting it: a row that names it, after a preflight without blockers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.evidence.records import Finding
from heavylift.tables.mysql.connect import is_mariadb, one
from heavylift.tables.mysql.preflight import preflight
from heavylift.tables.postgres.schema_notes import ensure_notes
from heavylift.tables.postgres.snapshot_begin import demand_passed
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    ensure_state,
    leased,
    read_stream,
    read_tables,
    write_stream,
)

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

ENGINE = "binlog"


def system_of(source: MySession) -> str:
    """Return what tells the server from others: MySQL's own id, or MariaDB's number in the replication."""
    if is_mariadb(source):
        return f"mariadb server_id {one(source, 'SELECT @@server_id')}"
    return f"mysql {one(source, 'SELECT @@server_uuid')}"


def ensure_stream(request: TablesRequest, *, source: MySession, target: Session) -> tuple[Finding, ...]:
    """Note the stream on the target where it is not, after a preflight without blockers.

    :return: the preflight's findings; none for a stream that is known.
    :raises ConflictError: the preflight has blockers.
    """
    if read_stream(target, request.stream) is not None:
        ensure_notes(target)
        return ()
    record = preflight(request, source=source, target=target)
    demand_passed(record)
    state = StreamState(
        id=request.stream,
        engine=ENGINE,
        source_system=system_of(source),
        source_timeline=0,
        source_database=request.source.connection.schema or "*",
        slot="",
        publication="",
        phase=StreamPhase.COPYING,
    )
    ensure_state(target)
    ensure_notes(target)
    with target.transaction():
        # Of two that begin at once, the second must not write over what the first has noted since.
        target.execute("SELECT pg_advisory_xact_lock(hashtext('heavylift.state'))")
        if read_stream(target, request.stream) is None:
            write_stream(target, state)
    return record.findings


def forget(request: TablesRequest, target: Session) -> None:
    """Drop the tables that the stream has filled, and all that is noted of it.

    :raises ConflictError: a run is at work on the stream.
    """
    if read_stream(target, request.stream) is None:
        return
    ensure_state(target)
    with leased(target, request.stream) as lease, target.transaction():
        tables = [sql.Identifier(name.schema, name.name) for name in read_tables(target, request.stream)]
        if tables:
            # In one statement, so that foreign keys among them do not matter.
            target.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(", ").join(tables)))
        lease.demand(target)
        target.execute("DELETE FROM heavylift.stream WHERE id = %s", [request.stream])
