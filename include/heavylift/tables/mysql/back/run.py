"""One bounded run of the way back from PostgreSQL to MySQL, and the last one before a rollback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, utc_now
from heavylift.evidence.table_records import DrainRecord, SyncRecord
from heavylift.tables.engine import TablesProgress
from heavylift.tables.model import Table, TableName
from heavylift.tables.mysql.back.apply import open_back_applier
from heavylift.tables.mysql.cascades import Cascader
from heavylift.tables.mysql.catalog import SourceTable, read_source
from heavylift.tables.mysql.connect import policy_of
from heavylift.tables.mysql.definitions import Definitions
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.guard import mark_invalid
from heavylift.tables.mysql.lease import LogLease, Seen
from heavylift.tables.mysql.start import stream_of
from heavylift.tables.mysql.target import Applying
from heavylift.tables.mysql.twin.target import TwinTarget, open_twin
from heavylift.tables.postgres.applying import apply_all
from heavylift.tables.postgres.batches import Assembler
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.guard import demand_same_source, demand_valid, watch_slot
from heavylift.tables.postgres.left_out import left_out
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.pump import Tally, still_written, sync_record
from heavylift.tables.postgres.reader import Reader
from heavylift.tables.postgres.replication import identify
from heavylift.tables.postgres.slot import slot_status
from heavylift.tables.postgres.state import StreamState, TableState
from heavylift.tables.postgres.sync import position_of
from heavylift.tables.postgres.wal_stream import replication_stream

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

WHAT = "applying changes on the way back"
_STATE = "what was committed stays, and the position with it"


@dataclass
class BackRun:
    """The stream, held by this run; made by :func:`back_run`.

    :param source: a session of PostgreSQL, the migration's target.
    :param control: one of MySQL, the migration's source, where the stream's state lies.
    """

    request: TablesRequest
    work: Work
    source: Session
    control: TwinTarget
    lease: LogLease
    begun_at: StreamState
    tally: Tally
    findings: list[Finding] = field(default_factory=list)

    def apply(self, upto: int | None = None, *, within_seconds: float | None = None) -> int:
        """Apply everything before ``upto``, by default the log's end now; return that position."""
        asked_at = utc_now()
        upto = position_of(self.source) if upto is None else upto
        seconds = [s for s in (within_seconds, self.request.options.max_seconds) if s is not None]
        self._pump(upto, time.monotonic() + min(seconds) if seconds else None, asked_at)
        return upto

    def _note(self, upto: int, asked_at: datetime) -> None:
        """Note that nothing before ``upto`` is missing, so that idle times move the position too."""
        with self.control.transaction():
            self.control.caught_up(self.lease, upto, asked_at)
        self.tally.applied = max(self.tally.applied, upto)

    def known(self) -> dict[TableName, TableState]:
        """Return the stream's tables."""
        return self.control.tables(self.request.stream)

    def tables(self) -> list[Table]:
        """Return the stream's tables as PostgreSQL has them."""
        known = self.known()
        return [table for table in read_catalog(self.source, ("*.*",)) if table.name in known]

    def _pump(self, upto: int, until: float | None, asked_at: datetime) -> None:
        request, states = self.request, self.known()
        state = stream_of(self.control, request)
        start = state.applied or 0
        definitions = Definitions(request, dict(states), {}, lambda _stream, _tables: "")
        reader = Reader(
            lambda: replication_stream(request.source.connection, state.slot, state.publication, start),
            Assembler(
                start,
                self.control.keys(),
                definitions.copied,
                request.options.batch_changes,
                request.reversed().stream,
            ),
            upto,
            until,
            self.work.stop,
        )
        # PostgreSQL's log tells what foreign keys have done, row by row.
        cascader = Cascader({}, definitions.copied)
        given = Applying(request, self.lease, states, definitions, {}, cascader, self.tally.statements)
        types = {table.name: _types(table, states[table.name]) for table in self.tables()}
        with open_back_applier(given, policy_of(request.target.connection), types) as applier:
            reader.start()
            try:
                apply_all(
                    reader,
                    applier,
                    self.tally,
                    upto,
                    lambda: self._tell(upto),
                    lambda: self._note(upto, asked_at),
                )
            finally:
                self.tally.retried += applier.retried
                applier.give_up()
                reader.finish()

    def _tell(self, upto: int) -> None:
        done, seconds = self.tally.kinds.total(), time.monotonic() - self.tally.began
        self.work.tell(
            TablesProgress(
                step="changes",
                rows_done=done,
                rows_per_second=done / seconds if seconds else 0.0,
                lag_bytes=max(0, upto - self.tally.applied),
                detail=f"at {lsn_to_text(self.tally.applied)}, {self.tally.transactions:,} transactions",
            )
        )


@contextmanager
def back_run(request: TablesRequest, work: Work) -> Iterator[BackRun]:
    """Take hold of the stream for the block, after looking whether it can go on at all.

    :raises NotFoundError: it was never prepared.
    :raises TransientError: another run is at it.
    :raises PermanentError: it is invalid, the server is another one, or log is lost.
    """
    with told_as(WHAT, _STATE), told_as_mysql(WHAT, _STATE), ExitStack() as stack:
        source = stack.enter_context(closing(connect(request.source.connection, "changes")))
        control = stack.enter_context(closing(open_twin(request)))
        stream_of(control, request)
        held = stack.enter_context(control.leased(request.stream))
        state = stream_of(control, request)
        demand_valid(state)
        demand_same_source(_with_identity(state), identify(request.source.connection))
        known = control.tables(request.stream)
        watch_slot(request, state, source, known, lambda reason: mark_invalid(control, state, reason))
        tally = Tally(applied=state.applied or 0, applied_at=state.applied_at)
        lease = LogLease(held.stream, held.epoch, Seen())
        findings = list(left_out(request, source, known))
        yield BackRun(request, work, source, control, lease, state, tally, findings)


def _types(table: Table, noted: TableState) -> dict[str, int]:
    """Return the numbers of the types that columns still have since the way back was prepared."""
    known = {(name, type_name) for name, type_name, _ in noted.signature}
    return {each.name: each.type_oid for each in table.columns if (each.name, each.type_name) in known}


def system_text(system: str, timeline: int) -> str:
    """Return what names a server in one of its lives, where there is one place for both."""
    return f"{system}@{timeline}"


def _with_identity(state: StreamState) -> StreamState:
    system, _, timeline = state.source_system.partition("@")
    return replace(state, source_system=system, source_timeline=int(timeline or 0))


def sync_changes(request: TablesRequest, work: Work) -> SyncRecord:
    """Apply every transaction that is committed on the target now, and none after; idempotent."""
    started = utc_now()
    with back_run(request, work) as run:
        upto = run.apply()
        status = slot_status(run.source, run.begun_at.slot)
        return sync_record(
            request,
            run.begun_at,
            run.tally,
            started=started,
            upto=upto,
            lag_bytes=max(0, position_of(run.source) - run.tally.applied),
            retained_bytes=status.retained_bytes if status else 0,
            findings=run.findings,
        )


def drain_changes(request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
    """Apply everything that is committed on the target now, and number rows ahead of its own; idempotent.

    :param within_seconds: not reaching the position in this time is told by the record, not raised.
    """
    started, clock = utc_now(), time.monotonic()
    with back_run(request, work) as run:
        upto = run.apply(within_seconds=within_seconds)
        numbers: dict[str, int] = {}
        if run.tally.reached:
            before = run.tally.kinds.total()
            run.apply(within_seconds=max(within_seconds - (time.monotonic() - clock), 1.0))
            if run.tally.kinds.total() > before:
                run.findings.append(still_written(request.database, run.tally.kinds.total() - before))
        if run.tally.reached:
            numbers = _advance(run)
            run.control.wake_triggers(request.stream)
        return DrainRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            started_at=started,
            upto_position=lsn_to_text(upto),
            applied_position=lsn_to_text(run.tally.applied),
            reached=run.tally.reached,
            sequences=numbers,
            seconds=time.monotonic() - clock,
            findings=tuple(run.findings),
        )


def mysql_tables(run_or_target: TwinTarget, request: TablesRequest) -> list[SourceTable]:
    """Return the stream's tables as MySQL has them, mapped as the way there has mapped them."""
    known = run_or_target.tables(request.stream)
    policy = policy_of(request.target.connection)
    return [table for table in read_source(run_or_target.session, policy, ["*.*"]) if table.name in known]


def _advance(run: BackRun) -> dict[str, int]:
    from psycopg import sql

    done = {}
    with run.control.transaction():
        run.control.demand(run.lease)
        for table in mysql_tables(run.control, run.request):
            if not table.automatic:
                continue
            query = sql.SQL("SELECT coalesce(max({}), 0) FROM {}").format(
                sql.Identifier(table.automatic), sql.Identifier(table.name.schema, table.name.name)
            )
            row = run.source.execute(query).fetchone()
            highest = max(int(row[0]) if row else 0, table.next_number - 1)
            name, value = run.control.advance_numbering(table, highest)
            done[name] = value
    return done
