"""How far a stream from topics is behind, asked of both sides: for whoever only watches.

What other engines count in bytes of log is records here: topics tell nothing of the source's log.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from heavylift.kafka.ends import true_bounds
from heavylift.tables.debezium.notes import read_marks
from heavylift.tables.debezium.topics import source_cluster
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.lag import Lag, applied_of
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text

if TYPE_CHECKING:
    from heavylift.connections import Connection


async def read_lag(source: Connection, target: Connection, stream: str) -> Lag:
    """Return how far ``stream`` is behind, in records; changes nothing.

    :raises NotFoundError: the target knows no such stream.
    :raises CredentialError: login refused.
    :raises ServerUnavailableError: no answer.
    """
    # The target first: what comes meanwhile counts as lag, never as progress.
    state, applied, applied_at = await applied_of(target, stream)
    # The clients block; a watcher's loop must not.
    position = await asyncio.to_thread(_position, source, target, stream)
    left = max(0, position - (lsn_from_text(applied) if applied else 0))
    age = (datetime.now(UTC) - applied_at).total_seconds() if applied_at else None
    return Lag(
        state=state,
        source_position=lsn_to_text(position),
        applied_position=applied,
        lag_bytes=left,
        seconds=0.0 if applied and not left else age,
    )


def _position(source: Connection, target: Connection, stream: str) -> int:
    """Return the ends of the topics that the stream reads, as one number."""
    with closing(connect(target, "watch")) as session:
        topics = list(read_marks(session, stream))
    bounds = true_bounds(source_cluster(source), [(topic, 0) for topic in topics])
    return sum(each.end for each in bounds.values())
