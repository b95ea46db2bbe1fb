"""Plan, copy and verify as Airflow runs them, on real folders."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError, IntegrityError, PermanentError, SpecError
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from tests.plugins.world import World, context_of


def plan_task(world: World) -> PlanTransferOperator:
    return PlanTransferOperator(task_id="plan", spec_path=world.spec_path, phase="transfer", dataset="data")


def copy_task(world: World, shard: dict[str, int]) -> CopyObjectsOperator:
    return CopyObjectsOperator(
        task_id="copy", spec_path=world.spec_path, phase="transfer", dataset="data", shard=shard
    )


def verify_task(world: World) -> VerifyObjectsOperator:
    return VerifyObjectsOperator(
        task_id="verify", spec_path=world.spec_path, phase="transfer", dataset="data"
    )


def execute(task: Any, **changes: Any) -> Any:
    return task.execute(context_of(task, **changes))


def copy_all(world: World) -> list[dict[str, int]]:
    return [execute(copy_task(world, shard)) for shard in execute(plan_task(world))]


def files(world: World) -> dict[str, str]:
    return {p.name: p.read_text() for p in world.target.iterdir() if not p.name.startswith(".")}


def test_a_plan_gives_one_item_for_each_shard(world: World) -> None:
    task = plan_task(world)
    context = context_of(task)
    shards = task.execute(context)
    assert [shard["objects"] for shard in shards] == [2, 2, 1]
    assert all(set(shard) == {"shard", "objects", "size_bytes"} for shard in shards)
    assert context["ti"].pushed["plan"]["to_copy"] == 5
    assert task.evidence_path is not None
    assert (world.evidence / task.evidence_path).is_file()


def test_a_plan_tells_what_the_move_will_cost_and_take(world: World) -> None:
    task = plan_task(world)
    context = context_of(task, dry_run=True)
    task.execute(context)
    told = context["ti"].pushed["estimate"]
    assert (told["objects"], told["size_bytes"]) == (5, 5 * len("content of 0"))
    assert (told["total_usd_low"], told["total_usd_high"], told["price_unknown"]) == (0.0, 0.0, [])
    assert told["requests_low"] <= told["requests_high"]
    assert told["recommended"] == "heavylift"


def test_a_plan_above_the_specs_limit_is_refused_before_anything_moves(world: World) -> None:
    prices = Path(world.spec_path).parent / "prices.csv"
    prices.write_text("provider,tier,from_gib,to_gib,usd_per_gib\naws,internet,0,,1e5\n")
    dataset = {**world.spec["datasets"][0], "max_cost_usd": 0.001}
    world.save(datasets=[dataset], defaults={"prices": "prices.csv"})
    plan_task(world).execute(context_of(plan_task(world)))  # one's own machines bill nothing
    elsewhere = {"url": world.source.as_uri(), "platform": "aws", "connection": "here"}
    world.save(datasets=[{**dataset, "source": elsewhere}])
    with pytest.raises(ConflictError, match=r"at most 0\.00 USD.*HL-5511"):
        execute(plan_task(world), run_id="another")
    assert files(world) == {}


def test_a_plan_is_made_once_in_a_run(world: World) -> None:
    first = execute(plan_task(world))
    world.fill(20)
    assert execute(plan_task(world), attempt=2) == first
    assert len(execute(plan_task(world), run_id="another")) == 10


def test_the_form_overrides_the_shard_size(world: World) -> None:
    assert len(execute(plan_task(world), shard_objects=1)) == 5


def test_copying_moves_every_shard_and_counts_it(world: World) -> None:
    counts = copy_all(world)
    assert [count["moved"] for count in counts] == [2, 2, 1]
    assert files(world) == {f"object-{n}.txt": f"content of {n}" for n in range(5)}


def test_a_second_attempt_at_a_shard_copies_nothing_again(world: World) -> None:
    shard = execute(plan_task(world))[0]
    execute(copy_task(world, shard))
    again = execute(copy_task(world, shard), attempt=2)
    assert (again["moved"], again["unchanged"]) == (0, 2)


def test_a_shard_that_vanished_from_the_target_is_not_taken_for_proved(world: World) -> None:
    copy_all(world)
    (world.target / "object-1.txt").unlink()
    with pytest.raises(IntegrityError, match=r"1 missing.*object-1\.txt.*HL-8011"):
        execute(verify_task(world))


def test_verifying_proves_what_was_copied(world: World) -> None:
    copy_all(world)
    summary = execute(verify_task(world))
    assert summary["passed"] is True
    assert summary["objects"] == 5


def test_a_changed_byte_fails_the_verification_and_a_second_run_heals_nothing_by_itself(world: World) -> None:
    copy_all(world)
    (world.target / "object-2.txt").write_text("content of X")
    for attempt in (1, 2):
        with pytest.raises(IntegrityError, match="1 different"):
            execute(verify_task(world), attempt=attempt)
    names = sorted(p.name for p in world.run_folder().glob("data/verification-*.json"))
    assert names == ["verification-1.json", "verification-2.json"]


def test_every_act_is_in_the_audit_trail_with_who_started_the_run(world: World) -> None:
    copy_all(world)
    execute(verify_task(world))
    assert world.actions() == [
        "plan.written",
        "shard.copied",
        "shard.copied",
        "shard.copied",
        "dataset.verified",
    ]
    for entry in world.trail():
        assert entry.details["run_started_by"] == "eva"
        assert entry.actor.startswith("airflow:small.transfer.")
        assert entry.evidence


def test_a_dry_run_plans_and_maps_over_nothing(world: World) -> None:
    task = plan_task(world)
    context = context_of(task, dry_run=True)
    assert task.execute(context) == []
    assert context["ti"].pushed["plan"]["to_copy"] == 5
    for later in (copy_task(world, {"shard": 0, "objects": 1, "size_bytes": 1}), verify_task(world)):
        with pytest.raises(AirflowSkipException):
            execute(later, dry_run=True)
    assert files(world) == {}


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_conflict_fails_before_anything_moves(world: World, dry_run: bool) -> None:
    (world.target / "object-3.txt").write_text("somebody else's")
    with pytest.raises(ConflictError, match=r"object-3\.txt"):
        execute(plan_task(world), dry_run=dry_run)
    assert files(world) == {"object-3.txt": "somebody else's"}


def test_nothing_to_do_gives_no_shard(world: World) -> None:
    copy_all(world)
    execute(verify_task(world))
    assert execute(plan_task(world), run_id="second") == []


def test_a_lost_source_is_a_permanent_error(world: World) -> None:
    shutil.rmtree(world.source)
    with pytest.raises(PermanentError, match="source"):
        execute(plan_task(world))


def test_a_spec_that_broke_meanwhile_is_told(world: World) -> None:
    task = plan_task(world)
    world.save(datasets="none")
    with pytest.raises(SpecError, match="datasets"):
        execute(task)


def test_the_title_of_a_mapped_task_tells_its_shard(world: World) -> None:
    task = copy_task(world, {"shard": 7, "objects": 1200, "size_bytes": 3 * 2**20})
    assert task.shard_title == "shard 7 (1,200 objects, 3.0 MiB)"


def test_verifying_again_proves_the_same(world: World) -> None:
    copy_all(world)
    before = {path.name: path.stat().st_mtime_ns for path in world.target.iterdir()}
    assert execute(verify_task(world)) == execute(verify_task(world))
    assert {path.name: path.stat().st_mtime_ns for path in world.target.iterdir()} == before
