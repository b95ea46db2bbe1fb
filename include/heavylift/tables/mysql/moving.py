"""MySQL and MariaDB to PostgreSQL or to their own kind: the engines that operators and commands call."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from heavylift.evidence.table_records import StreamStatus
from heavylift.tables.mysql import compare as comparing
from heavylift.tables.mysql import drain, snapshot, sync
from heavylift.tables.mysql.back import prepare as back
from heavylift.tables.mysql.connect import connect as connect_source
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.lease import read_mark
from heavylift.tables.mysql.position import behind, current_place, log_files, place_from
from heavylift.tables.mysql.start import stream_of
from heavylift.tables.mysql.to_mysql import MysqlProduct
from heavylift.tables.mysql.to_postgres import PostgresProduct
from heavylift.tables.mysql.twin import reverse
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.state import StreamPhase, TablePhase

if TYPE_CHECKING:
    from heavylift.evidence.table_records import (
        DrainRecord,
        PreflightRecord,
        ReverseRecord,
        SnapshotRecord,
        SyncRecord,
    )
    from heavylift.tables.engine import Comparison, Work
    from heavylift.tables.mysql.target import Product
    from heavylift.tables.requests import TablesRequest

_BYTES_A_CHANGE = 100
"""Log that a row's change takes at least, about."""


class BinlogEngine:
    """Snapshot under one read view, changes by row events; see :class:`TableEngine`."""

    product: ClassVar[Product] = PostgresProduct()

    def preflight(self, request: TablesRequest, work: Work) -> PreflightRecord:
        """Look for what stands in the way; changes nothing on either side."""
        work.check("preflight")
        with (
            closing(connect_source(request.source.connection)) as source,
            closing(self.product.connect(request, "preflight")) as target,
        ):
            return self.product.preflight(request, source, target)

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        """Copy everything as of one position, and begin the stream there; resumable, idempotent."""
        return snapshot.snapshot_tables(request, work, self.product)

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        """Apply what the source has committed until now, then return; resumable, idempotent."""
        return sync.sync_changes(request, work, self.product)

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        """Apply everything up to the source's position now, and advance the numbering of rows."""
        return drain.drain_changes(request, work, self.product, within_seconds=within_seconds)

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        """Compare both databases, inside of both."""
        return comparing.compare_databases(request, work, self.product, frozen=frozen)

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Make the stream that flows back, before anybody may write to the target."""
        return back.prepare_reverse(request, work)

    def status(self, request: TablesRequest) -> StreamStatus:
        """Tell how the stream stands; changes nothing."""
        what = "asking both servers how the stream stands"
        with (
            self.product.told_as(what, "nothing was touched"),
            told_as_mysql(what, "nothing was touched"),
            closing(connect_source(request.source.connection)) as source,
            closing(self.product.connect(request, "status")) as target,
        ):
            state = stream_of(target, request)
            tables = target.tables(request.stream)
            ranges = [each for own in target.ranges(request.stream).values() for each in own]
            here, _ = current_place(source)
            applied = place_from(state.applied, state.slot) if state.applied else None
            files = log_files(source)
            distance = behind(source, applied) if applied else None
            return StreamStatus(
                stream=state.id,
                direction=request.direction.value,
                engine=state.engine,
                state=state.phase.value,
                reason=state.reason,
                applied_position=lsn_to_text(state.applied or 0),
                source_position=lsn_to_text(here.number),
                lag_bytes=distance,
                lag_seconds=_age(distance, state.applied_at, state.caught_up_at),
                lag_rows=None if distance is None else distance // _BYTES_A_CHANGE,
                retained_bytes=distance,
                slot_state="reserved" if applied and applied.file_name in files else "missing",
                tables=len(tables),
                tables_copied=sum(table.phase is TablePhase.COPIED for table in tables.values()),
                ranges=len(ranges),
                ranges_done=sum(each.done_at is not None for each in ranges),
                changes=state.changes,
                details={
                    "applied": str(applied or ""),
                    "source": str(here),
                    "gtid": read_mark(state.publication).get("gtid", ""),
                },
            )

    def end(self, request: TablesRequest) -> StreamStatus:
        """Note that the stream has ended; idempotent. The source holds nothing of it, and the tables stay."""
        with (
            self.product.told_as(f"ending stream {request.stream}", "run this again"),
            closing(self.product.connect(request, "end")) as target,
        ):
            stream_of(target, request)
            with target.leased(request.stream):
                state = stream_of(target, request)
                target.write_stream(replace(state, phase=StreamPhase.ENDED, reason="ended"))
            self.product.end(request)
        return self.status(request)


class TwinEngine(BinlogEngine):
    """The same between two servers of MySQL or MariaDB, also back again."""

    product: ClassVar[Product] = MysqlProduct()

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Make the stream that flows back, before anybody may write to the target."""
        return reverse.prepare_reverse(request, work)


def _age(distance: int | None, *moments: datetime | None) -> float | None:
    """Return the age of the oldest change that may be missing: an upper bound."""
    if distance is None:
        return None
    known = [at for at in moments if at is not None]
    if not distance or not known:
        return 0.0
    return max(0.0, (datetime.now(UTC) - max(known)).total_seconds())
