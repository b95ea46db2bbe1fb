"""The pump: reads a stream up to a position in one thread and applies it in another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, TransientError
from heavylift.evidence.records import Finding, Severity, utc_now
from heavylift.evidence.table_records import SyncRecord
from heavylift.tables.engine import TablesProgress
from heavylift.tables.model import TableName, is_chosen
from heavylift.tables.postgres.apply import Applier, NewLabelError, prepare_session
from heavylift.tables.postgres.applying import apply_all
from heavylift.tables.postgres.batches import Assembler, Batch
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.enums import add_labels
from heavylift.tables.postgres.healing import Healer
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.partitions import roots_of
from heavylift.tables.postgres.reader import Reader
from heavylift.tables.postgres.reshape import Reshaper, UnknownTableError
from heavylift.tables.postgres.slot import published
from heavylift.tables.postgres.state import Lease, StreamState, no_stream, read_stream, read_tables
from heavylift.tables.postgres.wal_stream import replication_stream
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.state import TableState
    from heavylift.tables.requests import TablesRequest

_NOW_CALLED = """
SELECT n.nspname, c.relname, rn.nspname, r.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid)
JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.oid = %s
"""
MAX_RESTARTS = 5
NEVER = 2**64
"""A position that no log reaches."""


@dataclass
class Tally:
    """What a run has done so far."""

    transactions: int = 0
    transactions_skipped: int = 0
    skipped: int = 0
    batches: int = 0
    retried: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    tables: Counter[TableName] = field(default_factory=Counter)
    applied: int = 0
    applied_at: datetime | None = None
    reached: bool = False
    statements: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, batch: Batch) -> None:
        """Count a batch that was applied."""
        self.batches += 1
        self.transactions += batch.transactions
        self.transactions_skipped += batch.transactions_skipped
        self.skipped += batch.skipped
        self.kinds.update(batch.kinds)
        self.tables.update(batch.tables)
        if batch.complete:
            self.applied = max(self.applied, batch.end_lsn)
            self.applied_at = batch.committed_at or self.applied_at


@dataclass(frozen=True)
class RunSessions:
    """The ordinary sessions of a run: one for the source's catalog, one that holds the target's lease."""

    source: Session
    control: Session


@dataclass(frozen=True)
class Pump:
    """Applies a stream in one run.

    :param until: a moment of ``time.monotonic`` after which it ends between two transactions.
    :param follow: brings in what the source has got since the run began; tells whether there was anything.
    """

    request: TablesRequest
    work: Work
    sessions: RunSessions
    lease: Lease
    tally: Tally
    until: float | None = None
    follow: Callable[[], bool] = lambda: False
    _passed: set[TableName] = field(default_factory=set)

    def run(self, upto: int, asked_at: datetime) -> None:
        """Apply every transaction that was committed before ``upto``, and none after.

        :param asked_at: when ``upto`` was the source's position.

        What the target must get first, such as a new label of an enum, is made, and the stream begun
        again from the position. :attr:`Tally.reached` tells whether ``upto`` was reached: it is not where
        the time was up, or somebody asked to stop, and what was applied until then counts all the same.
        """
        # A run that goes on for weeks meets many such; only at one position are they too many.
        begun: Counter[int] = Counter()
        while begun[self.tally.applied] < MAX_RESTARTS:
            begun[self.tally.applied] += 1
            try:
                self._pump(upto, asked_at)
            except NewLabelError as error:
                added = add_labels(self.sessions.source, self.sessions.control)
                if not added:
                    raise error.__cause__ or error from None
                self.tally.statements += added
            except UnknownTableError as error:
                self._meet(error)
            else:
                break

    def _note(self, upto: int, asked_at: datetime) -> None:
        """Note that nothing before ``upto`` is missing, so that idle times move the position too."""
        with self.sessions.control.transaction():
            self.lease.caught_up(self.sessions.control, upto, asked_at)
        self.tally.applied = max(self.tally.applied, upto)

    def _meet(self, unknown: UnknownTableError) -> None:
        """Bring a table in that is new, or pass over one whose rows nobody wants.

        :raises HeavyliftError: neither is safe.
        """
        options, table = self.request.options, unknown.table
        if self.follow():
            return
        row = self.sessions.source.execute(_NOW_CALLED, [unknown.oid]).fetchone()
        if row is not None and is_chosen(TableName(row[2], row[3]), options.tables, options.exclude):
            if self.request.direction is Direction.REVERSE:
                raise _made_since_the_switch(table)
            raise _joined_meanwhile(table) if table == TableName(row[0], row[1]) else _renamed(table)
        # Gone from the source with all of its rows, or not wanted: there is nothing to keep of it.
        self._passed.add(table)
        why = "is not chosen" if row else "came and went on the source"
        self.tally.statements.append(f"-- table {table} {why}: its changes were passed over")

    def _pump(self, upto: int, asked_at: datetime) -> None:
        request, sessions = self.request, self.sessions
        state = stream_of(sessions.control, request)
        tables = read_tables(sessions.control, request.stream)
        known = _Known.of(sessions, request, tables, frozenset(self._passed), state.publication)
        start = state.applied or 0
        reader = Reader(
            lambda: replication_stream(request.source.connection, state.slot, state.publication, start),
            Assembler(
                start,
                known.keys,
                known.copied,
                request.options.batch_changes,
                request.reversed().stream,
                spell=True,
                rewriting=request.rewriting,
            ),
            upto,
            self.until,
            self.work.stop,
        )
        policy = request.options.on_schema_change
        with closing(connect(request.target.connection, "apply")) as session:
            quiet, _has_origin = prepare_session(session, request.stream)
            applier = Applier(
                session,
                self.lease,
                Reshaper(
                    sessions.source,
                    request.stream,
                    tables,
                    known.owner,
                    policy,
                    self.tally.statements,
                    known.passed,
                ),
                Healer(sessions.source, request.stream, tables, known.owner),
                quiet=quiet,
            )
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
        tally = self.tally
        done, seconds = tally.kinds.total(), time.monotonic() - tally.began
        self.work.tell(
            TablesProgress(
                step="changes",
                rows_done=done,
                rows_per_second=done / seconds if seconds else 0.0,
                lag_bytes=max(0, upto - tally.applied) if upto < NEVER else None,
                detail=f"at {lsn_to_text(tally.applied)}, {tally.transactions:,} transactions",
            )
        )


@dataclass(frozen=True)
class _Known:
    """What the source's catalog and the target's notes say of the stream's tables."""

    keys: dict[TableName, tuple[str, ...]]
    owners: dict[TableName, TableName]
    states: dict[TableName, TableState]
    passed: frozenset[TableName]

    @classmethod
    def of(
        cls,
        sessions: RunSessions,
        request: TablesRequest,
        states: dict[TableName, TableState],
        passed: frozenset[TableName],
        publication: str,
    ) -> _Known:
        catalog = read_catalog(sessions.source, request.options.tables, request.options.exclude)
        everything = read_catalog(sessions.control, ("*.*",))
        there = [table for table in everything if table.name in states]
        # A partition that the target lacks has come since new ones were brought in: it is still unknown.
        made = {leaf for table in everything for leaf in (table.name, *table.leaves)}
        ours = {leaf: root for leaf, root in roots_of(catalog).items() if leaf in made}
        # Of partitions that the source has given away the log may still speak; the target has them.
        owners = roots_of(there) | ours
        if request.direction is not Direction.REVERSE:
            # The target may hold a partition that was never taken in, because it came while another was:
            # pg_dump saw it already. Its rows wait for a snapshot of its own, as every other's do.
            wait = roots_of(catalog).keys() - published(sessions.source, publication) - states.keys()
            owners = {leaf: root for leaf, root in owners.items() if leaf not in wait}
        keys = {table.name: table.key for table in (*there, *catalog)}
        keys |= {leaf: keys[root] for leaf, root in owners.items()}
        return cls(keys, owners, states, passed)

    def owner(self, name: TableName) -> TableName:
        """Return the table of the stream that a partition belongs to."""
        return self.owners.get(name, name)

    def copied(self, name: TableName) -> int:
        """Return from which position on a table's changes are wanted."""
        if name in self.passed:
            return NEVER
        # A partition that joined later has a snapshot, and so a note, of its own.
        state = self.states.get(name) or self.states.get(self.owner(name))
        return (state.copied or 0) if state else 0


def _joined_meanwhile(table: TableName) -> TransientError:
    return TransientError(
        "following the source's schema",
        got=f"changes of {table}, which joined the publication while this run was under way",
        expected="tables that were part of the stream when it began",
        state="nothing of this batch was applied; the position stays",
        remedy="run this again: it is copied and joins the stream",
        code="6151",
    )


def _made_since_the_switch(table: TableName) -> ConflictError:
    return ConflictError(
        "following the way back",
        got=f"changes of {table}, which this side of the way back does not have",
        expected="the tables that were there at the switch",
        state="nothing of this batch was applied; the position stays",
        remedy="make it by hand as it is on the other side, empty, then run this again: its rows come",
        code="6153",
    )


def _renamed(table: TableName) -> ConflictError:
    return ConflictError(
        "following the source's schema",
        got=f"changes of a table that was called {table} for a while",
        expected="tables that keep their names",
        state="nothing of this batch was applied; the position stays",
        remedy="take a new snapshot (heavylift tables snapshot --anew)",
        code="6152",
    )


def stream_of(session: Session, request: TablesRequest) -> StreamState:
    """Return the request's stream as the target knows it.

    :raises NotFoundError: it was never begun.
    """
    state = read_stream(session, request.stream)
    if state is None:
        raise no_stream(request.stream)
    return state


def sync_record(
    request: TablesRequest,
    begun_at: StreamState,
    tally: Tally,
    *,
    started: datetime,
    upto: int,
    lag_bytes: int,
    retained_bytes: int,
    findings: Iterable[Finding],
) -> SyncRecord:
    """Return the record of a bounded run, of whatever engine.

    :param begun_at: the stream as the run found it.
    :param upto: the source's position when it began.
    :param lag_bytes: what the source has written since the last position.
    """
    late = 0.0
    if not tally.reached and tally.applied_at is not None:
        late = max(0.0, (utc_now() - tally.applied_at).total_seconds())
    return SyncRecord(
        run=request.run,
        database=request.database,
        direction=request.direction.value,
        engine=begun_at.engine,
        started_at=started,
        from_position=lsn_to_text(begun_at.applied or 0),
        upto_position=lsn_to_text(upto),
        applied_position=lsn_to_text(tally.applied),
        caught_up=tally.reached,
        transactions=tally.transactions,
        transactions_skipped=tally.transactions_skipped,
        inserts=tally.kinds["inserts"],
        updates=tally.kinds["updates"],
        deletes=tally.kinds["deletes"],
        truncates=tally.kinds["truncates"],
        skipped=tally.skipped,
        batches=tally.batches,
        batches_retried=tally.retried,
        lag_bytes=lag_bytes,
        lag_seconds=late,
        retained_bytes=retained_bytes,
        schema_changes=tuple(tally.statements),
        tables={str(name): number for name, number in sorted(tally.tables.items())},
        seconds=time.monotonic() - tally.began,
        findings=tuple(findings),
    )


def still_written(database: str, changes: int) -> Finding:
    """Return the finding of a source that somebody writes to while it is drained."""
    return Finding(
        rule="source-still-written",
        severity=Severity.BLOCKER,
        subject=database,
        detail=f"{changes} changes were committed on the source after the drain had begun",
        remedy="stop every writer of the source, then drain again",
    )
