"""Endpoints as Airflow plans, brings up, verifies and removes them: approved, waited for, and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from heavylift.aio import run
from heavylift.errors import IncompleteError
from heavylift.evidence.store import open_evidence
from heavylift_airflow.operators.endpoints import (
    ApplyEndpointsOperator,
    PlanEndpointsOperator,
    RemoveEndpointsOperator,
    VerifyEndpointsOperator,
)
from heavylift_airflow.operators.provision_closing import EvaluateInfrastructureGateOperator
from tests.plugins.world import World, context_of
from tests.support.serving import deployment
from tests.support.serving_vertex import ServingVertex

Placed = tuple[World, ServingVertex]


@pytest.fixture
def placed(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Placed]:
    """Return a migration that brings up an endpoint of two deployments on Vertex AI."""
    server = ServingVertex()
    extra = dict(server.connection.extra)
    monkeypatch.setenv(
        "AIRFLOW_CONN_THERE", json.dumps({"conn_type": "google_cloud_platform", "extra": extra})
    )
    folder = Path(world.spec_path).parent
    folder.mkdir(exist_ok=True)
    (folder / "golden.json").write_text('{"instances": [[1, 2]]}')
    (folder / "answer.json").write_text('{"predictions": [3]}')
    serving = [deployment("vertex", "blue", 80), deployment("vertex", "green", 20)]
    world.save(
        datasets=[],
        gates=[],
        endpoints=[
            {
                "name": "score",
                "target": {"kind": "vertex", "connection": "there", "endpoint": "score"},
                "deployments": serving,
                "smoke": {"request": "golden.json", "expected": "answer.json"},
            }
        ],
    )
    yield world, server
    server.close()
    assert not server.rejected


def act(world: World, kind: type[Any], more: Any = None, **params: Any) -> Any:
    task = kind(task_id="task", spec_path=world.spec_path, phase="provision", **(more or {}))
    return task.execute(context_of(task, **params))


def through(world: World, kind: type[Any], **params: Any) -> Any:
    """Run a task as Airflow does: each time it is deferred, its trigger waits and it is called again."""
    task = kind(task_id="task", spec_path=world.spec_path, phase="provision")
    context = context_of(task, **params)
    method, kwargs, deferred = "execute", {}, 0
    while True:
        try:
            return getattr(task, method)(context, **kwargs), deferred
        except TaskDeferred as waiting:
            deferred += 1
            trigger = waiting.trigger
            kind_, arguments = trigger.serialize()
            assert kind_.endswith("EndpointsTrigger")
            again = type(trigger)(**{**json.loads(json.dumps(arguments)), "poll_seconds": 0.0})
            event = run(_fired(again))
            method, kwargs = (
                waiting.method_name,
                json.loads(json.dumps({**(waiting.kwargs or {}), "event": event})),
            )


async def _fired(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


def judge(world: World, gate: str, **params: Any) -> Any:
    return act(world, EvaluateInfrastructureGateOperator, {"gate": gate}, **params)


def approve(world: World, gate: str) -> None:
    asyncio.run(_approved(world, gate))


async def _approved(world: World, gate: str) -> None:
    from heavylift.evidence.records import Approval, utc_now
    from heavylift.gates.approval import record_approval
    from heavylift.gates.evaluate import latest_gate_result
    from heavylift_airflow.context import run_key
    from tests.plugins.world import NAME, RUN_ID

    key = run_key(NAME, "provision", RUN_ID)
    async with open_evidence(world.evidence.as_uri()) as store:
        kept = await latest_gate_result(store, key, gate)
        assert kept is not None
        answer = Approval(
            run=key, gate=gate, gate_result=kept.ref, approved=True, approver_id="1", approver_name="a",
            responded_at=utc_now(),
        )  # fmt: skip
        await record_approval(store, answer)


def made(world: World) -> Any:
    act(world, PlanEndpointsOperator)
    judge(world, "endpoints-reviewed")
    approve(world, "endpoints-reviewed")
    return through(world, ApplyEndpointsOperator)


def test_what_is_approved_is_made_and_proved_and_a_second_run_changes_nothing(placed: Placed) -> None:
    world, server = placed
    server.polls = 3
    figures, deferred = made(world)
    assert deferred
    assert figures["passed"]
    assert figures["begun"] == figures["things"]
    assert act(world, VerifyEndpointsOperator)["answers"] == 1
    assert judge(world, "endpoints-serving")["passed"]
    writes = len(server.writes)
    figures, deferred = through(world, ApplyEndpointsOperator)
    assert (figures["begun"], deferred, len(server.writes)) == (0, 0, writes)
    assert world.actions() == [
        "endpoints.planned", "gate.evaluated", "gate.approved", "endpoints.apply_begun", "endpoints.applied",
        "endpoints.verified", "gate.evaluated", "endpoints.apply_begun", "endpoints.applied",
    ]  # fmt: skip


def test_nothing_is_made_without_an_approval(placed: Placed) -> None:
    world, server = placed
    act(world, PlanEndpointsOperator)
    judge(world, "endpoints-reviewed")
    with pytest.raises(IncompleteError, match="HL-9299"):
        act(world, ApplyEndpointsOperator)
    assert not server.writes


def test_a_run_that_destroys_removes_all_once_approved_and_any_other_removes_nothing(placed: Placed) -> None:
    world, server = placed
    made(world)
    assert act(world, RemoveEndpointsOperator) == {}
    assert act(world, PlanEndpointsOperator, {"removal": True}) == {}
    for kind in (PlanEndpointsOperator, ApplyEndpointsOperator, VerifyEndpointsOperator):
        with pytest.raises(AirflowSkipException):
            act(world, kind, destroy=True)
    act(world, PlanEndpointsOperator, {"removal": True}, destroy=True)
    judge(world, "endpoints-removal", destroy=True)
    with pytest.raises(IncompleteError, match="HL-9299"):
        act(world, RemoveEndpointsOperator, destroy=True)
    approve(world, "endpoints-removal")
    for _ in range(2):
        figures, _deferred = through(world, RemoveEndpointsOperator, destroy=True)
        assert figures["passed"]
        assert (server.models, server.endpoints) == ({}, {})


def test_a_quota_midway_leaves_what_was_made_and_the_next_try_goes_on(placed: Placed) -> None:
    world, server = placed
    server.polls = 2
    server.quota = {"g2-standard-8"}
    with pytest.raises(IncompleteError) as told:
        made(world)
    assert told.value.code == "9290"
    assert "CustomModelServingL4GPUsPerProjectPerRegion" in told.value.got
    assert "europe-west4" in told.value.remedy
    assert "endpoint score" in told.value.state
    server.quota = set()
    uploads = server.requests.count("models.upload")
    figures, _deferred = through(world, ApplyEndpointsOperator)
    assert figures["passed"]
    assert server.requests.count("models.upload") == uploads
