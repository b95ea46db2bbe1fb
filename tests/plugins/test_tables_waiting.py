"""Following and waiting in the triggerer: only positions are read there, and nothing secret travels."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from heavylift.errors import CredentialError, IncompleteError, ServerUnavailableError
from heavylift.tables import wiring
from heavylift.tables.fences import acts
from heavylift.tables.postgres import lag as lagging
from heavylift.tables.postgres.lag import Lag
from heavylift_airflow.operators.tables import SnapshotTablesOperator
from heavylift_airflow.operators.tables_changes import MAX_FAILURES, SyncChangesOperator
from heavylift_airflow.sensors.replication import ReplicationCaughtUpSensor
from heavylift_airflow.triggers.replication import ChangesWaitingTrigger, ReplicationCaughtUpTrigger
from tests.plugins.tables_world import PASSWORD, connection, execute, task_of, with_database
from tests.plugins.world import World, context_of
from tests.support.fake_tables import FakeEngine

SIDES = {"source_conn_id": "features_source", "target_conn_id": "features_target"}
STREAM = "small/features/forward"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    monkeypatch.setattr(acts, "demand_direction", lambda _request: None)
    for name in ("features_source", "features_target"):
        monkeypatch.setenv(*connection(name))
    return fake


@pytest.fixture
def moved(world: World, engine: FakeEngine) -> World:
    execute(task_of(SnapshotTablesOperator, with_database(world)))
    return world


def follow_task(world: World, **arguments: Any) -> Any:
    return task_of(SyncChangesOperator, world, "sync", follow=True, **arguments)


def deferred(act: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        act()
    return caught.value


def test_following_works_until_nothing_is_left_then_waits_without_a_worker(
    moved: World, engine: FakeEngine
) -> None:
    engine.write(1, "changed")
    task = follow_task(moved)
    waiting = deferred(lambda: execute(task))
    assert engine.target == engine.source
    assert waiting.method_name == "resume"
    path, arguments = waiting.trigger.serialize()
    assert path == "heavylift_airflow.triggers.replication.ChangesWaitingTrigger"
    assert arguments == {**SIDES, "stream": STREAM, "poll_seconds": 5.0, "every_seconds": 30.0}
    assert moved.actions() == ["database.copied", "database.synced"]


def test_a_woken_task_goes_on_in_another_process_and_ends_when_its_time_is_over(
    moved: World, engine: FakeEngine
) -> None:
    waiting = deferred(lambda: execute(follow_task(moved, follow_seconds=3600.0)))
    kwargs = json.loads(json.dumps(waiting.kwargs))
    engine.write(2, "later")
    over = {**kwargs, "began": "2026-01-01T00:00:00+00:00"}
    task = follow_task(moved, follow_seconds=3600.0)
    figures = task.resume(context_of(task), {"lag_bytes": 100}, **over)
    assert engine.target[2] == "later"
    assert figures["caught_up"] is True


def test_rounds_that_bring_nothing_leave_no_evidence(moved: World, engine: FakeEngine) -> None:
    for _ in range(3):
        deferred(lambda: execute(follow_task(moved)))
    assert list(moved.evidence.rglob("sync-*.json")) == []


def test_a_server_that_is_away_is_waited_for_in_the_triggerer_but_not_for_ever(
    moved: World, engine: FakeEngine
) -> None:
    def gone() -> ServerUnavailableError:
        return ServerUnavailableError("syncing", got="a closed connection", code="6012")

    engine.fail = [gone()]
    waiting = deferred(lambda: execute(follow_task(moved)))
    assert waiting.kwargs["failures"] == 1
    engine.fail = [gone()]
    task = follow_task(moved)
    with pytest.raises(ServerUnavailableError):
        task.resume(context_of(task), {}, began=waiting.kwargs["began"], failures=MAX_FAILURES)


def sensor(world: World, **arguments: Any) -> Any:
    return task_of(ReplicationCaughtUpSensor, world, "sync", **arguments)


def test_the_sensor_passes_at_once_where_the_target_is_close(moved: World, engine: FakeEngine) -> None:
    task = sensor(moved)
    context = context_of(task)
    assert task.execute(context)["state"] == "streaming"
    assert context["ti"].pushed["lag"]["lag_seconds"] == 0


def test_the_sensor_waits_and_looks_again_itself(moved: World, engine: FakeEngine) -> None:
    for number in range(40):
        engine.write(number, "x")
    waiting = deferred(lambda: execute(sensor(moved, timeout=100)))
    assert waiting.timeout == timedelta(seconds=100)
    assert waiting.trigger.serialize() == (
        "heavylift_airflow.triggers.replication.ReplicationCaughtUpTrigger",
        {**SIDES, "stream": STREAM, "poll_seconds": 5.0, "max_lag_seconds": 30.0},
    )
    # Whatever the triggerer says, it is the stream that counts.
    deferred(lambda: sensor(moved).resume(context_of(sensor(moved)), {"lag_bytes": 0}))
    assert sensor(moved, max_lag_seconds=40.0).resume(context_of(sensor(moved)), {})["lag_rows"] == 40


def test_a_stream_that_ended_is_not_waited_for(moved: World, engine: FakeEngine) -> None:
    engine.ended = True
    with pytest.raises(IncompleteError, match=r"ended.*HL-8213"):
        execute(sensor(moved))


TRIGGERS = {
    ReplicationCaughtUpTrigger: {"max_lag_seconds": 7.5},
    ChangesWaitingTrigger: {"every_seconds": 12.5},
}


@pytest.mark.parametrize("kind", TRIGGERS, ids=lambda kind: kind.__name__)
def test_a_trigger_travels_whole_and_without_a_secret(engine: FakeEngine, kind: Any) -> None:
    made = kind(**SIDES, stream=STREAM, poll_seconds=0.5, **TRIGGERS[kind])
    path, arguments = made.serialize()
    text = json.dumps(arguments)
    assert PASSWORD not in text
    assert "127.0.0.1" not in text
    again = kind(**json.loads(text))
    assert again.serialize() == (path, arguments)


def lag(lag_bytes: int, seconds: float | None = None, state: str = "streaming") -> Lag:
    return Lag(state, "0/FF", "0/0", lag_bytes, seconds)


def fired(
    monkeypatch: pytest.MonkeyPatch, trigger: Any, *answers: Lag | Exception
) -> tuple[dict[str, Any], int]:
    """Run a trigger against what the servers answer; return its event and how often it looked."""
    looks = list(answers)

    async def answer(source: Any, target: Any, stream: str) -> Lag:
        assert (source.conn_id, target.conn_id, stream) == ("features_source", "features_target", STREAM)
        now = looks.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("it ended without an event")

    monkeypatch.setattr(lagging, "read_lag", answer)
    return asyncio.run(asyncio.wait_for(first(), 10)), len(answers) - len(looks)


def caught_up(**arguments: Any) -> ReplicationCaughtUpTrigger:
    return ReplicationCaughtUpTrigger(**SIDES, stream=STREAM, poll_seconds=0.01, **arguments)


def test_caught_up_fires_when_the_lag_is_small(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = lag(10**9, 300), lag(10**6, 20)
    event, looks = fired(monkeypatch, caught_up(max_lag_seconds=30), far, far, near, near)
    assert (event["lag_seconds"], looks) == (20, 3)
    assert fired(monkeypatch, caught_up(), far, lag(1000, None))[1] == 2
    assert fired(monkeypatch, caught_up(), far, lag(10**9, 300, state="invalid"))[1] == 2


def test_a_server_that_is_away_is_looked_for_again(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = ServerUnavailableError("asking", got="nothing", code="6012")
    assert fired(monkeypatch, caught_up(), away, away, lag(0, 0))[1] == 3


def test_a_refusal_is_told_to_the_task(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    event, _ = fired(monkeypatch, caught_up(), CredentialError("asking", got="no", code="6010"))
    assert event == {"stream": STREAM, "error": "6010"}


def test_changes_wake_the_task_and_so_does_time(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def waiting(every: float) -> ChangesWaitingTrigger:
        return ChangesWaitingTrigger(**SIDES, stream=STREAM, poll_seconds=0.01, every_seconds=every)

    noise = lag(120, 50)
    assert fired(monkeypatch, waiting(60), noise, noise, lag(300, 50), noise)[1] == 3
    assert fired(monkeypatch, waiting(0), noise, noise)[1] == 1
