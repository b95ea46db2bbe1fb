"""Outside its windows a copy waits in the triggerer: no worker, no retry, and evidence of each part."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred

from heavylift.objects import copy as copying
from heavylift.objects.copy_object import copy_object
from heavylift.objects.hours import Hours
from heavylift.spec import Phase, load_specs
from heavylift_airflow.operators.transfer import CopyObjectsOperator
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.triggers.window import WindowTrigger
from tests.plugins.test_transfer_operators import copy_task, execute, files, plan_task, verify_task
from tests.plugins.world import World, context_of

OPENS, CLOSES = datetime(2026, 11, 22, 22, tzinfo=UTC), datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture
def night(world: World, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Give the spec a window and copies a clock of their own: its one item is the time."""
    now = [OPENS]
    limits = {"windows": ["22:00-06:00"], "max_concurrency": 1, "shard_objects": 100}
    world.save(defaults={"limits": limits})
    monkeypatch.setattr(copying, "Hours", partial(Hours, clock=lambda: now[0]))
    return now


def test_a_copy_that_begins_outside_the_window_is_deferred_until_it_opens(
    world: World, night: list[datetime]
) -> None:
    shard = execute(plan_task(world))[0]
    night[0] = CLOSES + timedelta(hours=4)
    with pytest.raises(TaskDeferred) as caught:
        execute(copy_task(world, shard))
    opens_at = (OPENS + timedelta(days=1)).isoformat()
    assert caught.value.trigger.serialize() == (
        "heavylift_airflow.triggers.window.WindowTrigger",
        {"opens_at": opens_at},
    )
    assert (caught.value.method_name, caught.value.timeout) == ("resume", None)
    assert files(world) == {}
    assert world.actions() == ["plan.written", "shard.waiting"]
    assert world.trail()[-1].details["opens_at"] == opens_at


def test_a_copy_that_the_closing_interrupts_goes_on_in_the_next_window_as_another_attempt(
    world: World, night: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = execute(plan_task(world))[0]
    seen: list[str] = []

    async def close_at_second(copier: Any, row: Any) -> Any:
        seen.append(row.rel)
        if len(seen) == 2:
            night[0] = CLOSES
        return await copy_object(copier, row)

    monkeypatch.setattr(copying, "copy_object", close_at_second)
    task = copy_task(world, shard)
    context = context_of(task, attempt=1)
    with pytest.raises(TaskDeferred):
        task.execute(context)
    assert len(files(world)) == 2
    night[0] = OPENS + timedelta(days=1)
    # The task runs again in another process: what it knows is what the trigger brings.
    counts = copy_task(world, shard).resume(context, {"opens_at": night[0].isoformat()})
    assert (counts["moved"], counts["unchanged"], counts["left"]) == (3, 2, 0)
    names = sorted(p.parent.name for p in world.run_folder().glob("data/shards/00000/*/result.json"))
    assert names == ["001", "002"]
    assert world.actions() == ["plan.written", "shard.waiting", "shard.copied"]
    # A retry after that, with the next number that Airflow gives, finds a free one too.
    assert execute(copy_task(world, shard), attempt=2)["unchanged"] == 5
    assert execute(verify_task(world))["passed"] is True


def test_a_spec_that_has_changed_meanwhile_holds_from_the_next_opening_on(
    world: World, night: list[datetime]
) -> None:
    shard = execute(plan_task(world))[0]
    night[0] = CLOSES
    with pytest.raises(TaskDeferred):
        execute(copy_task(world, shard))
    world.save(defaults={"limits": {}})
    task = copy_task(world, shard)
    assert task.resume(context_of(task), {})["moved"] == 5


def test_the_trigger_fires_once_its_moment_has_come_and_travels_whole() -> None:
    async def first(trigger: WindowTrigger) -> Any:
        return await anext(trigger.run())

    past = datetime.now(UTC) - timedelta(seconds=1)
    assert asyncio.run(first(WindowTrigger(past.isoformat()))).payload == {"opens_at": past.isoformat()}
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    _path, arguments = WindowTrigger(soon.isoformat()).serialize()
    asyncio.run(first(WindowTrigger(**arguments)))
    assert datetime.now(UTC) >= soon


@pytest.mark.parametrize(
    ("limits", "tasks"),
    [({}, None), ({"max_tasks": 7}, 7), ({"max_bandwidth": "1MiB/s"}, 4), ({"max_requests": "9/s"}, 4)],
)
def test_airflow_runs_no_more_copies_at_once_than_the_spec_says(
    world: World, limits: dict[str, Any], tasks: int | None
) -> None:
    world.save(defaults={"limits": limits})
    from pathlib import Path

    (loaded,) = load_specs(Path(world.spec_path).parent).valid
    dag = movement_dag(loaded, Phase.TRANSFER)
    assert dag is not None
    assert dag.get_task("data.copy").partial_kwargs.get("max_active_tis_per_dagrun") == tasks


@pytest.mark.parametrize(("own", "expected"), [(3, 3), (None, 16)])
def test_a_copy_shares_the_caps_with_as_many_as_may_run_beside_it(
    world: World, own: int | None, expected: int
) -> None:
    with DAG("small.transfer", schedule=None):
        task = CopyObjectsOperator(
            task_id="copy",
            spec_path=world.spec_path,
            phase="transfer",
            dataset="data",
            shard={"shard": 0, "objects": 1, "size_bytes": 1},
            max_active_tis_per_dagrun=own,
        )
    context = context_of(task, bandwidth_limit="16MiB/s")
    request = task.request(task.frame(context))
    assert request.options.tasks_at_once == expected
    assert request.options.limits.max_bandwidth == 16 * 2**20
