"""What has gone from the source, as Airflow's sync deals with it, on real folders."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError
from heavylift_airflow.operators.deletes import DeleteGoneOperator
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from tests.plugins.world import World, context_of


def task(kind: Any, world: World, **more: Any) -> Any:
    return kind(task_id=kind.__name__, spec_path=world.spec_path, phase="sync", dataset="data", **more)


def execute(made: Any, **changes: Any) -> Any:
    return made.execute(context_of(made, **changes))


def sync(world: World, run_id: str, **changes: Any) -> dict[str, int]:
    for shard in execute(task(PlanTransferOperator, world), run_id=run_id, **changes):
        execute(task(CopyObjectsOperator, world, shard=shard), run_id=run_id)
    counts: dict[str, int] = execute(task(DeleteGoneOperator, world), run_id=run_id, **changes)
    execute(task(VerifyObjectsOperator, world), run_id=run_id)
    return counts


@pytest.fixture
def deleting(world: World) -> World:
    world.save(datasets=[{**world.spec["datasets"][0], "deletes": "propagate"}])
    sync(world, "first")
    return world


def test_what_has_gone_is_deleted_and_noted(deleting: World) -> None:
    (deleting.source / "object-1.txt").unlink()
    counts = sync(deleting, "second")
    assert counts == {
        "planned": 1, "deleted": 1, "quarantined": 0, "already_gone": 0, "kept": 0, "failed": 0,
    }  # fmt: skip
    assert not (deleting.target / "object-1.txt").exists()
    noted = [entry for entry in deleting.trail() if entry.action == "gone.deleted"]
    assert noted[-1].details["deleted"] == 1
    assert noted[-1].evidence[0].path.endswith("data/deletes-1.json")


def test_a_second_run_of_the_task_deletes_nothing_more(deleting: World) -> None:
    (deleting.source / "object-1.txt").unlink()
    sync(deleting, "second")
    again = execute(task(DeleteGoneOperator, deleting), run_id="second", attempt=2)
    assert (again["already_gone"], again["deleted"]) == (1, 0)


def test_a_dry_run_deletes_nothing(deleting: World) -> None:
    (deleting.source / "object-1.txt").unlink()
    plan = task(PlanTransferOperator, deleting)
    context = context_of(plan, run_id="dry", dry_run=True)
    plan.execute(context)
    assert context["ti"].pushed["plan"]["to_delete"] == 1
    with pytest.raises(AirflowSkipException):
        execute(task(DeleteGoneOperator, deleting), run_id="dry", dry_run=True)
    assert (deleting.target / "object-1.txt").exists()


def test_an_empty_source_is_refused_until_somebody_allows_it(deleting: World) -> None:
    for path in deleting.source.iterdir():
        path.unlink()
    execute(task(PlanTransferOperator, deleting), run_id="second")
    with pytest.raises(ConflictError, match="HL-5044"):
        execute(task(DeleteGoneOperator, deleting), run_id="second")
    assert len(list(deleting.target.glob("object-*"))) == 5
    counts = sync(deleting, "third", allow_many_deletes=True)
    assert counts["deleted"] == 5
    noted = [entry for entry in deleting.trail() if entry.action == "gone.deleted"]
    assert "no object at all" in noted[-1].details["allowed_although"]
