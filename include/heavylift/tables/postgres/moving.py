"""PostgreSQL to PostgreSQL by our own capture of changes: the engine that operators and commands call."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from heavylift.tables.engine import TablesProgress
from heavylift.tables.postgres import compare as comparing
from heavylift.tables.postgres import drain, preflight, reverse, snapshot, status, sync
from heavylift.tables.postgres.apply import drop_origin
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.slot import end_stream

if TYPE_CHECKING:
    from heavylift.evidence.table_records import (
        DrainRecord,
        PreflightRecord,
        ReverseRecord,
        SnapshotRecord,
        StreamStatus,
        SyncRecord,
    )
    from heavylift.tables.engine import Comparison, Work
    from heavylift.tables.postgres.copy_progress import SnapshotProgress
    from heavylift.tables.requests import TablesRequest


class ChangesEngine:
    """Snapshot by COPY, changes by pgoutput, position in the target; see :class:`TableEngine`."""

    def preflight(self, request: TablesRequest, work: Work) -> PreflightRecord:
        """Look for what stands in the way; changes nothing on either side."""
        work.check("preflight")
        with (
            closing(connect(request.source.connection, "preflight")) as source,
            closing(connect(request.target.connection, "preflight")) as target,
        ):
            return preflight.preflight(request, source=source, target=target)

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        """Copy everything as of one position, and begin the stream there; resumable, idempotent."""
        return snapshot.snapshot_tables(
            request, stop=work.stop, tell=lambda seen: work.tell(_progress(seen)), anew=request.options.anew
        )

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        """Apply what the source has committed until now, then return; resumable, idempotent."""
        return sync.sync_changes(request, work)

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        """Apply everything up to the source's position now, and advance the sequences."""
        return drain.drain_changes(request, work, within_seconds=within_seconds)

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        """Compare both databases, inside of both."""
        return comparing.compare_databases(request, work, frozen=frozen)

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Make the stream that flows back, before anybody may write to the target."""
        return reverse.prepare_reverse(request, work)

    def status(self, request: TablesRequest) -> StreamStatus:
        """Tell how the stream of this direction stands; changes nothing."""
        return status.stream_status(request)

    def end(self, request: TablesRequest) -> StreamStatus:
        """Give back what the stream holds on either side; idempotent. The tables stay."""
        end_stream(request)
        with closing(connect(request.target.connection, "end")) as target:
            drop_origin(target, request.stream)
        return status.stream_status(request)


def _progress(seen: SnapshotProgress) -> TablesProgress:
    return TablesProgress(
        step=seen.step,
        rows_done=seen.rows,
        bytes_done=seen.size_bytes,
        seconds_left=seen.seconds_left,
        detail=str(seen),
    )
