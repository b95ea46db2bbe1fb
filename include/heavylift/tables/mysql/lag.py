"""How far a stream from MySQL is behind, asked of both servers: for whoever only watches."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from heavylift.tables.mysql.connect import connect, where
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.mysql.position import behind, current_place, place_of_number
from heavylift.tables.mysql.twin.state import read_stream
from heavylift.tables.postgres.lag import Lag, applied_of
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text
from heavylift.tables.postgres.state import no_stream

if TYPE_CHECKING:
    from heavylift.connections import Connection


async def read_lag(source: Connection, target: Connection, stream: str) -> Lag:
    """Return how far ``stream`` is behind; changes nothing.

    :raises NotFoundError: the target knows no such stream.
    :raises CredentialError: login refused.
    :raises ServerUnavailableError: no answer.
    """
    # The target first: what the source writes meanwhile counts as lag, never as progress.
    state, applied, applied_at = await applied_of(target, stream)
    # PyMySQL blocks; a watcher's loop must not.
    position, distance = await asyncio.to_thread(_distance, source, applied)
    age = (datetime.now(UTC) - applied_at).total_seconds() if applied_at else None
    return Lag(
        state=state,
        source_position=position,
        applied_position=applied,
        lag_bytes=distance,
        seconds=0.0 if applied and not distance else age,
    )


def applied_there(target: Connection, stream: str) -> tuple[str, str, datetime | None]:
    """Return what :func:`heavylift.tables.postgres.lag.applied_of` does, of a MySQL target; blocks."""
    with (
        told_as(f"asking {where(target)} for a position", "nothing was touched"),
        closing(connect(target)) as session,
    ):
        known = read_stream(session, stream)
    if known is None:
        raise no_stream(stream)
    moments = [at for at in (known.applied_at, known.caught_up_at) if at is not None]
    applied = "" if known.applied is None else lsn_to_text(known.applied)
    return known.phase.value, applied, max(moments, default=None)


def _distance(source: Connection, applied: str) -> tuple[str, int]:
    with (
        told_as(f"asking {where(source)} for a position", "nothing was touched"),
        closing(connect(source)) as session,
    ):
        here, _ = current_place(session)
        begun = place_of_number(lsn_from_text(applied) if applied else 0, here)
        return lsn_to_text(here.number), behind(session, begun)
