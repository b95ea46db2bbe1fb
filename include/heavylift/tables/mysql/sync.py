"""One bounded run of a stream: apply what the source has committed until now, then leave."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.evidence.records import Finding, Severity, utc_now
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.engine import TablesProgress
from heavylift.tables.model import TableName
from heavylift.tables.mysql.cascades import CascadeAssembler, Cascader, actions_of
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import connect as connect_source
from heavylift.tables.mysql.definitions import Definitions, NewTableError
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.guard import demand_log
from heavylift.tables.mysql.lease import LogLease, Seen
from heavylift.tables.mysql.log import open_log
from heavylift.tables.mysql.position import Place, behind, current_place, log_files, place_from
from heavylift.tables.mysql.snapshot import SnapshotRun
from heavylift.tables.mysql.start import stream_of
from heavylift.tables.mysql.stream import Known, LogStream
from heavylift.tables.mysql.target import Applying
from heavylift.tables.mysql.values import Mender
from heavylift.tables.postgres.applying import apply_all
from heavylift.tables.postgres.guard import demand_valid
from heavylift.tables.postgres.pump import Tally, sync_record
from heavylift.tables.postgres.reader import Reader
from heavylift.tables.postgres.state import StreamPhase, StreamState, TablePhase, names

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.target import Product, Target
    from heavylift.tables.requests import TablesRequest

_WHAT = "applying changes"
_STATE = "what was committed on the target stays, and the position with it"
_MOST_RESTARTS = 5


@dataclass
class StreamRun:
    """A stream that is held by this run; made by :func:`stream_run`."""

    request: TablesRequest
    work: Work
    product: Product
    source: MySession
    control: Target
    lease: LogLease
    begun_at: StreamState
    tally: Tally
    findings: list[Finding] = field(default_factory=list)

    def apply(self, upto: Place | None = None, *, within_seconds: float | None = None) -> Place:
        """Apply everything before ``upto``, by default the end of the log now; return that place."""
        asked_at = utc_now()
        upto = upto or current_place(self.source)[0]
        seconds = [s for s in (within_seconds, self.request.options.max_seconds) if s is not None]
        until = time.monotonic() + min(seconds) if seconds else None
        for _ in range(_MOST_RESTARTS):
            try:
                self._pump(upto, until)
            except NewTableError:
                # Copied as it is now; what the log holds of it before that is left.
                self.take_in_new_tables()
            else:
                break
        if self.tally.reached:
            with self.control.transaction():
                self.control.caught_up(self.lease, upto.number, asked_at)
            self.tally.applied = max(self.tally.applied, upto.number)
        return upto

    def catalog(self) -> dict[TableName, SourceTable]:
        """Return the chosen tables as the source has them now."""
        return {table.name: table for table in self._snapshot().chosen()}

    def take_in_new_tables(self) -> None:
        """Copy tables that the patterns choose and the stream lacks; their earlier changes are left out.

        :raises ConflictError: the spec says to stop where the source's schema changes.
        """
        known = self.control.tables(self.request.stream)
        new = [
            table
            for name, table in self.catalog().items()
            # One that was cut off has been begun, and is no less new.
            if name not in known or known[name].phase is not TablePhase.COPIED
        ]
        if not new:
            return
        if self.request.options.on_schema_change is OnSchemaChange.STOP:
            raise _appeared([table.name for table in new])
        unknown = [table.name for table in new if table.name not in known]
        taken = self.control.claim(self.request.stream, unknown)
        if taken:
            raise _occupied(taken)
        run = self._snapshot()
        run.copy(new, first=False)
        self.findings += run.findings
        self.tally.statements += [f"-- table {table.name} was added" for table in new]
        # Its indexes and foreign keys are still to be made.
        with self.control.transaction():
            self.control.reopen(self.request.stream)

    def complete_schema(self) -> None:
        """Make indexes and foreign keys, once the target is exactly the source at some position."""
        stream = self.request.stream
        if self.control.is_finished(stream):
            return
        tables = self.control.tables(stream)
        if any(self.tally.applied < (table.settled or 0) for table in tables.values()):
            return
        chosen = [table for name, table in self.catalog().items() if name in tables]
        self.findings += self.control.finish(stream, chosen)

    def _snapshot(self) -> SnapshotRun:
        return SnapshotRun(self.request, self.work, self.product, self.source, self.control, self.lease)

    def _pump(self, upto: Place, until: float | None) -> None:
        state = stream_of(self.control, self.request)
        states = self.control.tables(self.request.stream)
        catalog = self.catalog()
        definitions = Definitions(self.request, dict(states), catalog, self.product.retake)
        start = place_from(state.applied or 0, state.slot)
        known = _known(self.request, self.product, states, catalog)
        keys = self.control.keys()
        limit, actions = self.request.options.batch_changes, actions_of(catalog.values())
        back = self.request.reversed().stream
        assembler = CascadeAssembler(start.number, keys, definitions.copied, limit, back, actions)
        connection = self.request.source.connection

        @contextmanager
        def opened() -> Iterator[LogStream]:
            with open_log(connection, start) as events:
                yield LogStream(events, start, upto.number, known.get, definitions, self.lease.seen, back)

        reader = Reader(opened, assembler, upto.number, until, self.work.stop)
        cascader = Cascader(actions, definitions.copied)
        done = self.tally.statements
        given = Applying(self.request, self.lease, states, definitions, catalog, cascader, done)
        with self.product.applier(given) as applier:
            reader.start()
            try:
                apply_all(reader, applier, self.tally, upto.number, lambda: self._tell(upto))
            finally:
                self.tally.retried += applier.retried
                reader.finish()
        self.findings += [_told(line) for line in dict.fromkeys(definitions.told)]

    def _tell(self, upto: Place) -> None:
        tally = self.tally
        done, seconds = tally.kinds.total(), time.monotonic() - tally.began
        self.work.tell(
            TablesProgress(
                step="changes",
                rows_done=done,
                rows_per_second=done / seconds if seconds else 0.0,
                detail=f"at {place_from(tally.applied, self.begun_at.slot)} of {upto},"
                f" {tally.transactions:,} transactions",
            )
        )


@contextmanager
def stream_run(request: TablesRequest, work: Work, product: Product) -> Iterator[StreamRun]:
    """Take hold of a stream for the block, after looking whether it can go on at all.

    :raises NotFoundError: the stream was never begun.
    :raises ConflictError: another run is at it, or its snapshot is not complete.
    :raises PermanentError: the stream is invalid, or the source is another one, or has lost log.
    """
    with (
        product.told_as(_WHAT, _STATE),
        told_as_mysql(_WHAT, _STATE),
        ExitStack() as stack,
    ):
        source = stack.enter_context(closing(connect_source(request.source.connection)))
        control = stack.enter_context(closing(product.connect(request, "lease")))
        stream_of(control, request)
        held = stack.enter_context(control.leased(request.stream))
        state = stream_of(control, request)
        demand_valid(state)
        if state.phase is not StreamPhase.STREAMING:
            raise _still_copying(state)
        demand_log(request, state, source, control)
        tally = Tally(applied=state.applied or 0, applied_at=state.applied_at)
        lease = LogLease(held.stream, held.epoch, Seen())
        yield StreamRun(request, work, product, source, control, lease, state, tally)


def sync_changes(request: TablesRequest, work: Work, product: Product) -> SyncRecord:
    """Apply every transaction that is committed on the source now, and none after.

    Idempotent: the position lies in the target, in the same transactions as the changes. On failure the
    target is at the end of some source transaction, and the next run goes on from there.

    :raises NotFoundError: the stream was never begun.
    :raises ConflictError: another run is at it, or the source's tables have changed in a way that
        cannot be followed.
    :raises PermanentError: the source has lost log that the stream needs.
    :raises TransientError: a server or the network has gone.
    """
    started = utc_now()
    with stream_run(request, work, product) as run:
        run.take_in_new_tables()
        upto = run.apply()
        if run.tally.reached:
            run.complete_schema()
        return _record(run, started, upto)


def _known(
    request: TablesRequest,
    product: Product,
    states: Iterable[TableName],
    catalog: dict[TableName, SourceTable],
) -> dict[TableName, Known]:
    zero_dates = product.policy(request.source.connection).zero_dates
    found = {}
    for number, name in enumerate(states, start=1):
        table = catalog.get(name)
        columns = {each.source.name: each.source for each in table.columns} if table else {}
        mender = Mender(name, table.columns if table else (), zero_dates)
        found[name] = Known(number, columns, mender, product.described)
    return found


def _record(run: StreamRun, started: datetime, upto: Place) -> SyncRecord:
    applied = place_from(run.tally.applied, run.begun_at.slot)
    files = log_files(run.source)
    kept = sum(size for name, size in files.items() if int(name.rpartition(".")[2]) >= applied.file)
    return sync_record(
        run.request,
        run.begun_at,
        run.tally,
        started=started,
        upto=upto.number,
        lag_bytes=behind(run.source, applied),
        retained_bytes=kept,
        findings=run.findings,
    )


def _told(line: str) -> Finding:
    return Finding(rule="definition-not-followed", severity=Severity.WARNING, subject="source", detail=line)


def _still_copying(state: StreamState) -> ConflictError:
    return ConflictError(
        f"going on with stream {state.id!r}",
        got="a snapshot that is not complete",
        expected="a complete snapshot",
        state="nothing was touched; the source's log must reach back until then",
        remedy="run the snapshot again: it goes on where it stopped",
        code="6440",
    )


def _appeared(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "following the source's schema",
        got=f"new tables that the patterns choose: {names(tables)}",
        expected="no change of definitions (on_schema_change: stop)",
        state="no change was applied by this run",
        remedy="exclude them in the spec, or set on_schema_change: apply_safe, which copies them",
        code="6441",
    )


def _occupied(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "taking in tables that the source has got since",
        got=f"tables of their names on the target: {names(tables)}",
        expected="nothing there that the stream has not made",
        state="no change was applied by this run",
        remedy="rename or drop them on the target, or exclude them in the spec; then run this again",
        code="6443",
    )
