"""The last tasks: the colour of a run tells the truth."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError, IncompleteError
from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator
from tests.plugins.test_transfer_operators import copy_all, execute, plan_task, verify_task
from tests.plugins.world import World, context_of, gate

ASSET = Asset("small.transferred", uri="x-heavylift://small/transferred")


class Event:
    """An outlet event."""

    extra: dict[str, Any]


def task_of(kind: type, world: World, **kwargs: Any) -> Any:
    return kind(task_id="closing", spec_path=world.spec_path, phase="transfer", **kwargs)


@pytest.fixture
def proved(world: World) -> World:
    """Return the migration, proved, with a gate that needs nobody."""
    world.save(gates=[gate("proved", approval=False)])
    copy_all(world)
    execute(verify_task(world))
    execute(EvaluateGateOperator(task_id="e", spec_path=world.spec_path, phase="transfer", gate="proved"))
    return world


def test_a_proved_run_is_green_and_tells_its_counts(proved: World) -> None:
    counts = execute(task_of(SummariseRunOperator, proved))
    assert counts == {"found": 5, "moved": 5, "unchanged": 0, "refused": 0, "failed": 0}
    entry = proved.trail()[-1]
    assert (entry.action, entry.details["passed"]) == ("run.finished", True)


def test_the_summary_carries_the_head_of_the_trail(proved: World) -> None:
    before = proved.trail()[-1].hash
    task = task_of(SummariseRunOperator, proved)
    execute(task)
    assert json.loads((proved.evidence / task.evidence_path).read_text())["audit_head"] == before


def test_summarising_again_adds_a_summary(proved: World) -> None:
    for attempt in (1, 2):
        execute(task_of(SummariseRunOperator, proved), attempt=attempt)
    assert {p.name for p in proved.run_folder().glob("summary-*")} == {"summary-1.json", "summary-2.json"}


def test_an_unverified_run_is_red_however_green_its_tasks(world: World) -> None:
    copy_all(world)
    with pytest.raises(IncompleteError, match=r"not verified.*HL-8017"):
        execute(task_of(SummariseRunOperator, world))
    assert world.trail()[-1].details["passed"] is False


def test_a_closed_gate_makes_a_run_red(world: World) -> None:
    copy_all(world)
    execute(verify_task(world))
    with pytest.raises(IncompleteError, match="gate proved has not been evaluated"):
        execute(task_of(SummariseRunOperator, world))


def test_a_run_that_did_nothing_is_red(world: World) -> None:
    with pytest.raises(IncompleteError, match="there is no plan"):
        execute(task_of(SummariseRunOperator, world))


def test_a_dry_run_is_green_when_everything_could_be_moved(world: World) -> None:
    execute(plan_task(world), dry_run=True)
    assert execute(task_of(SummariseRunOperator, world), dry_run=True)["moved"] == 0
    assert world.trail()[-1].details["dry_run"] is True


def test_a_dry_run_is_red_when_something_could_not_be_moved(world: World) -> None:
    (world.target / "object-0.txt").write_text("somebody else's")
    with pytest.raises(ConflictError):
        execute(plan_task(world), dry_run=True)
    with pytest.raises(IncompleteError, match="1 objects cannot be moved"):
        execute(task_of(SummariseRunOperator, world), dry_run=True)


def test_a_dry_run_without_a_plan_is_red(world: World) -> None:
    with pytest.raises(IncompleteError, match="there is no plan"):
        execute(task_of(SummariseRunOperator, world), dry_run=True)


def test_the_event_to_the_next_phase_says_where_the_proof_is(proved: World) -> None:
    task = task_of(PublishPhaseOperator, proved, outlets=[ASSET])
    event = Event()
    proof = task.execute({**context_of(task), "outlet_events": {ASSET: event}})
    assert event.extra == proof
    assert proof["evidence"].startswith("small/transfer/")


def test_a_report_is_written_for_every_run_and_linked_by_the_summary(proved: World) -> None:
    task = task_of(BuildReportOperator, proved)
    built = execute(task)
    assert task.evidence_path == built["report"]
    assert "small" in (proved.evidence / built["report"]).read_text()
    assert proved.actions()[-1] == "report.built"
    summary = task_of(SummariseRunOperator, proved)
    execute(summary)
    assert json.loads((proved.evidence / summary.evidence_path).read_text())["report"] == {
        "path": built["report"],
        "sha256": built["sha256"],
        "size_bytes": built["size_bytes"],
    }


def test_a_failed_run_has_a_report_too(world: World) -> None:
    copy_all(world)
    assert (world.evidence / execute(task_of(BuildReportOperator, world))["report"]).is_file()


def test_nothing_is_published_unproved_or_in_a_dry_run(world: World) -> None:
    task = task_of(PublishPhaseOperator, world, outlets=[ASSET])
    with pytest.raises(IncompleteError, match="no event was sent"):
        execute(task)
    with pytest.raises(AirflowSkipException):
        execute(task, dry_run=True)


def test_the_last_tasks_may_be_cleared_and_tell_the_same(proved: World) -> None:
    event = Event()
    publish = task_of(PublishPhaseOperator, proved, outlets=[ASSET])

    def published() -> Any:
        told = publish.execute({**context_of(publish), "outlet_events": {ASSET: event}})
        return {name: value for name, value in told.items() if name != "audit_head"}

    assert published() == published()
    reports = [execute(task_of(BuildReportOperator, proved))["report"] for _ in range(2)]
    assert len(set(reports)) == 2
    assert all((proved.evidence / each).is_file() for each in reports)
    assert execute(task_of(SummariseRunOperator, proved)) == execute(task_of(SummariseRunOperator, proved))
