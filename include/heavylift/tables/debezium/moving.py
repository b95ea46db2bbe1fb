"""Any database that Debezium reads, to PostgreSQL: the engine that operators and commands call."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import UnsupportedError
from heavylift.evidence.records import utc_now
from heavylift.evidence.table_records import StreamStatus
from heavylift.tables.debezium import comparing, drain, preflight, snapshot, sync
from heavylift.tables.debezium.notes import read_marks, total
from heavylift.tables.debezium.topics import (
    LostRecordsError,
    chosen_topics,
    demand_whole,
    ends_of,
    source_cluster,
)
from heavylift.tables.postgres.apply import drop_origin
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.pump import stream_of
from heavylift.tables.postgres.state import StreamPhase, TablePhase, leased, read_tables, write_stream

if TYPE_CHECKING:
    from heavylift.evidence.table_records import (
        DrainRecord,
        PreflightRecord,
        ReverseRecord,
        SnapshotRecord,
        SyncRecord,
    )
    from heavylift.tables.engine import Comparison, Work
    from heavylift.tables.requests import TablesRequest


class DebeziumEngine:
    """Snapshot and changes by a connector, from topics; see :class:`TableEngine`."""

    def preflight(self, request: TablesRequest, work: Work) -> PreflightRecord:
        """Look for what stands in the way; changes nothing on either side."""
        work.check("preflight")
        return preflight.preflight_alone(request)

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        """Apply the connector's snapshot, and begin the stream behind it; resumable, idempotent."""
        return snapshot.snapshot_tables(request, work)

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        """Apply what the topics hold now, then return; resumable, idempotent."""
        return sync.sync_changes(request, work)

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        """Apply everything that the topics hold, and advance the numbering of rows."""
        return drain.drain_changes(request, work, within_seconds=within_seconds)

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        """Compare the source database itself with the target, inside of both."""
        return comparing.compare_databases(request, work, frozen=frozen)

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Refuse: a connector reads, and does not write.

        :raises UnsupportedError: always.
        """
        del work
        raise UnsupportedError(
            f"preparing the way back of database {request.database!r}",
            got=f"PostgreSQL to {request.source.engine.value} by Debezium",
            expected="a source that Heavylift writes to by itself",
            state="nothing was touched",
            remedy="set reverse: false for this database, and keep the source as it is until the soak ends: a"
            " rollback then loses what was written after the switch, unless the application writes to both",
            code="6725",
        )

    def status(self, request: TablesRequest) -> StreamStatus:
        """Tell how the stream stands, in records; changes nothing."""
        with (
            told_as("asking the target how the stream stands", "nothing was touched"),
            closing(connect(request.target.connection, "status")) as target,
        ):
            state = stream_of(target, request)
            tables = read_tables(target, request.stream)
            marks = read_marks(target, request.stream)
        cluster = source_cluster(request.source.connection)
        topics = chosen_topics(request, cluster)
        ends = ends_of(cluster, {name: topic for name, topic in topics.items() if topic.partitions == 1})
        left = max(0, ends.position - total(marks.values()))
        try:
            demand_whole(marks, topics, ends)
            whole = "reserved"
        except LostRecordsError:
            whole = "lost"
        age = (utc_now() - state.applied_at).total_seconds() if state.applied_at else 0.0
        return StreamStatus(
            stream=state.id,
            direction=request.direction.value,
            engine=state.engine,
            state=state.phase.value,
            reason=state.reason,
            applied_position=lsn_to_text(state.applied or 0),
            source_position=lsn_to_text(ends.position),
            lag_seconds=max(0.0, age) if left else 0.0,
            lag_rows=left,
            slot_state=whole,
            tables=len(tables),
            tables_copied=sum(table.phase is TablePhase.COPIED for table in tables.values()),
            changes=state.changes,
            details={
                name: f"record {mark.offset} of {ends.end.get(name, 0)}" for name, mark in marks.items()
            },
        )

    def end(self, request: TablesRequest) -> StreamStatus:
        """Note that the stream has ended; idempotent. Connector and topics are not ours, and stay."""
        with (
            told_as(f"ending stream {request.stream}", "run this again"),
            closing(connect(request.target.connection, "end")) as target,
        ):
            stream_of(target, request)
            with leased(target, request.stream):
                state = stream_of(target, request)
                write_stream(target, replace(state, phase=StreamPhase.ENDED, reason="ended"))
            drop_origin(target, request.stream)
        return self.status(request)
