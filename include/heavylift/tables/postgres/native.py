"""PostgreSQL to PostgreSQL by the servers' own subscription, under the same operators and proofs.

The servers carry the data themselves; we make what they need, watch, and compare. The position of truth
is the slot's confirmed position on the source.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heavylift.errors import TransientError
from heavylift.evidence.records import Finding, Severity, utc_now
from heavylift.evidence.table_records import DrainRecord, SnapshotRecord, StreamStatus, SyncRecord, TableCount
from heavylift.tables.engine import TablesProgress
from heavylift.tables.model import Table
from heavylift.tables.postgres import compare as comparing
from heavylift.tables.postgres import reverse
from heavylift.tables.postgres.apply import drop_origin
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.drain import HEADROOM
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.forget import forget_stream
from heavylift.tables.postgres.guard import demand_valid, guard, settle_source
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.moving import ChangesEngine
from heavylift.tables.postgres.pump import stream_of
from heavylift.tables.postgres.schema_copy import (
    analyze,
    finish_schema,
    make_before_data,
    make_keys,
    read_schema,
)
from heavylift.tables.postgres.sequences import copy_sequences
from heavylift.tables.postgres.slot import ensure_publication, slot_name, slot_status
from heavylift.tables.postgres.snapshot_begin import ensure_stream
from heavylift.tables.postgres.state import (
    Lease,
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    leased,
    read_tables,
    write_stream,
    write_table,
)
from heavylift.tables.postgres.status import stream_status
from heavylift.tables.postgres.subscription import (
    confirmed,
    create_subscription,
    demand_subscribed,
    disable_subscription,
    drop_subscription,
    subscription_state,
)
from heavylift.tables.postgres.subscription_watch import wait_until
from heavylift.tables.postgres.sync import position_of
from heavylift.tables.verify.settle import Settling

if TYPE_CHECKING:
    from datetime import datetime

    from heavylift.evidence.table_records import ReverseRecord
    from heavylift.tables.engine import Comparison, Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


@dataclass(frozen=True)
class _Held:
    """A stream that this run holds, with a session on either side."""

    source: Session
    target: Session
    lease: Lease
    state: StreamState


class NativeEngine(ChangesEngine):
    """Orchestrates, watches and verifies PostgreSQL's own replication; see :class:`TableEngine`.

    The preflight is that of our own engine.
    """

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        """Make the schema, let the target subscribe, and wait until all tables have been copied."""
        began = utc_now()
        with (
            told_as(f"the snapshot of database {request.database!r}", "what was made stays"),
            closing(connect(request.source.connection, "snapshot")) as source,
            closing(connect(request.target.connection, "snapshot")) as target,
        ):
            if request.options.anew:
                drop_subscription(target, slot_name(request.stream))
                forget_stream(request, source=source, target=target)
            findings = ensure_stream(request, source=source, target=target)
            with leased(target, request.stream, take_over=request.options.take_over) as lease:
                state = stream_of(target, request)
                demand_valid(state)
                complete = state.phase is StreamPhase.STREAMING
                if not complete:
                    findings += _subscribe(request, work, source, target, lease)
            analyze(target, read_catalog(target, request.options.tables, request.options.exclude))
            return _snapshot_record(request, target, began, complete).model_copy(
                update={"findings": (*findings, _estimated(request.database))}
            )

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        """Wait until the target has applied what the source has committed until now."""
        began, clock = utc_now(), time.monotonic()
        with _held(request) as held:
            upto = position_of(held.source)
            reached = _reach(held, work, upto, request.options.max_seconds)
            applied = _note(held, began, upto if reached else confirmed(held.source, held.state.slot))
            status = slot_status(held.source, held.state.slot)
            return SyncRecord(
                run=request.run,
                database=request.database,
                direction=request.direction.value,
                engine=held.state.engine,
                started_at=began,
                from_position=lsn_to_text(held.state.applied or 0),
                upto_position=lsn_to_text(upto),
                applied_position=lsn_to_text(applied),
                caught_up=reached,
                lag_bytes=max(0, position_of(held.source) - applied),
                retained_bytes=status.retained_bytes if status else 0,
                seconds=time.monotonic() - clock,
            )

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        """Wait until everything up to the source's position now is applied; set the sequences ahead."""
        began, clock = utc_now(), time.monotonic()
        with _held(request) as held:
            upto = position_of(held.source)
            reached = _reach(held, work, upto, within_seconds)
            applied = _note(held, began, upto if reached else confirmed(held.source, held.state.slot))
            tables = _tables(request, held.source, held.target)
            done = copy_sequences(held.source, held.target, tables, HEADROOM) if reached else {}
            return DrainRecord(
                run=request.run,
                database=request.database,
                direction=request.direction.value,
                started_at=began,
                upto_position=lsn_to_text(upto),
                applied_position=lsn_to_text(applied),
                reached=reached,
                sequences=done,
                seconds=time.monotonic() - clock,
            )

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        """Compare both databases; while they are written to, look again at what differs until it holds."""
        if frozen:
            return super().compare(request, work, frozen=True)

        def applied() -> None:
            with _held(request) as held:
                if not _reach(held, work, position_of(held.source), request.options.max_seconds):
                    raise _too_slow(request)

        applied()
        return comparing.compare_settling(request, work, Settling(wait_until_applied=applied))

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Stop the subscription, and make the stream that flows back by our own capture of changes."""
        with closing(connect(request.target.connection, "reverse")) as target:
            disable_subscription(target, stream_of(target, request).slot)
        return reverse.prepare_reverse(request, work)

    def status(self, request: TablesRequest) -> StreamStatus:
        """Tell how the stream stands, by the subscription's own figures."""
        with (
            closing(connect(request.source.connection, "status")) as source,
            closing(connect(request.target.connection, "status")) as target,
        ):
            state = stream_of(target, request)
            there = subscription_state(target, state.slot)
            applied = confirmed(source, state.slot)
            behind = max(0, position_of(source) - applied)
        found = stream_status(request)
        return found.model_copy(
            update={
                "applied_position": lsn_to_text(applied),
                "lag_bytes": behind,
                "tables_copied": there.copied if there else found.tables_copied,
                "details": {**found.details, "subscription_running": bool(there and there.running)},
            }
        )

    def end(self, request: TablesRequest) -> StreamStatus:
        """Drop the subscription, and give slot and publication back; idempotent. The tables stay."""
        with closing(connect(request.target.connection, "end")) as target:
            drop_subscription(target, stream_of(target, request).slot)
            drop_origin(target, request.stream)
        super().end(request)
        return stream_status(request)


@contextmanager
def _held(request: TablesRequest) -> Iterator[_Held]:
    with (
        told_as(f"following stream {request.stream!r}", "what PostgreSQL has applied stays"),
        closing(connect(request.source.connection, "watch")) as source,
        closing(connect(request.target.connection, "watch")) as target,
    ):
        stream_of(target, request)
        with leased(target, request.stream, take_over=request.options.take_over) as lease:
            state = stream_of(target, request)
            demand_valid(state)
            state = settle_source(request, state, source=source, target=target)
            # The server confirms by itself, so that its position may be ahead of the one we noted.
            guard(request, replace(state, applied=None, consistent=None), source=source, target=target)
            options = request.options
            chosen = read_catalog(source, options.tables, options.exclude)
            demand_subscribed(source, target, state.slot, chosen)
            yield _Held(source, target, lease, state)


def _subscribe(
    request: TablesRequest, work: Work, source: Session, target: Session, lease: Lease
) -> tuple[Finding, ...]:
    options, connection = request.options, request.target.connection
    state = stream_of(target, request)
    tables = read_catalog(source, options.tables, options.exclude)
    entries, findings = read_schema(source, request.source.connection, tables)
    findings += make_before_data(connection, request.stream, entries)
    make_keys(source, connection, request.stream, entries, tables)
    ensure_publication(source, state.publication, tables)
    if subscription_state(target, state.slot) is None:
        create_subscription(target, state.slot, request.source.connection, state.publication)

    def copied() -> bool:
        found = subscription_state(target, state.slot)
        if found is not None:
            work.tell(TablesProgress(step="copy", detail=f"{found.copied} of {found.tables} tables copied"))
        return found is not None and found.copied == found.tables > 0

    wait_until(
        copied,
        target,
        state.slot,
        progress=lambda: _copied_so_far(target, state.slot),
        check=lambda: work.check("the snapshot"),
    )
    _await(source, target, state, work, position_of(source), None)
    here = confirmed(source, state.slot)
    findings += finish_schema(request, source=source, target=target, entries=entries, stop=work.stop)
    copy_sequences(source, target, tables, 0)
    with target.transaction():
        lease.demand(target)
        for table in tables:
            known = TableState(table.name, TablePhase.COPIED, table.signature, copied=here, settled=here)
            write_table(target, request.stream, known)
        write_stream(target, replace(state, phase=StreamPhase.STREAMING, consistent=here, applied=here))
    return findings


def _reach(held: _Held, work: Work, upto: int, within_seconds: float | None) -> bool:
    return _await(held.source, held.target, held.state, work, upto, within_seconds)


def _await(
    source: Session, target: Session, state: StreamState, work: Work, upto: int, within_seconds: float | None
) -> bool:
    return wait_until(
        lambda: confirmed(source, state.slot) >= upto,
        target,
        state.slot,
        progress=lambda: confirmed(source, state.slot),
        check=lambda: work.check("waiting for the subscription"),
        within_seconds=within_seconds,
    )


def _copied_so_far(target: Session, name: str) -> object:
    """Return the state of each table, which changes a few times while it is copied, and never back."""
    rows = target.execute(
        "SELECT r.srrelid, r.srsubstate = 'r' FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
        " JOIN pg_subscription_rel r ON r.srsubid = s.oid"
        " WHERE s.subname = %s AND d.datname = current_database() ORDER BY 1",
        [name],
    )
    return rows.fetchall()


def _note(held: _Held, asked_at: datetime, applied: int) -> int:
    with held.target.transaction():
        held.lease.caught_up(held.target, applied, asked_at)
    return applied


def _tables(request: TablesRequest, source: Session, target: Session) -> list[Table]:
    known = read_tables(target, request.stream)
    return [table for table in read_catalog(source, ("*.*",)) if table.name in known]


def _snapshot_record(
    request: TablesRequest, target: Session, began: datetime, already_complete: bool
) -> SnapshotRecord:
    state = stream_of(target, request)
    counts = tuple(
        TableCount(
            table=str(table.name), rows=max(table.row_estimate, 0), size_bytes=table.size_bytes, ranges=1
        )
        for table in read_catalog(target, request.options.tables, request.options.exclude)
    )
    return SnapshotRecord(
        run=request.run,
        database=request.database,
        direction=request.direction.value,
        engine=state.engine,
        started_at=began,
        ended_at=utc_now(),
        consistent_position=lsn_to_text(state.consistent or 0),
        settled_position=lsn_to_text(state.consistent or 0),
        tables=counts,
        rows=sum(count.rows for count in counts),
        size_bytes=sum(count.size_bytes for count in counts),
        already_complete=already_complete,
    )


def _estimated(database: str) -> Finding:
    return Finding(
        rule="rows-estimated",
        severity=Severity.NOTE,
        subject=database,
        detail="PostgreSQL copied the tables by itself: the numbers of rows are its planner's estimates",
        remedy="the verification counts them",
    )


def _too_slow(request: TablesRequest) -> TransientError:
    return TransientError(
        f"comparing database {request.database!r}",
        got="a subscription that did not catch up in time",
        expected="to apply what had been committed",
        state="nothing was changed",
        remedy="allow it more time, or look why it lags: heavylift tables status",
        code="6601",
    )
