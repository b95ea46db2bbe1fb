"""How far a stream is behind, asked of two real servers; and the triggers that ask."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heavylift.errors import CredentialError, NotFoundError, ServerUnavailableError
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.lag import read_lag
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.state import StreamPhase, StreamState, ensure_state, write_stream
from tests.support.two_databases import TwoDatabases

STREAM = StreamState("m/db/forward", "changes", "7", 1, "db", "s", "p", StreamPhase.STREAMING)


def position(databases: TwoDatabases) -> int:
    [(text,)] = databases.on_source("SELECT pg_current_wal_lsn()::text")
    return lsn_from_text(text)


def note(databases: TwoDatabases, applied: int | None, applied_at: datetime | None = None) -> None:
    with connect(databases.target, "test") as session:
        ensure_state(session)
        write_stream(session, replace(STREAM, applied=applied, applied_at=applied_at))


def look(databases: TwoDatabases, stream: str = STREAM.id) -> Any:
    return asyncio.run(read_lag(databases.source, databases.target, stream))


def test_the_lag_is_the_log_between_both(databases: TwoDatabases) -> None:
    at = position(databases)
    note(databases, at, datetime.now(UTC) - timedelta(seconds=30))
    databases.on_source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)")
    lag = look(databases)
    assert lag.state == "streaming"
    assert lag.lag_bytes >= 50_000
    assert 29 < lag.seconds < 60
    assert lsn_from_text(lag.applied_position) == at


def test_a_target_that_has_everything_is_not_behind(databases: TwoDatabases) -> None:
    note(databases, position(databases) + 10**9, datetime.now(UTC) - timedelta(days=1))
    lag = look(databases)
    assert (lag.lag_bytes, lag.seconds) == (0, 0)


def test_a_stream_that_has_applied_nothing_is_all_behind(databases: TwoDatabases) -> None:
    note(databases, None)
    lag = look(databases)
    assert lag.lag_bytes > 0
    assert lag.seconds is None


def test_what_is_not_there_is_told(databases: TwoDatabases) -> None:
    with pytest.raises(NotFoundError, match="HL-6021"):
        look(databases)
    note(databases, 1)
    with pytest.raises(NotFoundError, match="HL-6021"):
        look(databases, "m/other/forward")


def test_a_server_that_does_not_answer_may_come_back_and_a_refusal_does_not(databases: TwoDatabases) -> None:
    note(databases, 1)
    away = replace(databases.source, port=9)
    with pytest.raises(ServerUnavailableError):
        asyncio.run(read_lag(away, databases.target, STREAM.id))
    wrong = replace(databases.target, password="wrong")
    with pytest.raises(CredentialError):
        asyncio.run(read_lag(databases.source, wrong, STREAM.id))
