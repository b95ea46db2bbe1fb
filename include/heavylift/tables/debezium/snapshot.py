"""Filling the target from the connector's own snapshot, which lies in the topics before the changes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import TransientError
from heavylift.evidence.records import Finding, utc_now
from heavylift.evidence.table_records import SnapshotRecord, TableCount
from heavylift.tables.debezium.notes import ensure_notes
from heavylift.tables.debezium.preflight import ENGINE, preflight
from heavylift.tables.debezium.sync import StreamRun, held, system_of
from heavylift.tables.debezium.topics import prefix_of, source_cluster
from heavylift.tables.model import TableName
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.guard import demand_valid
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.preflight_common import warning
from heavylift.tables.postgres.pump import stream_of
from heavylift.tables.postgres.quiet import pass_fences
from heavylift.tables.postgres.snapshot_begin import demand_passed
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    leased,
    read_stream,
    read_tables,
    write_stream,
    write_table,
)

if TYPE_CHECKING:
    from datetime import datetime

    from heavylift.kafka.cluster import Cluster
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

_KEPT = "rows that have arrived stay, and the position with them"


def snapshot_tables(request: TablesRequest, work: Work) -> SnapshotRecord:
    """Apply the connector's snapshot, and whatever the topics hold behind it.

    Idempotency: a complete one is left as it is; one that was cut off goes on at its offsets.

    :raises PermanentError: the preflight has blockers, or the topics have lost records.
    :raises TransientError: the connector is not done yet, or a server went away; run it again.
    """
    began = utc_now()
    with (
        told_as(f"taking the snapshot of database {request.database!r}", _KEPT),
        closing(connect(request.target.connection, "snapshot")) as target,
    ):
        cluster = source_cluster(request.source.connection)
        if request.options.anew:
            _forget(request, target)
        state = read_stream(target, request.stream)
        if state is not None:
            demand_valid(state)
            if state.phase is StreamPhase.STREAMING:
                return _record(request, target, began, already_complete=True)
        findings = _ensure_stream(request, cluster, target)
        with held(request, work) as run:
            run.apply()
            if run.tally.reached:
                findings += _complete(run)
            findings += run.findings()
        return _record(request, target, began).model_copy(update={"findings": findings})


def _ensure_stream(request: TablesRequest, cluster: Cluster, target: Session) -> tuple[Finding, ...]:
    """Note the stream on the target where it is not, after a preflight without blockers."""
    if read_stream(target, request.stream) is not None:
        ensure_notes(target)
        return ()
    record = preflight(request, cluster, target)
    demand_passed(record)
    prefix = prefix_of(request.source.connection)
    state = StreamState(
        id=request.stream,
        engine=ENGINE,
        source_system=system_of(request, cluster),
        source_timeline=0,
        source_database=prefix,
        slot="",
        publication="",
        phase=StreamPhase.COPYING,
        consistent=0,
        applied=0,
    )
    ensure_notes(target)
    with target.transaction():
        # Of two that begin at once, the second must not write over what the first has noted since.
        target.execute("SELECT pg_advisory_xact_lock(hashtext('heavylift.state'))")
        if read_stream(target, request.stream) is None:
            write_stream(target, state)
    return record.findings


def _complete(run: StreamRun) -> tuple[Finding, ...]:
    """Open the stream, once the connector has said that its snapshot is complete; return what is odd of it.

    :raises TransientError: it has not.
    """
    marks = run.marks().values()
    if not any(mark.complete or mark.place is not None for mark in marks):
        raise TransientError(
            f"taking the snapshot of database {run.request.database!r}",
            got="topics without the connector's word that its snapshot is complete",
            expected="its last row, or a change behind it",
            state=_KEPT,
            remedy="wait until the connector's snapshot is done, then run this again: it goes on",
            code="6722",
        )
    with run.control.transaction():
        run.lease.demand(run.control)
        known = read_tables(run.control, run.request.stream)
        for name, table in known.items():
            rows = _rows(run.control, name)
            written = replace(table, phase=TablePhase.COPIED, settled=run.tally.applied, rows=rows)
            write_table(run.control, run.request.stream, written)
        state = stream_of(run.control, run.request)
        write_stream(run.control, replace(state, phase=StreamPhase.STREAMING))
    if any(mark.snapshot is not None for mark in marks):
        return ()
    return (
        warning(
            "no-snapshot", "source",
            "the topics hold changes, but no row that a snapshot read: right only if all tables were empty",
            "compare both sides; where rows are missing, let the connector begin anew with"
            " snapshot.mode=initial under another topic.prefix",
        ),
    )  # fmt: skip


def _forget(request: TablesRequest, target: Session) -> None:
    """Empty the tables that the stream has filled, and drop what is noted of it: their schema is the user's.

    :raises TransientError: a run is at work on the stream.
    """
    if read_stream(target, request.stream) is None:
        return
    ensure_notes(target)
    pass_fences(target)
    with leased(target, request.stream) as lease, target.transaction():
        lease.demand(target)
        known = read_tables(target, request.stream)
        there = [name for name in known if _exists(target, name)]
        if there:
            tables = sql.SQL(", ").join([sql.Identifier(name.schema, name.name) for name in there])
            target.execute(sql.SQL("TRUNCATE {}").format(tables))
        target.execute("DELETE FROM heavylift.stream WHERE id = %s", [request.stream])


def _exists(target: Session, name: TableName) -> bool:
    row = target.execute(
        "SELECT to_regclass(%s) IS NOT NULL", [sql.Identifier(name.schema, name.name).as_string()]
    ).fetchone()
    return bool(row and row[0])


def _rows(session: Session, name: TableName) -> int:
    table = sql.Identifier(name.schema, name.name)
    row = session.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    return int(row[0]) if row else 0


def _record(
    request: TablesRequest, target: Session, began: datetime, *, already_complete: bool = False
) -> SnapshotRecord:
    state = stream_of(target, request)
    position = lsn_to_text(state.applied or 0)
    counts = _counts(read_tables(target, state.id).values())
    return SnapshotRecord(
        run=request.run,
        database=request.database,
        direction=request.direction.value,
        engine=state.engine,
        started_at=began,
        ended_at=utc_now(),
        consistent_position=position,
        settled_position=position,
        tables=counts,
        rows=sum(count.rows for count in counts),
        size_bytes=0,
        already_complete=already_complete,
    )


def _counts(tables: Iterable[TableState]) -> tuple[TableCount, ...]:
    return tuple(
        TableCount(table=str(each.name), rows=each.rows, size_bytes=0, ranges=1)
        for each in tables
        if each.phase is TablePhase.COPIED
    )
