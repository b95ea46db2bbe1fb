"""The offline path's operators: people asked and believed by the audit trail alone, work done between."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from heavylift.errors import ConflictError, IncompleteError, IntegrityError, PermanentError
from heavylift_airflow.operators.appliance import (
    CheckDeviceOperator,
    IngestDeviceOperator,
    LoadDeviceOperator,
    PlanDevicesOperator,
    ReconcileDeviceOperator,
)
from heavylift_airflow.operators.appliance_closing import PublishShipmentOperator, SummariseShipmentOperator
from heavylift_airflow.operators.appliance_steps import DONE, LOST, DeviceStepOperator
from tests.plugins.world import World, context_of


@pytest.fixture(autouse=True)
def _no_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow stores the question through its API server; there is none in this layer."""
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)


@pytest.fixture
def offline(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return the migration with a dataset that travels in a folder."""
    (world.root / "mnt" / "data-01").mkdir(parents=True)
    for name in ("HERE", "THERE"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", '{"conn_type": "fs"}')
    [dataset] = world.spec["datasets"]
    appliance = {
        "device": {"model": "box", "capacity": "1MB"},
        "mount": (world.root / "mnt").as_uri(),
        "require_mount_point": False,
        "ingest": "copy",
    }
    world.save(datasets=[dataset | {"appliance": appliance}])
    return world


def build(kind: type, world: World, **kwargs: Any) -> Any:
    return kind(task_id="task", spec_path=world.spec_path, phase="appliance", **kwargs)


def plan(world: World, **params: Any) -> list[dict[str, Any]]:
    task = build(PlanDevicesOperator, world, dataset="data")
    devices: list[dict[str, Any]] = task.execute(context_of(task, **params))
    return devices


DEVICE = {"device": "data-01", "objects": 5, "size_bytes": 60}


def work(kind: type, world: World) -> Any:
    task = build(kind, world, dataset="data", device=DEVICE)
    return task.execute(context_of(task))


def ask(world: World, state: str) -> Any:
    """Let a task ask; return its result where nobody had to be asked."""
    task = build(DeviceStepOperator, world, dataset="data", device=DEVICE, state=state)
    return task.execute(context_of(task))


def answer(world: World, state: str, option: str = DONE, **given: str) -> Any:
    """Ask, then resume a new process's copy of the task with an answer."""
    with pytest.raises(TaskAwaitingInput) as waiting:
        ask(world, state)
    task = build(DeviceStepOperator, world, dataset="data", device=DEVICE, state=state)
    event = {
        "chosen_options": [option],
        "params_input": {name: given.get(name) for name in task.params},
        "responded_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "responded_by_user": {"id": "ida", "name": "Ida"},
        "timedout": False,
    }
    return task.execute_complete(context_of(task), event=event, **(waiting.value.kwargs or {}))


def load(world: World) -> None:
    plan(world)
    answer(world, "ordered", job="J-1")
    answer(world, "delivered", serial="S-1")
    work(LoadDeviceOperator, world)


def close(world: World) -> Any:
    task = build(SummariseShipmentOperator, world)
    return task.execute(context_of(task))


def publish(world: World) -> Any:
    task = build(PublishShipmentOperator, world)
    return task.execute({**context_of(task), "outlet_events": {}})


def data(world: World) -> Path:
    return world.root / "mnt" / "data-01" / "data"


def test_from_the_plan_to_the_event_that_starts_the_transfer(offline: World) -> None:
    assert plan(offline) == [{"device": "data-01", "objects": 5, "size_bytes": 60}]
    assert answer(offline, "ordered", job="J-1") == {"device": "data-01", "state": "ordered"}
    assert answer(offline, "delivered", serial="S-1")["state"] == "delivered"
    assert work(LoadDeviceOperator, offline)["on_device"] == 5
    assert work(CheckDeviceOperator, offline)["equal"] == 5
    assert answer(offline, "shipped", tracking="1Z")["state"] == "shipped"
    assert work(IngestDeviceOperator, offline)["copied"] == 5
    with pytest.raises(IncompleteError, match="is ingested"):
        publish(offline)
    assert work(ReconcileDeviceOperator, offline)["equal"] == 5
    assert publish(offline)["audit_head"]
    assert close(offline)["moved"] == 5
    assert {path.name for path in offline.target.iterdir()} == {f"object-{n}.txt" for n in range(5)}
    taken = [(entry.action, entry.actor) for entry in offline.trail() if entry.details.get("step")]
    assert taken == [
        ("appliance.ordered", "ida"),
        ("appliance.delivered", "ida"),
        ("appliance.loaded", "airflow:small.transfer.task"),
        ("appliance.shipped", "ida"),
        ("appliance.ingested", "airflow:small.transfer.task"),
        ("appliance.reconciled", "airflow:small.transfer.task"),
    ]


def test_every_task_may_be_cleared_at_the_end(offline: World) -> None:
    test_from_the_plan_to_the_event_that_starts_the_transfer(offline)
    steps = len([entry for entry in offline.trail() if entry.details.get("step")])
    plan(offline)
    for state in ("ordered", "delivered", "shipped", "ingested"):
        assert ask(offline, state) == {"device": "data-01", "state": "reconciled"}
    for kind in (LoadDeviceOperator, CheckDeviceOperator, IngestDeviceOperator, ReconcileDeviceOperator):
        work(kind, offline)
    assert len([entry for entry in offline.trail() if entry.details.get("step")]) == steps
    assert close(offline)["moved"] == 5


def test_a_task_that_was_marked_successful_moves_no_device_on(offline: World) -> None:
    plan(offline)
    with pytest.raises(IncompleteError, match=r"a device that is planned.*HL-8050"):
        ask(offline, "delivered")
    with pytest.raises(ConflictError, match="HL-5710"):
        work(LoadDeviceOperator, offline)
    with pytest.raises(IncompleteError, match="is planned"):
        close(offline)


def test_an_answer_that_lacks_what_it_must_tell_records_nothing(offline: World) -> None:
    plan(offline)
    with pytest.raises(PermanentError, match="HL-5711"):
        answer(offline, "ordered")
    answer(offline, "ordered", job="J-1")
    with pytest.raises(PermanentError, match="HL-5720"):
        answer(offline, "delivered", serial="S-1", mounted_at="../../etc")
    assert answer(offline, "delivered", serial="S-1", mounted_at="data-01")["state"] == "delivered"


def test_a_damaged_device_does_not_leave(offline: World) -> None:
    load(offline)
    (data(offline) / "object-3.txt").write_text("content of X")
    with pytest.raises(IntegrityError, match=r"1 different.*object-3\.txt.*HL-5738"):
        work(CheckDeviceOperator, offline)
    with pytest.raises(IncompleteError, match="HL-5736"):
        answer(offline, "shipped", tracking="1Z")
    assert work(LoadDeviceOperator, offline)["loaded"] == 1
    assert work(CheckDeviceOperator, offline)["equal"] == 5
    assert answer(offline, "shipped", tracking="1Z")["state"] == "shipped"


def test_a_lost_device_ends_and_its_objects_are_left_to_the_transfer(offline: World) -> None:
    load(offline)
    work(CheckDeviceOperator, offline)
    with pytest.raises(AirflowSkipException, match="lost"):
        answer(offline, "shipped", LOST, reason="dropped")
    with pytest.raises(AirflowSkipException, match="lost"):
        ask(offline, "ingested")
    assert publish(offline)
    counts = close(offline)
    assert (counts["found"], counts["moved"]) == (5, 0)
    assert [item["device"] for item in plan(offline)] == ["data-01", "data-02"]


def test_a_dry_run_plans_and_asks_nobody(offline: World) -> None:
    assert plan(offline, dry_run=True) == []
    task = build(SummariseShipmentOperator, offline)
    assert task.execute(context_of(task, dry_run=True))["found"] == 5


def test_another_device_at_the_same_place_is_not_written_to(offline: World) -> None:
    load(offline)
    marker = offline.root / "mnt" / "data-01" / "heavylift" / "device.json"
    marker.write_text(marker.read_text().replace("S-1", "S-2"))
    with pytest.raises(ConflictError, match="HL-5724"):
        work(LoadDeviceOperator, offline)


def test_an_event_that_is_sent_again_tells_the_same(offline: World) -> None:
    test_from_the_plan_to_the_event_that_starts_the_transfer(offline)
    first, second = ({**publish(offline), "audit_head": ""} for _ in range(2))
    assert first == second
