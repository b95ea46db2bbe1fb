"""The watch beside a switch: deferred at once, ends what nobody else ends, and fires with the task's end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSkipException, TaskDeferred
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from heavylift.cutover import pauses
from heavylift.fencing import Side
from heavylift_airflow.operators.cutover_acts import PromoteCutoverOperator, RollBackOperator
from heavylift_airflow.sensors.pause import WatchPauseSensor
from heavylift_airflow.triggers.pause import PauseTrigger
from tests.plugins.test_switch_operators import Switching, switching, turn
from tests.support.memory_switch import Fate, KilledError

__all__ = ["switching", "turn"]


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Return what Airflow tells of the watched task, one look after the other; the last one stays."""
    told: list[str | None] = []

    def answer(**asked: Any) -> dict[str, Any]:
        state = told.pop(0) if len(told) > 1 else told[0]
        if state is None:
            raise AirflowRuntimeError(ErrorResponse())
        return {asked["run_ids"][0]: {asked["task_ids"][0]: state}}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(answer))
    return told


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every pause be too long."""
    monkeypatch.setattr(pauses, "GRACE_SECONDS", -100.0)


def trigger_of(turn: Switching) -> PauseTrigger:
    with pytest.raises(TaskDeferred) as deferred:
        turn.do(WatchPauseSensor, watched="promote")
    made = deferred.value.trigger
    assert isinstance(made, PauseTrigger)
    path, arguments = made.serialize()
    assert path.endswith("triggers.pause.PauseTrigger")
    return PauseTrigger(**{**arguments, "poll_seconds": 0.0})


def event_of(trigger: PauseTrigger) -> Any:
    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        return None

    return asyncio.run(first())


def killed_while_frozen(turn: Switching) -> None:
    """Kill a promotion at the first call after which nobody can write."""
    for at in range(1, 200):
        turn.fate = Fate("kill", at, after=True)
        with pytest.raises(KilledError):
            turn.do(PromoteCutoverOperator)
        turn.fate = Fate()
        if all(fence.frozen for fence in turn.workload.databases[0].fences.values()):
            return
    raise AssertionError("never frozen")


@pytest.mark.usefixtures("impatient")
def test_what_a_killed_switch_has_left_frozen_goes_on_and_its_retry_comes_to_the_goal(
    turn: Switching, states: list[str | None]
) -> None:
    killed_while_frozen(turn)
    # Airflow that can't tell how the task stands keeps nobody from looking.
    states += ["", None, "running", "success"]
    assert event_of(trigger_of(turn)) == {"state": "success", "ended": 1}
    assert turn.is_at(Side.SOURCE)
    assert turn.world.actions()[-1] == "cutover.pause_ended"
    assert turn.do(PromoteCutoverOperator)["outcome"] == "switched"
    assert turn.is_at(Side.TARGET)


@pytest.mark.usefixtures("impatient")
def test_a_later_turn_is_left_to_whoever_took_it(turn: Switching, states: list[str | None]) -> None:
    turn.do(RollBackOperator, phase="rollback", run_id="manual__later")
    for fence in turn.workload.databases[0].fences.values():
        fence.frozen = True
    states += ["running", "failed"]
    assert event_of(trigger_of(turn)) == {"state": "failed", "ended": 0}
    assert all(fence.frozen for fence in turn.workload.databases[0].fences.values())


@pytest.mark.usefixtures("impatient")
def test_what_does_not_answer_is_asked_again(turn: Switching, states: list[str | None]) -> None:
    killed_while_frozen(turn)
    turn.fate = Fate("error", 1)
    states += ["running", "running", "failed"]
    assert event_of(trigger_of(turn)) == {"state": "failed", "ended": 1}


def test_beside_a_task_that_is_retried_it_is_deferred_again(turn: Switching) -> None:
    for _ in range(2):
        assert trigger_of(turn).watched["task_id"] == "promote"


def test_a_rehearsal_needs_none_and_the_end_is_told(turn: Switching) -> None:
    with pytest.raises(AirflowSkipException):
        turn.do(WatchPauseSensor, watched="promote", rehearse=True)
    sensor = WatchPauseSensor(
        task_id="task", spec_path=turn.world.spec_path, phase="cutover", watched="promote"
    )
    assert sensor.resume({}, {"state": "success", "ended": 1}) == {"ended": 1}
