"""One bounded run of a stream: apply what the source has committed until now, then leave."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.evidence.records import utc_now
from heavylift.evidence.table_records import SyncRecord
from heavylift.tables.engine import TablesProgress
from heavylift.tables.model import TableName
from heavylift.tables.postgres.apply import Applier, NewLabelError, prepare_session
from heavylift.tables.postgres.batches import Assembler, Batch
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.enums import add_labels
from heavylift.tables.postgres.healing import Healer
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text
from heavylift.tables.postgres.reader import Ended, Reader
from heavylift.tables.postgres.reshape import Reshaper
from heavylift.tables.postgres.state import Lease, StreamState, leased, no_stream, read_stream, read_tables
from heavylift.tables.postgres.wal_stream import replication_stream

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

TELL_SECONDS = 5.0
MAX_RESTARTS = 5
WHAT = "applying of changes"


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

    def add(self, batch: Batch) -> None:
        """Count a batch that was applied."""
        self.batches += 1
        self.transactions += batch.transactions
        self.transactions_skipped += batch.transactions_skipped
        self.skipped += batch.skipped
        self.kinds.update(batch.kinds)
        self.tables.update(batch.tables)
        if batch.complete:
            self.applied = batch.end_lsn
            self.applied_at = batch.committed_at


def sync_changes(request: TablesRequest, work: Work, *, upto: int | None = None) -> SyncRecord:
    """Apply every transaction that was committed on the source before ``upto``, and none after.

    Idempotent: the position lies in the target, in the same transactions as the changes. On failure the
    target is at the end of some source transaction, and the next run goes on from there.

    :param upto: a log position of the source; the source's position now where it is None.
    :raises NotFoundError: the stream was never begun.
    :raises ConflictError: another run is at it, or the source's tables have changed in a way that
        cannot be followed.
    :raises TransientError: stopped, or a server or the network has gone.
    """
    started, clock = utc_now(), time.monotonic()
    with run_sessions(request) as sessions:
        state = stream_of(sessions.control, request)
        with leased(sessions.control, request.stream) as lease:
            state = stream_of(sessions.control, request)
            upto = position_of(sessions.source) if upto is None else upto
            tally = Tally(applied=state.applied or 0, applied_at=state.applied_at)
            _run(request, work, sessions, lease, upto, tally, clock)
            if tally.reached:
                with sessions.control.transaction():
                    lease.advance(sessions.control, upto, None, 0)
                tally.applied = max(tally.applied, upto)
        return _record(request, sessions, state, started, time.monotonic() - clock, upto, tally)


@dataclass(frozen=True)
class RunSessions:
    """The sessions of one run: two of the source's ordinary ones need no privilege beyond reading."""

    source: Session
    control: Session


@contextmanager
def run_sessions(request: TablesRequest) -> Iterator[RunSessions]:
    """Open the sessions of a run and close them after the block."""
    with (
        closing(connect(request.source.connection, "catalog")) as source,
        closing(connect(request.target.connection, "lease")) as control,
    ):
        yield RunSessions(source, control)


def stream_of(session: Session, request: TablesRequest) -> StreamState:
    """Return the request's stream as the target knows it.

    :raises NotFoundError: it was never begun.
    """
    state = read_stream(session, request.stream)
    if state is None:
        raise no_stream(request.stream)
    return state


def position_of(source: Session) -> int:
    """Return the source's log position: every transaction that is committed now lies before it."""
    row = source.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    return lsn_from_text(row[0]) if row else 0


def _run(
    request: TablesRequest,
    work: Work,
    sessions: RunSessions,
    lease: Lease,
    upto: int,
    tally: Tally,
    clock: float,
) -> None:
    """Apply until ``upto``; begin again from the position where the target had to be changed first."""
    for _ in range(MAX_RESTARTS):
        try:
            _pump(request, work, sessions, lease, upto, tally, clock)
        except NewLabelError as error:
            added = add_labels(sessions.source, sessions.control)
            if not added:
                raise error.__cause__ or error from None
            tally.statements += added
        else:
            return


def _pump(
    request: TablesRequest,
    work: Work,
    sessions: RunSessions,
    lease: Lease,
    upto: int,
    tally: Tally,
    clock: float,
) -> None:
    state = stream_of(sessions.control, request)
    catalog = read_catalog(sessions.source, request.options.tables, request.options.exclude)
    tables = read_tables(sessions.control, request.stream)
    owners = {leaf: table.name for table in catalog for leaf in table.leaves}
    keys = {table.name: table.key for table in catalog}
    keys |= {leaf: table.key for table in catalog for leaf in table.leaves}

    def owner(name: TableName) -> TableName:
        return owners.get(name, name)

    def copied(name: TableName) -> int:
        known = tables.get(owner(name))
        return (known.copied or 0) if known else 0

    options = request.options
    reader = Reader(
        lambda: replication_stream(
            request.source.connection, state.slot, state.publication, state.applied or 0
        ),
        Assembler(state.applied or 0, keys, copied, options.batch_changes),
        upto,
        None if options.max_seconds is None else clock + options.max_seconds,
        work.stop,
    )
    with closing(connect(request.target.connection, "apply")) as session:
        prepare_session(session, request.stream)
        reshape = Reshaper(
            sessions.source, request.stream, tables, owner, options.on_schema_change, tally.statements
        )
        applier = Applier(session, lease, reshape, Healer(sessions.source, request.stream, tables, owner))
        reader.start()
        try:
            _apply_all(reader, applier, work, tally, upto, clock)
        finally:
            tally.retried += applier.retried
            applier.give_up()
            reader.finish()


def _apply_all(reader: Reader, applier: Applier, work: Work, tally: Tally, upto: int, clock: float) -> None:
    told = clock
    while True:
        item = reader.next(1.0)
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Ended):
            work.check(WHAT)
            tally.reached = item.reached
            if item.reached:
                reader.applied(tally.applied)
            return
        if item is not None:
            applier.apply(item)
            tally.add(item)
            if item.complete:
                reader.applied(item.end_lsn)
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            _tell(work, tally, upto, told - clock)


def _tell(work: Work, tally: Tally, upto: int, seconds: float) -> None:
    done = tally.kinds.total()
    work.tell(
        TablesProgress(
            step="changes",
            rows_done=done,
            rows_per_second=done / seconds if seconds else 0.0,
            lag_bytes=max(0, upto - tally.applied),
            detail=f"at {lsn_to_text(tally.applied)}, {tally.transactions:,} transactions",
        )
    )


def _record(
    request: TablesRequest,
    sessions: RunSessions,
    state: StreamState,
    started: datetime,
    seconds: float,
    upto: int,
    tally: Tally,
) -> SyncRecord:
    here = position_of(sessions.source)
    behind = 0.0
    if not tally.reached and tally.applied_at is not None:
        behind = max(0.0, (utc_now() - tally.applied_at).total_seconds())
    return SyncRecord(
        run=request.run,
        database=request.database,
        direction=request.direction.value,
        engine=state.engine,
        started_at=started,
        from_position=lsn_to_text(state.applied or 0),
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
        lag_bytes=max(0, here - tally.applied),
        lag_seconds=behind,
        schema_changes=tuple(tally.statements),
        tables={str(name): number for name, number in sorted(tally.tables.items())},
        seconds=seconds,
    )
