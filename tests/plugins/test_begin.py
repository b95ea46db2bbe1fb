"""The first task: one phase at a time."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import DownstreamTasksSkipped

from heavylift.errors import TransientError
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.closing import SummariseRunOperator
from heavylift_airflow.operators.transfer import VerifyObjectsOperator
from tests.plugins.world import World, context_of


def begin_task(world: World, *, gives_way: bool) -> BeginRunOperator:
    common = {"spec_path": world.spec_path, "phase": "transfer"}
    with DAG("small.transfer", schedule=None):
        begin = BeginRunOperator(
            task_id="begin_run", rival_dag_id="small.sync", gives_way=gives_way, **common
        )
        verify = VerifyObjectsOperator(task_id="verify", dataset="data", **common)
        begin >> verify >> SummariseRunOperator(task_id="summarise_run", **common)
    return begin


def execute(task: BeginRunOperator, **changes: Any) -> Any:
    return task.execute(context_of(task, **changes))


@pytest.mark.parametrize("gives_way", [True, False])
def test_alone_it_notes_who_started_the_run(world: World, gives_way: bool) -> None:
    assert execute(begin_task(world, gives_way=gives_way)) == {"started_by": "eva"}
    (entry,) = world.trail()
    assert (entry.action, entry.actor, entry.phase) == ("run.started", "eva", "transfer")


def test_the_options_of_the_run_are_in_the_trail(world: World) -> None:
    execute(begin_task(world, gives_way=False), dry_run=True, bandwidth_limit="1MiB/s")
    details = world.trail()[0].details
    assert (details["dry_run"], details["bandwidth_bytes_per_second"]) == (True, 2**20)


def test_a_transfer_waits_for_the_sync_by_retrying(world: World) -> None:
    with pytest.raises(TransientError, match=r"running small\.sync.*HL-8012"):
        execute(begin_task(world, gives_way=False), running={"small.sync": 1})
    assert not (world.evidence / "small").exists()


def test_a_sync_gives_way_with_all_its_tasks_skipped(world: World) -> None:
    task = begin_task(world, gives_way=True)
    context = context_of(task, running={"small.sync": 1})
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        task.execute(context)
    assert set(skipped.value.tasks) == {"verify", "summarise_run"}
    assert "skipmixin_key" in context["ti"].pushed


def test_runs_of_other_migrations_do_not_matter(world: World) -> None:
    execute(begin_task(world, gives_way=False), running={"other.sync": 3})


@pytest.mark.parametrize("gives_way", [True, False])
def test_beginning_again_only_notes_it_again(world: World, gives_way: bool) -> None:
    first, second = (execute(begin_task(world, gives_way=gives_way), attempt=each) for each in (1, 2))
    assert first == second
    assert [(entry.action, entry.details["attempt"]) for entry in world.trail()] == [
        ("run.started", 1), ("run.started", 2),
    ]  # fmt: skip
