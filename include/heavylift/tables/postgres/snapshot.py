"""A consistent snapshot of the chosen tables, from which the stream of changes goes on without a gap.

Safe to run again after any interruption: what is noted on the target is there and is not copied again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.evidence.records import utc_now
from heavylift.evidence.table_records import SnapshotRecord, TableCount
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.copy_progress import SnapshotProgress
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.forget import forget_stream
from heavylift.tables.postgres.guard import demand_valid
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.ranges import read_ranges
from heavylift.tables.postgres.snapshot_begin import ensure_stream
from heavylift.tables.postgres.snapshot_run import SnapshotRun
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    TablePhase,
    leased,
    no_stream,
    read_stream,
    read_tables,
)

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

Tell = Callable[[SnapshotProgress], None]


def snapshot_tables(
    request: TablesRequest,
    *,
    stop: threading.Event | None = None,
    tell: Tell | None = None,
    anew: bool = False,
) -> SnapshotRecord:
    """Copy the chosen tables as they are at one position of the source's log, and note that position.

    Idempotency: a snapshot that is complete is left as it is; one that was cut off goes on, and copies no
    finished range again. On failure the slot stays, and keeps log on the source, until this or
    :func:`~heavylift.tables.postgres.slot.end_stream` is run.

    :param stop: once set, the run ends within seconds, to be resumed.
    :param tell: takes progress, about every two seconds, in the calling thread.
    :param anew: give up an earlier stream, its slot and its tables' rows on the target, and begin again.
    :raises PermanentError: the preflight has blockers, or the stream is invalid or has ended.
    :raises TransientError: stopped, or a server went away; run it again.
    """
    began = utc_now()
    kept = "ranges that were finished are noted on the target and stay"
    with (
        told_as(f"taking the snapshot of database {request.database!r}", kept),
        connect(request.source.connection, "snapshot") as source,
        connect(request.target.connection, "snapshot") as target,
    ):
        if anew:
            forget_stream(request, source=source, target=target)
        state = read_stream(target, request.stream)
        if state is not None:
            demand_valid(state)
        if state is not None and state.phase is StreamPhase.STREAMING:
            return _record(request, target, state, began, already_complete=True)
        findings = ensure_stream(request, source=source, target=target)
        with leased(target, request.stream) as lease:
            run = SnapshotRun(
                request,
                source,
                target,
                lease,
                stop=stop or threading.Event(),
                tell=tell or (lambda _: None),
            )
            reused = run.run()
        state = read_stream(target, request.stream)
        if state is None:
            raise no_stream(request.stream)
        return _record(request, target, state, began, reused, len(run.sequences)).model_copy(
            update={"findings": (*findings, *run.findings)}
        )


def _record(
    request: TablesRequest,
    target: Session,
    state: StreamState,
    began: datetime,
    reused: dict[str, int] | None = None,
    sequences: int = 0,
    *,
    already_complete: bool = False,
) -> SnapshotRecord:
    ranges = read_ranges(target, state.id)
    tables = read_tables(target, state.id)
    counts = tuple(
        TableCount(
            table=str(name),
            rows=table.rows,
            size_bytes=sum(each.size_bytes for each in ranges.get(name, ())),
            ranges=len(ranges.get(name, ())),
            ranges_reused=len(ranges.get(name, ())) if already_complete else (reused or {}).get(str(name), 0),
        )
        for name, table in tables.items()
        if table.phase is TablePhase.COPIED
    )
    settled = max(
        (t.settled for t in tables.values() if t.settled is not None), default=state.consistent or 0
    )
    return SnapshotRecord(
        run=request.run,
        database=request.database,
        direction=request.direction.value,
        engine=state.engine,
        started_at=began,
        ended_at=utc_now(),
        consistent_position=lsn_to_text(state.consistent or 0),
        settled_position=lsn_to_text(settled),
        tables=counts,
        rows=sum(count.rows for count in counts),
        size_bytes=sum(count.size_bytes for count in counts),
        sequences=sequences,
        already_complete=already_complete,
    )
