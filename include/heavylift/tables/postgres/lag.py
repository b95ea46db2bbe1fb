"""How far a stream is behind, asked of both servers without blocking: for whoever only watches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.tables.postgres.connect import TYPES, conninfo, session_options, where
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.state import no_stream

if TYPE_CHECKING:
    from heavylift.connections import Connection

_POSITION = (
    "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text"
)
_THERE = "SELECT to_regclass('heavylift.stream') IS NOT NULL"
_APPLIED = (
    "SELECT state, applied_lsn::text, greatest(applied_at, caught_up_at) FROM heavylift.stream WHERE id = %s"
)


@dataclass(frozen=True)
class Lag:
    """The distance between the source's log and what is on the target.

    :param lag_bytes: of log, whoever wrote it: other databases of the server count, too.
    :param seconds: age of the oldest change that may be missing, 0 where no log is left; None where
        nothing was applied yet. An upper bound: not all log is changes.
    """

    state: str
    source_position: str
    applied_position: str
    lag_bytes: int
    seconds: float | None


async def read_lag(source: Connection, target: Connection, stream: str) -> Lag:
    """Return how far ``stream`` is behind; changes nothing.

    :raises NotFoundError: the target knows no such stream.
    :raises CredentialError: login refused.
    :raises ServerUnavailableError: no answer.
    """
    # The target first: what the source writes meanwhile counts as lag, never as progress.
    state, applied, complete_at = await applied_of(target, stream)
    position = str((await _ask(source, _POSITION))[0])
    behind = max(0, lsn_from_text(position) - lsn_from_text(applied)) if applied else 0
    age = (datetime.now(UTC) - complete_at).total_seconds() if complete_at else None
    return Lag(
        state=state,
        source_position=position,
        applied_position=applied,
        lag_bytes=behind if applied else lsn_from_text(position),
        seconds=0.0 if applied and not behind else age,
    )


async def applied_of(target: Connection, stream: str) -> tuple[str, str, datetime | None]:
    """Return a stream's state, its applied position, and when that transaction was committed."""
    if target.conn_type not in TYPES:
        from heavylift.tables.mysql.lag import applied_there

        # PyMySQL blocks; a watcher's loop must not.
        return await asyncio.to_thread(applied_there, target, stream)
    if not (await _ask(target, _THERE))[0]:
        raise no_stream(stream)
    row = await _ask(target, _APPLIED, stream)
    if not row:
        raise no_stream(stream)
    return str(row[0]), str(row[1] or ""), row[2]


async def _ask(connection: Connection, query: str, *values: Any) -> tuple[Any, ...]:
    import psycopg

    with told_as(f"asking {where(connection)} for a position", "nothing was touched"):
        session = await psycopg.AsyncConnection.connect(
            **conninfo(connection, "watch"), options=session_options(), autocommit=True
        )
        async with session:
            cursor = await session.execute(query, values or None)
            return await cursor.fetchone() or ()
