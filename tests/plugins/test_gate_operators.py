"""A gate: judged by evidence, waited for, approved by a person, and by nothing else."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import (
    AirflowSkipException,
    DownstreamTasksSkipped,
    TaskAwaitingInput,
    TaskDeferred,
)

from heavylift.errors import IncompleteError, SpecError
from heavylift.evidence.records import CheckOutcome
from heavylift_airflow.operators import gates as gates_module
from heavylift_airflow.operators.closing import PublishPhaseOperator
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.sensors.gate import GateSensor
from heavylift_airflow.triggers.gate import GateTrigger
from tests.plugins.test_transfer_operators import copy_all, verify_task
from tests.plugins.world import World, context_of, gate


def build(kind: type, world: World, **kwargs: Any) -> Any:
    return kind(task_id="task", spec_path=world.spec_path, phase="transfer", gate="proved", **kwargs)


def execute(task: Any, **changes: Any) -> Any:
    return task.execute(context_of(task, **changes))


@pytest.fixture
def proved(world: World) -> World:
    """Return the migration with everything copied and verified."""
    copy_all(world)
    task = verify_task(world)
    task.execute(context_of(task))
    return world


@pytest.fixture
def judged(proved: World) -> World:
    """Return it with the gate's result written."""
    execute(build(EvaluateGateOperator, proved))
    return proved


def publish(world: World, **changes: Any) -> Any:
    task = PublishPhaseOperator(task_id="publish_result", spec_path=world.spec_path, phase="transfer")
    return task.execute({**context_of(task, **changes), "outlet_events": {}})


def ask(world: World) -> tuple[GateApprovalOperator, TaskAwaitingInput]:
    """Let the approval task ask, as far as Airflow's own part begins."""
    task = build(GateApprovalOperator, world)
    with pytest.raises(TaskAwaitingInput) as waiting:
        execute(task)
    return task, waiting.value


def answer(
    world: World, waiting: TaskAwaitingInput, option: str, user: str | None = "eva", comment: str = ""
) -> Any:
    """Resume a new process's copy of the task with an answer."""
    assert waiting.kwargs is not None
    event = {
        "chosen_options": [option],
        "params_input": {"comment": comment} if comment else {},
        "responded_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "responded_by_user": {"id": user, "name": user} if user else None,
        "timedout": user is None,
    }
    with DAG("small.transfer", schedule=None):
        task = build(GateApprovalOperator, world)
        task >> PublishPhaseOperator(task_id="publish_result", spec_path=world.spec_path, phase="transfer")
    return task.execute_complete(context_of(task), event=event, **waiting.kwargs)


@pytest.fixture(autouse=True)
def _no_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow stores the question through its API server; there is none in this layer."""
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)


def test_a_proved_run_opens_its_gate(proved: World) -> None:
    summary = execute(build(EvaluateGateOperator, proved))
    assert (summary["passed"], summary["failed"]) == (True, 0)
    assert proved.actions()[-1] == "gate.evaluated"


def test_without_a_verification_the_gate_is_closed_and_says_why(world: World) -> None:
    copy_all(world)
    with pytest.raises(IncompleteError, match=r"checks that do not hold.*data.*HL-8014"):
        execute(build(EvaluateGateOperator, world))
    result = json.loads((world.run_folder() / "gates" / "proved" / "1.json").read_text())
    assert result["passed"] is False
    assert world.trail()[-1].details["passed"] is False


def test_judging_again_adds_a_result(judged: World) -> None:
    execute(build(EvaluateGateOperator, judged), attempt=2)
    assert len(list((judged.run_folder() / "gates" / "proved").iterdir())) == 2


def test_a_gate_that_left_the_spec_stays_closed(judged: World) -> None:
    judged.save(gates=[gate("another", approval=False)])
    for kind in (EvaluateGateOperator, GateSensor, GateApprovalOperator):
        with pytest.raises(SpecError, match="HL-8013"):
            execute(build(kind, judged))


def test_the_sensor_is_done_at_once_where_there_is_a_result(judged: World) -> None:
    assert execute(build(GateSensor, judged))["passed"] is True


def test_the_sensor_fails_where_the_result_did_not_pass(world: World) -> None:
    with pytest.raises(IncompleteError):
        execute(build(EvaluateGateOperator, world))
    with pytest.raises(IncompleteError, match="HL-8016"):
        execute(build(GateSensor, world))


def test_the_sensor_defers_until_the_gate_is_judged(proved: World) -> None:
    task = build(GateSensor, proved, poke_interval=0.01)
    with pytest.raises(TaskDeferred) as deferred:
        execute(task)
    assert deferred.value.timeout is not None
    class_path, kwargs = deferred.value.trigger.serialize()
    assert class_path == "heavylift_airflow.triggers.gate.GateTrigger"
    json.dumps(kwargs)

    async def wait() -> Any:
        events = GateTrigger(**kwargs).run()
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.05)
        assert not first.done()
        await asyncio.to_thread(execute, build(EvaluateGateOperator, proved))
        return (await first).payload

    event = asyncio.run(wait())
    resumed = build(GateSensor, proved)
    assert resumed.resume(context_of(resumed), event)["passed"] is True


def test_the_sensor_does_not_believe_the_triggerer(proved: World) -> None:
    task = build(GateSensor, proved)
    with pytest.raises(TaskDeferred):
        task.resume(context_of(task), {"gate": "proved"})


def test_the_question_shows_every_check_and_where_the_evidence_is(judged: World) -> None:
    task, _waiting = ask(judged)
    assert task.body is not None
    assert "✓ passed | counts_equal | data" in task.body
    assert "/heavylift/evidence/small.transfer/small/transfer/" in task.body


def test_names_of_objects_cannot_dress_up_the_question(judged: World) -> None:
    row = gates_module._row(
        CheckOutcome(name="no_findings", subject="data", passed=False, detail="[Approve](http://x) <b>|\nnow")
    )
    assert row == r"| ✗ failed | no_findings | data | \[Approve\](http://x) \<b\>\| now |"


def test_an_approval_opens_the_gate_and_is_in_the_trail(judged: World) -> None:
    _task, waiting = ask(judged)
    with pytest.raises(IncompleteError, match="waits for approval"):
        publish(judged)
    answer(judged, waiting, "Approve", comment="looks right")
    entry = judged.trail()[-1]
    assert (entry.action, entry.actor, entry.subject) == ("gate.approved", "eva", "proved")
    stored = json.loads((judged.evidence / entry.evidence[0].path).read_text())
    assert stored["comment"] == "looks right"
    assert publish(judged)["migration"] == "small"


def test_a_rejection_skips_what_follows_and_is_in_the_trail(judged: World) -> None:
    _task, waiting = ask(judged)
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        answer(judged, waiting, "Reject")
    assert skipped.value.tasks == ["publish_result"]
    assert judged.trail()[-1].action == "gate.rejected"
    with pytest.raises(IncompleteError, match="rejected by eva"):
        publish(judged)


def test_nobodys_answer_in_time_is_a_rejection(judged: World) -> None:
    _task, waiting = ask(judged)
    with pytest.raises(DownstreamTasksSkipped):
        answer(judged, waiting, "Reject", user=None)
    assert judged.trail()[-1].actor == "nobody"
    with pytest.raises(IncompleteError, match="rejected by nobody"):
        publish(judged)


def test_an_approval_does_not_count_for_a_later_result(judged: World) -> None:
    _task, waiting = ask(judged)
    answer(judged, waiting, "Approve")
    execute(build(EvaluateGateOperator, judged), attempt=2)
    with pytest.raises(IncompleteError, match="waits for approval"):
        publish(judged)
    ask(judged)


def test_nobody_is_asked_twice_about_the_same_result(judged: World) -> None:
    _task, waiting = ask(judged)
    answer(judged, waiting, "Approve")
    assert execute(build(GateApprovalOperator, judged)) == {"gate": "proved", "approved": True}


def test_an_answer_whose_task_was_killed_is_recorded_once(judged: World) -> None:
    _task, waiting = ask(judged)
    answer(judged, waiting, "Approve")
    answer(judged, waiting, "Approve")
    assert judged.actions().count("gate.approved") == 1


@pytest.mark.parametrize("judge_first", [True, False])
def test_there_is_nothing_to_approve_without_a_passed_result(world: World, judge_first: bool) -> None:
    if judge_first:
        with pytest.raises(IncompleteError):
            execute(build(EvaluateGateOperator, world))
    with pytest.raises(IncompleteError, match="HL-8015"):
        execute(build(GateApprovalOperator, world))


def test_marking_the_approval_successful_opens_nothing(judged: World) -> None:
    ask(judged)
    with pytest.raises(IncompleteError, match=r"waits for approval.*HL-8017"):
        publish(judged)


def test_a_dry_run_asks_nobody(judged: World) -> None:
    for kind in (EvaluateGateOperator, GateSensor, GateApprovalOperator):
        with pytest.raises(AirflowSkipException):
            execute(build(kind, judged), dry_run=True)


def test_the_trigger_waits_out_a_store_that_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from heavylift.errors import ServerUnavailableError
    from heavylift_airflow.triggers import gate as trigger_module

    calls: list[int] = []
    twice = asyncio.Event()

    class DownHook:
        def __init__(self, *_args: Any) -> None:
            calls.append(1)
            if len(calls) == 2:
                twice.set()

        def open(self) -> Any:
            raise ServerUnavailableError("opening the evidence store")

    async def look_twice() -> None:
        monkeypatch.setattr(trigger_module, "EvidenceHook", DownHook)
        trigger = GateTrigger(
            "evidence", None, {"migration": "m", "phase": "transfer", "run": "r"}, "proved", 0.001
        )
        waiting = asyncio.ensure_future(anext(trigger.run()))
        await twice.wait()
        waiting.cancel()

    asyncio.run(asyncio.wait_for(look_twice(), 5))


def test_a_sensor_that_is_cleared_sees_the_same_result(judged: World) -> None:
    first, second = (execute(build(GateSensor, judged), attempt=attempt) for attempt in (1, 2))
    assert first == second
