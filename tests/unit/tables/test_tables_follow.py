"""Following a source until somebody stops it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from heavylift.errors import ConflictError, ServerUnavailableError, TransientError
from heavylift.evidence.table_records import SyncRecord
from heavylift.tables import api, wiring
from heavylift.tables.fences import acts
from heavylift.tables.follow import Watching, follow_tables, merged
from heavylift.tables.requests import TablesRequest
from tests.support.fake_tables import TABLE, FakeEngine, fake_request


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    monkeypatch.setattr(acts, "demand_direction", lambda _request: None)
    return fake


@pytest.fixture
def request_(tmp_path: Path) -> TablesRequest:
    return fake_request(tmp_path.as_uri(), phase="sync")


def gone() -> ServerUnavailableError:
    return ServerUnavailableError("syncing", got="a closed connection", code="6012")


async def begun(request: TablesRequest) -> None:
    await api.snapshot_tables(request)


def test_changes_are_applied_as_they_come_and_kept_as_one_record(
    engine: FakeEngine, request_: TablesRequest, tmp_path: Path
) -> None:
    rounds: list[SyncRecord] = []

    async def follow() -> None:
        await begun(request_)
        watching = Watching(round_done=rounds.append)
        task = asyncio.ensure_future(follow_tables(request_, watching, pause_seconds=0.01))
        for number in range(3):
            engine.write(number, f"changed {number}")
            while sum(each.changes for each in rounds) <= number:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(follow())
    assert engine.source == engine.target
    [file] = tmp_path.rglob("sync-*.json")
    record = SyncRecord.model_validate_json(file.read_text())
    assert (record.changes, record.tables) == (3, {TABLE: 3})
    assert (record.from_position, record.applied_position) == ("0/0", "0/3")
    assert len(rounds) >= 3


def test_it_ends_by_itself_after_the_time_it_was_given(engine: FakeEngine, request_: TablesRequest) -> None:
    kept: list[SyncRecord] = []

    async def follow() -> None:
        await begun(request_)
        engine.write(1, "changed")

        async def keep(record: SyncRecord, _ref: object) -> None:
            kept.append(record)

        watching = Watching(kept=keep)
        await follow_tables(request_, watching, pause_seconds=0, for_seconds=0.05)

    asyncio.run(follow())
    assert [record.changes for record in kept] == [1]


def test_it_ends_when_nothing_is_left_where_the_caller_waits_itself(
    engine: FakeEngine, request_: TablesRequest
) -> None:
    async def follow() -> None:
        await begun(request_)
        engine.write(1, "changed")
        await follow_tables(request_, Watching(), until_idle=True)
        engine.fail = [gone()]
        await follow_tables(request_, Watching(), until_idle=True)

    with pytest.raises(ServerUnavailableError):
        asyncio.run(follow())
    assert engine.source == engine.target


def test_a_server_that_is_away_is_waited_for(
    engine: FakeEngine, request_: TablesRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _seconds: sleep(0))

    async def follow() -> None:
        await begun(request_)
        engine.write(1, "changed")
        engine.fail = [gone() for _ in range(8)]
        watching = Watching(trouble=lambda _error, wait: waits.append(wait))
        await follow_tables(request_, watching, for_seconds=0.3)

    asyncio.run(follow())
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert engine.target[1] == "changed"


def test_what_no_waiting_mends_ends_it(engine: FakeEngine, request_: TablesRequest) -> None:
    async def follow() -> None:
        await begun(request_)
        engine.fail = [ConflictError("working on the stream", got="a later run", code="6022")]
        await follow_tables(request_, Watching())

    with pytest.raises(ConflictError):
        asyncio.run(follow())


def test_it_knows_what_is_transient() -> None:
    assert isinstance(gone(), TransientError)


def test_rounds_add_up(engine: FakeEngine, request_: TablesRequest) -> None:
    asyncio.run(begun(request_))
    rounds = []
    for number in range(3):
        engine.write(number, None)
        rounds.append(asyncio.run(api.sync_tables(request_))[0])
    whole = merged(rounds)
    assert whole.changes == sum(each.changes for each in rounds) == 3
    assert (whole.started_at, whole.ended_at) == (rounds[0].started_at, rounds[-1].ended_at)
