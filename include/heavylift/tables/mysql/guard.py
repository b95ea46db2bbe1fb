"""Watches that the source is the one that the stream began on, and that it still has all of its log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import PermanentError
from heavylift.tables.mysql.lease import read_mark
from heavylift.tables.mysql.log import birth_of
from heavylift.tables.mysql.position import Place, current_place, log_files, place_from
from heavylift.tables.mysql.start import system_of
from heavylift.tables.postgres.state import StreamPhase, StreamState

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.target import Target
    from heavylift.tables.requests import TablesRequest

_REMEDY = "take a new snapshot with --anew; nothing is skipped quietly"


def demand_log(request: TablesRequest, state: StreamState, source: MySession, target: Target) -> Place:
    """Return the place from which the log goes on; refuse another server, and a log that is not all there.

    :raises PermanentError: it is another server; or log is lost, and the stream is marked invalid.
    """
    system = system_of(source)
    if system != state.source_system:
        raise PermanentError(
            f"going on with stream {state.id!r}",
            got=f"the server {system}",
            expected=f"the server {state.source_system}, on which the stream began",
            state="nothing was touched",
            remedy="correct the source's connection; after a failover or restore of the source, " + _REMEDY,
            retry_safe=False,
            code="6421",
        )
    place = place_from(state.applied or 0, state.slot)
    reason = _what_is_wrong(request, state, source, place)
    if not reason:
        return place
    mark_invalid(target, state, reason)
    raise PermanentError(
        f"going on with stream {state.id!r}",
        got=reason,
        expected="a binary log that has kept every change since the applied position",
        state=f"the stream is marked invalid; the target keeps its rows as of {place}",
        remedy=_REMEDY + ", and keep the log longer (binlog_expire_logs_seconds, expire_logs_days)",
        retry_safe=False,
        code="6420",
    )


def _what_is_wrong(request: TablesRequest, state: StreamState, source: MySession, place: Place) -> str:
    files = log_files(source)
    if place.file_name not in files:
        return f"the source no longer has {place.file_name} of its binary log"
    here, _ = current_place(source)
    if place > here or place.offset > files[place.file_name]:
        return f"the source's binary log ends at {here}, before the applied position {place}"
    known = read_mark(state.publication)
    born = birth_of(request.source.connection, place)
    if (known.get("file"), known.get("birth")) != (place.file, born):
        return f"{place.file_name} is another file than the one that was read (begun by {born})"
    return ""


def mark_invalid(target: Target, state: StreamState, reason: str) -> None:
    """Note that only a new snapshot helps."""
    current = target.stream(state.id) or state
    target.write_stream(replace(current, phase=StreamPhase.INVALID, reason=reason))
