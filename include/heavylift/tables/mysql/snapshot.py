"""A consistent snapshot of MySQL's tables on the target, from which the binary log goes on without a gap.

Safe to run again after any interruption. What is left is then read as of a later position; a table that
holds ranges of two positions is exact again once the log has been applied up to the later one, because
every row event holds the whole row.
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.evidence.records import Finding, utc_now
from heavylift.evidence.table_records import SnapshotRecord, TableCount
from heavylift.tables.model import TableName, demand_some
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.chosen import chosen_tables
from heavylift.tables.mysql.connect import connect as connect_source
from heavylift.tables.mysql.connect import where
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.guard import demand_log
from heavylift.tables.mysql.lease import mark
from heavylift.tables.mysql.log import birth_of
from heavylift.tables.mysql.moment import Moment, one_moment
from heavylift.tables.mysql.pool import Pool
from heavylift.tables.mysql.position import base_text
from heavylift.tables.mysql.ranges import Range, plan_ranges
from heavylift.tables.mysql.start import ensure_stream, forget, stream_of
from heavylift.tables.mysql.target import Job
from heavylift.tables.postgres.guard import demand_valid
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.state import (
    Lease,
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    names,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.tables.engine import Work
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.target import Product, Target
    from heavylift.tables.requests import TablesRequest

_KEPT = "ranges that were finished are noted on the target and stay"


def snapshot_tables(request: TablesRequest, work: Work, product: Product) -> SnapshotRecord:
    """Copy the chosen tables as of one position of the log, and note that position.

    Idempotency: a complete snapshot is left as it is; one that was cut off goes on, and copies no finished
    range again. On failure nothing is kept on the source; its log must reach back until this is run again.

    :raises PermanentError: the preflight has blockers, or the stream is invalid or has ended.
    :raises TransientError: stopped, or a server went away; run it again.
    """
    began = utc_now()
    what = f"taking the snapshot of database {request.database!r}"
    with (
        product.told_as(what, _KEPT),
        told_as_mysql(what, _KEPT),
        closing(connect_source(request.source.connection)) as source,
        closing(product.connect(request, "snapshot")) as target,
    ):
        if request.options.anew:
            forget(request, target)
        state = target.stream(request.stream)
        if state is not None:
            demand_valid(state)
            if state.phase is StreamPhase.STREAMING:
                return _record(request, target, began, already_complete=True)
        findings = ensure_stream(request, product, source=source, target=target)
        with target.leased(request.stream) as lease:
            run = SnapshotRun(request, work, product, source, target, lease)
            reused = run.run()
        return _record(request, target, began, reused).model_copy(
            update={"findings": (*findings, *run.findings)}
        )


@dataclass
class SnapshotRun:
    """What the steps of one run share; the caller holds the lease and closes the sessions."""

    request: TablesRequest
    work: Work
    product: Product
    source: MySession
    target: Target
    lease: Lease
    findings: list[Finding] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> dict[str, int]:
        """Copy what is missing and make the stream ready; return the ranges reused, by table."""
        tables = self.chosen()
        demand_some(
            (t.name for t in tables), self.request.options.tables, where(self.request.source.connection)
        )
        state = stream_of(self.target, self.request)
        if state.consistent is not None:
            demand_log(self.request, state, self.source, self.target)
        known = self.target.tables(state.id)
        if known:
            tables = tuple(table for table in tables if table.name in known)
            self._demand_same(tables, known)
        ranges = self.target.ranges(state.id)
        reused = {str(n): sum(r.done_at is not None for r in ranges.get(n, ())) for n in known}
        self.copy(tables, first=state.consistent is None)
        self._complete(tables)
        return reused

    def chosen(self) -> tuple[SourceTable, ...]:
        """Return the chosen tables as the source has them now."""
        return chosen_tables(self.request, self.product, self.source, self.target)

    def copy(self, tables: Sequence[SourceTable], *, first: bool) -> None:
        """Copy what is missing of some tables, as of one moment.

        :param first: the stream begins at this moment.
        """
        known = self.target.tables(self.lease.stream)
        left = [t for t in tables if t.name not in known or known[t.name].phase is not TablePhase.COPIED]
        if not left and not first:
            return
        connection = self.request.source.connection
        options = self.request.options
        with one_moment(connection, [t.name for t in tables], options.parallel_ranges, self.work) as moment:
            birth = birth_of(connection, moment.place)
            with self.target.transaction():
                self.target.demand(self.lease)
                jobs = [job for table in left for job in self._jobs(table, moment, known.get(table.name))]
                if first:
                    self._begin(moment, birth)
            rows = sum(max(0, table.table.row_estimate) for table in left)
            pool = Pool(
                moment, self.product, self.request.target.connection, self.lease, self.work, rows or None
            )
            pool.run(jobs, lambda _job: None)
        self._note_copied(left)

    def _begin(self, moment: Moment, birth: str) -> None:
        state = stream_of(self.target, self.request)
        self.target.write_stream(
            replace(
                state,
                slot=base_text(moment.place),
                publication=mark(moment.place.file, birth, moment.gtids),
                consistent=moment.place.number,
                applied=moment.place.number,
            ),
        )

    def _jobs(self, table: SourceTable, moment: Moment, state: TableState | None) -> list[Job]:
        """Return what is left of a table, within the caller's transaction."""
        zero_dates = self.product.policy(self.request.source.connection).zero_dates
        ranges = self.target.ranges(self.lease.stream).get(table.name, ())
        arrived = [each for each in ranges if each.done_at is not None]
        if state is None or not arrived or not table.table.key:
            ranges = self._plan(table, moment, exists=state is not None)
            return [Job(table, each, False, zero_dates) for each in ranges]
        return [Job(table, each, True, zero_dates) for each in ranges if each.done_at is None]

    def _plan(self, table: SourceTable, moment: Moment, *, exists: bool) -> tuple[Range, ...]:
        if exists:
            self.target.empty(table.name)
        else:
            self.findings += self.target.make_table(self.lease.stream, table)
        position = moment.place.number
        state = TableState(table.name, TablePhase.COPYING, table.table.signature, "", copied=position)
        self.target.write_table(self.lease.stream, state)
        ranges = plan_ranges(self.source, table, self.request.options.range_bytes)
        self.target.write_ranges(self.lease.stream, table.name, ranges)
        return ranges

    def _note_copied(self, tables: Sequence[SourceTable]) -> None:
        with self.target.transaction():
            self.target.demand(self.lease)
            known = self.target.tables(self.lease.stream)
            ranges = self.target.ranges(self.lease.stream)
            for table in tables:
                own = ranges[table.name]
                settled = max(each.done_at or 0 for each in own)
                rows = sum(each.rows for each in own)
                state = replace(known[table.name], phase=TablePhase.COPIED, settled=settled, rows=rows)
                self.target.write_table(self.lease.stream, state)

    def _complete(self, tables: Sequence[SourceTable]) -> None:
        """Open the stream, and make the rest of the schema where all tables are of one moment."""
        state = stream_of(self.target, self.request)
        known = self.target.tables(state.id).values()
        if all((each.settled or 0) <= (state.applied or 0) for each in known):
            self.findings += self.target.finish(state.id, tables)
        with self.target.transaction():
            self.target.demand(self.lease)
            self.target.write_stream(replace(state, phase=StreamPhase.STREAMING))

    def _demand_same(self, tables: Sequence[SourceTable], known: dict[TableName, TableState]) -> None:
        changed = [t.name for t in tables if t.table.signature != known[t.name].signature]
        gone = sorted(set(known) - {t.name for t in tables})
        if not changed and not gone:
            return
        raise ConflictError(
            "going on with the snapshot",
            got=f"tables that have changed or gone since it began: {names([*changed, *gone])}",
            expected="the tables as they were planned",
            state=_KEPT,
            remedy="take the snapshot anew (--anew)",
            code="6407",
        )


def _record(
    request: TablesRequest,
    target: Target,
    began: datetime,
    reused: dict[str, int] | None = None,
    *,
    already_complete: bool = False,
) -> SnapshotRecord:
    state: StreamState = stream_of(target, request)
    ranges, tables = target.ranges(state.id), target.tables(state.id)
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
    settled = max((t.settled or 0 for t in tables.values()), default=state.consistent or 0)
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
        already_complete=already_complete,
    )
