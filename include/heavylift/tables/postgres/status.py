"""How a stream stands right now: asked of both servers, changing nothing."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from heavylift.evidence.table_records import StreamStatus
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.pump import stream_of
from heavylift.tables.postgres.ranges import read_ranges
from heavylift.tables.postgres.slot import slot_status
from heavylift.tables.postgres.state import TablePhase, read_tables
from heavylift.tables.postgres.sync import position_of

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.state import StreamState
    from heavylift.tables.requests import TablesRequest

_BYTES_A_CHANGE = 150
"""Log that a change takes at least, about: a row's old key, its new values, and what indexes add."""


def stream_status(request: TablesRequest) -> StreamStatus:
    """Tell how the stream of the request's direction stands.

    :raises NotFoundError: it was never begun.
    """
    with (
        told_as(f"asking how stream {request.stream!r} stands", "nothing was touched"),
        closing(connect(request.source.connection, "status")) as source,
        closing(connect(request.target.connection, "status")) as target,
    ):
        state = stream_of(target, request)
        tables = read_tables(target, request.stream)
        ranges = [each for own in read_ranges(target, request.stream).values() for each in own]
        slot = slot_status(source, state.slot)
        position = position_of(source)
        behind = max(0, position - state.applied) if state.applied else None
        return StreamStatus(
            stream=state.id,
            direction=request.direction.value,
            engine=state.engine,
            state=state.phase.value,
            reason=state.reason,
            applied_position=lsn_to_text(state.applied or 0),
            source_position=lsn_to_text(position),
            lag_bytes=behind,
            lag_seconds=_lag_seconds(state, behind),
            lag_rows=None if behind is None else behind // _BYTES_A_CHANGE,
            retained_bytes=slot.retained_bytes if slot else None,
            slot_state=slot.wal_status if slot else "missing",
            slot_active=bool(slot and slot.active),
            tables=len(tables),
            tables_copied=sum(table.phase is TablePhase.COPIED for table in tables.values()),
            ranges=len(ranges),
            ranges_done=sum(each.done_at is not None for each in ranges),
            changes=state.changes,
            updated_at=_updated_at(target, state.id),
            details={"slot": state.slot, "publication": state.publication},
        )


def _lag_seconds(state: StreamState, behind: int | None) -> float | None:
    """Return the age of the oldest change that may be missing: an upper bound, for log is not all changes."""
    if behind is None:
        return None
    known = [at for at in (state.applied_at, state.caught_up_at) if at is not None]
    if not behind or not known:
        return 0.0
    return max(0.0, (datetime.now(UTC) - max(known)).total_seconds())


def _updated_at(target: Session, stream: str) -> datetime | None:
    row = target.execute("SELECT updated_at FROM heavylift.stream WHERE id = %s", [stream]).fetchone()
    return row[0] if row else None
