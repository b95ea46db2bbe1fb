"""One bounded run of a stream: apply what the source has committed until now, then leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, TransientError
from heavylift.evidence.records import Finding, utc_now
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.model import TableName, is_chosen
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.guard import demand_valid, guard, settle_source
from heavylift.tables.postgres.left_out import left_out
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.partitions import (
    demand_same_parts,
    detached,
    new_parts,
    passed_parts,
    roots_of,
    unattached,
)
from heavylift.tables.postgres.pump import NEVER, Pump, RunSessions, Tally, stream_of, sync_record
from heavylift.tables.postgres.quiet import quieten
from heavylift.tables.postgres.schema_copy import finish_schema, follow_relations, is_schema_finished
from heavylift.tables.postgres.slot import end_reader, publishable, slot_status
from heavylift.tables.postgres.state import (
    Lease,
    StreamPhase,
    StreamState,
    forget_tables,
    leased,
    names,
    read_tables,
)
from heavylift.tables.postgres.tables_added import add_parts, add_tables, new_tables
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


@dataclass
class StreamRun:
    """A stream that is held by this run, with what the run has done so far.

    Made by :func:`stream_run`, which has checked that the source is the one that the stream began on, and
    that it still has everything.
    """

    request: TablesRequest
    work: Work
    sessions: RunSessions
    lease: Lease
    begun_at: StreamState
    tally: Tally
    findings: list[Finding] = field(default_factory=list)

    def apply(self, upto: int | None = None, *, within_seconds: float | None = None) -> int:
        """Apply everything before ``upto``, by default the source's position now; return that position."""
        asked_at = utc_now()
        upto = position_of(self.sessions.source) if upto is None else upto
        seconds = [s for s in (within_seconds, self.request.options.max_seconds) if s is not None]
        until = time.monotonic() + min(seconds) if seconds else None
        pump = Pump(
            self.request, self.work, self.sessions, self.lease, self.tally, until, self.take_in_new_parts
        )
        pump.run(upto, asked_at)
        return upto

    def take_in_new_tables(self) -> None:
        """Bring tables into the stream that have appeared on the source and that the patterns choose.

        :raises ConflictError: the spec says to stop where the source's schema changes.
        """
        sessions = self.sessions
        if self.request.direction is Direction.REVERSE:
            self.tell_left_out()
            return
        self.take_in_new_parts()
        tables = new_tables(self.request, source=sessions.source, target=sessions.control)
        # What the source has detached is on the target still a part, with rows that changes come for.
        parts = self._parts()
        tables = tuple(table for table in tables if table.name not in parts)
        if not tables:
            return
        if self.request.options.on_schema_change is OnSchemaChange.STOP:
            raise _appeared([table.name for table in tables])
        _counts, findings = add_tables(
            self.request,
            tables,
            source=sessions.source,
            target=sessions.control,
            lease=self.lease,
            stop=self.work.stop,
        )
        self.findings += findings
        self.tally.statements += [f"-- table {table.name} was added" for table in tables]

    def tell_left_out(self) -> None:
        """Add a finding of the tables that the way back does not carry; the way there carries all."""
        if self.request.direction is Direction.REVERSE:
            known = read_tables(self.sessions.control, self.request.stream)
            self.findings += left_out(self.request, self.sessions.source, known)

    def take_in_new_parts(self) -> bool:
        """Bring partitions in that the stream's tables have got on the source; tell whether there were any.

        :raises ConflictError: the spec says to stop where the source's schema changes.
        """
        source, control = self.sessions.source, self.sessions.control
        if self.request.direction is Direction.REVERSE:
            return False
        parts = new_parts(self.request, source=source, target=control)
        if not parts:
            return False
        if self.request.options.on_schema_change is OnSchemaChange.STOP:
            raise _appeared([part.name for part in parts])
        self.findings += add_parts(
            self.request, parts, source=source, target=control, lease=self.lease, stop=self.work.stop
        )
        self.tally.statements += [f"-- partition {part.name} was added" for part in parts]
        return True

    def settle_parts(self) -> list[TableName]:
        """Attach on the target what the source has attached; return what the source has given away."""
        source, control = self.sessions.source, self.sessions.control
        if self.request.direction is Direction.REVERSE:
            return []
        known = read_tables(control, self.request.stream)
        ours, theirs = read_catalog(source, ("*.*",)), read_catalog(control, ("*.*",))
        alone = unattached(known, ours, theirs)
        if alone:
            self.findings += follow_relations(self.request, source=source, target=control)
            self.tally.statements += [f"-- partition {name} was attached" for name in alone]
            theirs = read_catalog(control, ("*.*",))
        # Once the stream has passed a partition's own snapshot its root's counts again.
        parts = roots_of(ours).keys() | roots_of(theirs).keys()
        forget_tables(control, self.request.stream, passed_parts(known, parts, self.tally.applied))
        return detached(known, ours, theirs)

    def _parts(self) -> set[TableName]:
        known = read_tables(self.sessions.control, self.request.stream)
        there = read_catalog(self.sessions.control, ("*.*",))
        return set(roots_of(table for table in there if table.name in known))

    @property
    def is_ahead(self) -> bool:
        """Tell whether parts of the target are of a later moment than the position applied."""
        tables = read_tables(self.sessions.control, self.request.stream).values()
        return any(self.tally.applied < (table.settled or 0) for table in tables)

    def complete_schema(self, *, guards: bool = False) -> None:
        """Make what the target still lacks of the schema, once it is exactly the source at some position.

        :param guards: foreign keys and triggers too, even where the role cannot switch them off.
        """
        control, request = self.sessions.control, self.request
        if request.direction is Direction.REVERSE or is_schema_finished(control, request.stream):
            return
        if self.is_ahead:
            return
        self.findings += finish_schema(
            request,
            source=self.sessions.source,
            target=control,
            guards=guards or quieten(control),
            stop=self.work.stop,
        )

    def demand_all_tables(self) -> None:
        """Refuse to go on as if nothing were, where a chosen table of the stream is gone from the source.

        :raises ConflictError: one is.
        """
        demand_same_parts(self.settle_parts())
        source, control = self.sessions.source, self.sessions.control
        known, options = set(read_tables(control, self.request.stream)), self.request.options
        lost = known - set(publishable(read_catalog(source, ("*.*",))))
        there = set(publishable(read_catalog(control, ("*.*",))))
        # What neither side has any more needs no note.
        forget_tables(control, self.request.stream, lost - there)
        gone = [name for name in sorted(lost & there) if is_chosen(name, options.tables, options.exclude)]
        if gone:
            raise _gone(gone)


@contextmanager
def stream_run(request: TablesRequest, work: Work) -> Iterator[StreamRun]:
    """Take hold of a stream for the block, after looking whether it can go on at all.

    :raises NotFoundError: the stream was never begun.
    :raises ConflictError: its snapshot is not complete.
    :raises TransientError: another run is at it.
    :raises PermanentError: the stream is invalid, or the source is another one, or has lost log.
    """
    with (
        told_as(f"going on with stream {request.stream!r}", "the target is at its position"),
        closing(connect(request.source.connection, "catalog")) as source,
        closing(connect(request.target.connection, "lease")) as control,
    ):
        stream_of(control, request)
        with leased(control, request.stream, take_over=request.options.take_over) as lease:
            state = stream_of(control, request)
            demand_valid(state)
            if state.phase is not StreamPhase.STREAMING:
                raise _still_copying(state)
            state = settle_source(request, state, source=source, target=control)
            status = guard(request, state, source=source, target=control)
            if request.options.take_over and status.active:
                # We hold the stream: a reader is what is left of the run that was ended.
                end_reader(source, state.slot)
            tally = Tally(applied=state.applied or 0, applied_at=state.applied_at)
            yield StreamRun(request, work, RunSessions(source, control), lease, state, tally)


def sync_changes(request: TablesRequest, work: Work, *, upto: int | None = None) -> SyncRecord:
    """Apply every transaction that was committed on the source before ``upto``, and none after.

    Idempotent: the position lies in the target, in the same transactions as the changes. On failure the
    target is at the end of some source transaction, and the next run goes on from there.

    :param upto: a log position of the source; the source's position now where it is None.
    :raises NotFoundError: the stream was never begun.
    :raises ConflictError: the source's tables have changed in a way that cannot be followed.
    :raises PermanentError: the source has lost log that the stream needs.
    :raises TransientError: another run is at it, or a server or the network has gone.
    """
    started = utc_now()
    with stream_run(request, work) as run:
        run.take_in_new_tables()
        if stay := request.options.stay_seconds:
            # What comes is applied as it comes; then up to a position, as always, which is noted.
            run.apply(NEVER, within_seconds=stay)
        reached = run.apply(upto)
        if run.tally.reached:
            _complete(run)
        return _record(run, started, reached)


def _complete(run: StreamRun) -> None:
    """Finish what may be finished at the end of a run.

    Where somebody asks to stop meanwhile, the next run does the rest, and what was applied counts.
    """
    try:
        run.complete_schema()
        run.demand_all_tables()
    except TransientError:
        if not run.work.stop.is_set():
            raise


def position_of(source: Session) -> int:
    """Return the source's log position: every transaction that is committed now lies before it."""
    row = source.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    return lsn_from_text(row[0]) if row else 0


def _record(run: StreamRun, started: datetime, upto: int) -> SyncRecord:
    status = slot_status(run.sessions.source, run.begun_at.slot)
    return sync_record(
        run.request,
        run.begun_at,
        run.tally,
        started=started,
        upto=upto,
        lag_bytes=max(0, position_of(run.sessions.source) - run.tally.applied),
        retained_bytes=status.retained_bytes if status else 0,
        findings=run.findings,
    )


def _still_copying(state: StreamState) -> ConflictError:
    return ConflictError(
        f"going on with stream {state.id!r}",
        got="a snapshot that is not complete",
        expected="a complete snapshot",
        state="nothing was touched; the slot keeps every change meanwhile",
        remedy="run the snapshot again: it goes on where it stopped",
        code="6041",
    )


def _appeared(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "following the source's schema",
        got=f"new tables that the patterns choose: {names(tables)}",
        expected="no change of definitions (on_schema_change: stop)",
        state="no change was applied by this run",
        remedy="exclude them in the spec, or set on_schema_change: apply_safe, which copies them",
        code="6042",
    )


def _gone(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "following the source's schema",
        got=f"tables of the stream that the source no longer has: {names(tables)}",
        expected="every table that the snapshot took",
        state="all other changes are applied up to now; the target keeps these tables and their rows",
        remedy="drop or rename them on the target as on the source, or exclude them in the spec",
        code="6043",
    )
