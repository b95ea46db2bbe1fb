"""Watches what a stream keeps on its source: that it is still all there, and does not fill the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import PermanentError
from heavylift.tables.model import TableName, is_chosen
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.replication import Identity, identify
from heavylift.tables.postgres.slot import SlotStatus, drop_slot, slot_status, unpublished
from heavylift.tables.postgres.state import (
    StreamPhase,
    StreamState,
    names,
    read_stream,
    read_tables,
    write_stream,
)

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

_REMEDY = (
    "take a new snapshot (heavylift tables snapshot --anew), which gives up this slot and what it brought:"
    " nothing is skipped, and no slot recreated quietly"
)
_LOST = frozenset({"lost", "unreserved"})


def guard(request: TablesRequest, state: StreamState, *, source: Session, target: Session) -> SlotStatus:
    """Return the stream's slot, sound and within its limit; anything else ends the stream.

    To be called before changes are read, and now and then while they are: an abandoned or hopeless
    stream must not fill the source's disk.

    :param state: of the stream, once its consistent position is noted.
    :raises PermanentError: the stream is marked invalid; only a new snapshot helps.
    """
    known = read_tables(target, state.id)
    return watch_slot(request, state, source, known, lambda reason: _mark_invalid(target, state, reason))


def watch_slot(
    request: TablesRequest,
    state: StreamState,
    source: Session,
    known: Iterable[TableName],
    mark_invalid: Callable[[str], None],
) -> SlotStatus:
    """Do what :func:`guard` does, wherever the stream's state is kept.

    :param known: the stream's tables.
    :param mark_invalid: notes that the stream is lost, and why.
    :raises PermanentError: see :func:`guard`.
    """
    status = slot_status(source, state.slot)
    reason = _what_is_wrong(status, state) or _what_is_left_out(request, state, source, known)
    if reason:
        mark_invalid(reason)
        raise _invalid(state, reason)
    if status is None:  # pragma: no cover - named above; tells mypy
        raise _invalid(state, "no slot")
    limit = request.options.max_retained_wal
    if status.retained_bytes > limit:
        reason = f"the slot kept {status.retained_bytes} bytes of log, more than the {limit} allowed"
        # First what endangers the source: a note that cannot be written leaves a missing slot to be found.
        drop_slot(source, state.slot)
        mark_invalid(reason)
        raise PermanentError(
            f"guarding the source's disk for stream {state.id!r}",
            got=f"{status.retained_bytes} bytes of log kept by slot {state.slot}",
            expected=f"at most {limit} bytes (max_retained_wal)",
            state="the slot was dropped so that the source's disk does not fill; the target keeps its rows",
            remedy=f"sync more often, or raise max_retained_wal; then {_REMEDY}",
            retry_safe=False,
            code="6118",
        )
    return status


def settle_source(
    request: TablesRequest, state: StreamState, *, source: Session, target: Session
) -> StreamState:
    """Return the stream's state once its source is the one it began on; note a failover that it outlived.

    :raises PermanentError: see :func:`demand_same_source`.
    """
    found = identify(request.source.connection)
    demand_same_source(state, found, slot_status(source, state.slot))
    if found.timeline != state.source_timeline:
        state = replace(state, source_timeline=found.timeline)
        write_stream(target, state)
    return state


def demand_same_source(state: StreamState, found: Identity, status: SlotStatus | None = None) -> None:
    """Refuse another server, another database, or an earlier life of the same one.

    A new timeline is accepted only where the slot itself was kept through the failover, and the target has
    applied nothing that the new primary never got.

    :raises PermanentError: the connection leads elsewhere than the stream began.
    """
    same = (found.system, found.database) == (state.source_system, state.source_database)
    kept = status is not None and status.failover
    reached, end = state.applied or state.consistent or 0, found.ends.get(state.source_timeline)
    went_on = kept and end is not None and reached <= end
    if same and (found.timeline == state.source_timeline or went_on):
        return
    ended = f" (the earlier one ended at {lsn_to_text(end)})" if end is not None else ""
    raise PermanentError(
        f"going on with stream {state.id!r}",
        got=f"system {found.system}, timeline {found.timeline}{ended}, database {found.database}",
        expected=f"system {state.source_system}, timeline {state.source_timeline},"
        f" database {state.source_database}, or a failover of it that kept the slot and everything up to"
        f" {lsn_to_text(reached)}",
        state="nothing was touched",
        remedy="correct the source's connection; after a failover or a restore of the source, " + _REMEDY,
        retry_safe=False,
        code="6119",
    )


def _what_is_wrong(status: SlotStatus | None, state: StreamState) -> str:
    if status is None:
        return f"the replication slot {state.slot} is gone from the source"
    if status.plugin != "pgoutput" or status.database != state.source_database:
        return f"the slot {state.slot} is another's: {status.plugin} in database {status.database}"
    if status.wal_status in _LOST:
        return f"the source no longer keeps the log for slot {state.slot} (wal_status {status.wal_status})"
    reached = state.applied or state.consistent
    if reached is not None and status.confirmed is not None and status.confirmed > reached:
        # Nobody but us confirms, and never more than is on the target: it was made anew, or read by others.
        return (
            f"the slot {state.slot} stands at {lsn_to_text(status.confirmed)}, but only"
            f" {lsn_to_text(reached)} was applied: what lies between is lost"
        )
    return ""


def _what_is_left_out(
    request: TablesRequest, state: StreamState, source: Session, known: Iterable[TableName]
) -> str:
    """Tell of tables that are no longer published, or are others of the same name: changes are lost."""
    chosen = [name for name in known if is_chosen(name, request.options.tables, request.options.exclude)]
    out = unpublished(source, state.publication, chosen)
    if not out:
        return ""
    return (
        f"publication {state.publication} lacks {names(out)}: taken out of it, or dropped and made again;"
        " what was committed to them is not in the stream"
    )


def _mark_invalid(target: Session, state: StreamState, reason: str) -> None:
    current = read_stream(target, state.id) or state
    write_stream(target, replace(current, phase=StreamPhase.INVALID, reason=reason))


def _invalid(state: StreamState, reason: str) -> PermanentError:
    return PermanentError(
        f"going on with stream {state.id!r}",
        got=reason,
        expected="a slot that has kept every change since the applied position",
        state="the stream is marked invalid; the target keeps its rows as of"
        f" {lsn_to_text(state.applied or state.consistent or 0)}",
        remedy=_REMEDY,
        retry_safe=False,
        code="6116",
    )


def demand_valid(state: StreamState) -> None:
    """Refuse a stream that is invalid or has ended.

    :raises PermanentError: it is.
    """
    if state.phase not in {StreamPhase.INVALID, StreamPhase.ENDED}:
        return
    raise PermanentError(
        f"going on with stream {state.id!r}",
        got=f"a stream that is {state.phase.value}" + (f": {state.reason}" if state.reason else ""),
        expected="a stream that is copying or streaming",
        state="nothing was touched",
        remedy=_REMEDY,
        retry_safe=False,
        code="6115",
    )
