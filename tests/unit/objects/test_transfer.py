"""Plan, copy and verify together, on folders: second runs, kills, conflicts, damage."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import ConflictError, IncompleteError, IntegrityError, NotFoundError
from heavylift.evidence.paths import manifest_path
from heavylift.evidence.records import PlanRecord, RunKey, ShardResult, VerificationRecord
from heavylift.evidence.store import open_evidence
from heavylift.locations import Location
from heavylift.objects import copy as copying
from heavylift.objects.api import TransferOptions, TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.objects.copy_object import copy_object
from heavylift.objects.diff import Difference
from heavylift.objects.listing import list_to_file
from heavylift.objects.manifest import read_settled
from heavylift.objects.naming import refuse_unholdable
from heavylift.objects.verify import Checked, statement
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Limits, Sample, Verify
from heavylift.spec.vocabulary import OnConflict, OnUnholdableKey
from tests.unit.objects.fakes import FakeStore


@pytest.fixture
def request_(tmp_path: Path) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number in range(12):
        write(tmp_path / "source" / f"day={number % 3}" / f"f {number} é", os.urandom(number * 100))
    return TransferRequest(
        run=RunKey(migration="m", phase="transfer", run="one"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(limits=Limits(shard_objects=5)),
    )


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def in_run(request: TransferRequest, run: str, **options: object) -> TransferRequest:
    key = request.run.model_copy(update={"run": run})
    return replace(request, run=key, options=replace(request.options, **options))


async def move(request: TransferRequest) -> tuple[PlanRecord, list[ShardResult], VerificationRecord]:
    plan = await plan_transfer(request)
    shards = [await copy_shard(request, shard.index) for shard in plan.shards]
    return plan, shards, await verify_transfer(request)


async def test_everything_arrives_and_the_counts_add_up(request_: TransferRequest, tmp_path: Path) -> None:
    plan, shards, verification = await move(request_)
    assert [shard.found.objects for shard in shards] == [5, 5, 2]
    assert sum(s.moved.objects for s in shards) == plan.found.objects == 12
    assert sum(s.moved.size_bytes for s in shards) == plan.found.size_bytes
    assert verification.passed
    assert verification.equal == plan.found
    for path in (tmp_path / "source").rglob("f *"):
        assert (tmp_path / "target" / path.relative_to(tmp_path / "source")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("same_run", [True, False])
async def test_what_was_left_wrong_on_the_target_is_replaced(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_run: bool
) -> None:
    """By a retry of the task as by the next run; it counts as failed meanwhile, and never as equal."""
    victim = "day=1/f 4 é"
    request_ = replace(request_, options=replace(request_.options, limits=Limits()))
    copy = copying.copy_object

    async def spoil(copier: Any, row: Any) -> Any:
        if row.rel != victim:
            return await copy(copier, row)
        write(tmp_path / "target" / victim, b"w" * row.size_bytes)
        wrong = IntegrityError("deletion", code="5019")
        wrong.left_version = (await copier.target.head(victim)).object.version
        raise wrong

    await plan_transfer(request_)
    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy_object", spoil)
        with pytest.raises(IncompleteError, match="1 objects failed"):
            await copy_shard(request_, 0)
    verification = await verify_transfer(request_)
    assert (verification.passed, verification.equal.objects, verification.different) == (False, 11, 1)
    if same_run:
        shard = await copy_shard(request_, 0, 2)
        assert (shard.moved.objects, shard.unchanged.objects) == (1, 11)
    else:
        request_ = in_run(request_, "two")
        plan = await plan_transfer(request_)
        assert {name: tally.objects for name, tally in plan.actions.items()} == {
            "replace": 1,
            "unchanged": 11,
        }
        await copy_shard(request_, 0)
    assert (tmp_path / "target" / victim).read_bytes() == (tmp_path / "source" / victim).read_bytes()
    assert (await verify_transfer(request_)).passed


async def test_a_second_run_moves_nothing(request_: TransferRequest) -> None:
    await move(request_)
    plan, shards, verification = await move(in_run(request_, "two"))
    assert (plan.to_copy.objects, plan.unchanged.objects, shards) == (0, 12, [])
    assert verification.passed


async def test_who_verifies_a_run_again_has_both_sides_listed_afresh(
    request_: TransferRequest, tmp_path: Path
) -> None:
    """The first time, a plan that found nothing to do has just listed them."""
    await move(request_)
    again = in_run(request_, "two")
    plan, _, verification = await move(again)
    assert plan.target_rows is not None
    assert (verification.passed, verification.target.objects) == (True, 12)
    (tmp_path / "target" / "day=0" / "f 3 é").unlink()
    verification = await verify_transfer(again)
    assert (verification.passed, verification.missing, verification.target.objects) == (False, 1, 11)


async def test_a_second_run_moves_just_what_changed(request_: TransferRequest, tmp_path: Path) -> None:
    await move(request_)
    write(tmp_path / "source" / "day=0" / "f 3 é", b"changed")
    write(tmp_path / "source" / "new", b"new")
    plan, _, verification = await move(in_run(request_, "two"))
    assert plan.to_copy.objects == 2
    assert verification.passed
    assert (tmp_path / "target" / "day=0" / "f 3 é").read_bytes() == b"changed"


async def test_planning_again_in_a_run_gives_the_same_plan(request_: TransferRequest, tmp_path: Path) -> None:
    first = await plan_transfer(request_)
    write(tmp_path / "source" / "later", b"x")
    assert await plan_transfer(request_) == first


async def test_copying_a_shard_again_moves_nothing(request_: TransferRequest) -> None:
    await plan_transfer(request_)
    await copy_shard(request_, 0)
    again = await copy_shard(request_, 0)
    assert (again.attempt, again.moved.objects, again.unchanged.objects) == (2, 0, 5)


async def test_objects_of_a_killed_attempt_without_a_manifest_are_recognised(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await plan_transfer(request_)
    await copy_shard(request_, 0)
    (tmp_path / "evidence" / manifest_path(request_.run, "d", 0, 1, 0)).unlink()
    again = await copy_shard(request_, 0)
    assert (again.moved.objects, again.unchanged.objects) == (0, 5)


async def test_objects_of_a_killed_run_may_be_replaced_by_the_next(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await plan_transfer(request_)
    await copy_shard(request_, 0)  # and then the run is killed: no verification, no state
    write(tmp_path / "source" / "day=0" / "f 0 é", b"changed since")
    plan, _, verification = await move(in_run(request_, "two"))
    assert plan.refused.objects == 0
    assert verification.passed
    assert (tmp_path / "target" / "day=0" / "f 0 é").read_bytes() == b"changed since"


async def test_a_strangers_object_stops_the_plan_before_anything_moves(
    request_: TransferRequest, tmp_path: Path
) -> None:
    write(tmp_path / "target" / "day=0" / "f 0 é", b"somebody's")
    with pytest.raises(ConflictError, match="f 0 é"):
        await plan_transfer(request_)
    assert [p.name for p in (tmp_path / "target").rglob("*") if p.is_file()] == ["f 0 é"]


async def test_a_refused_plan_can_be_made_again_after_mending(
    request_: TransferRequest, tmp_path: Path
) -> None:
    write(tmp_path / "target" / "day=0" / "f 0 é", b"somebody's")
    with pytest.raises(ConflictError):
        await plan_transfer(request_)
    (tmp_path / "target" / "day=0" / "f 0 é").unlink()
    _, _, verification = await move(request_)
    assert verification.passed


async def test_conflicts_are_skipped_or_overwritten_as_the_spec_says(
    request_: TransferRequest, tmp_path: Path
) -> None:
    there = tmp_path / "target" / "day=0" / "f 3 é"
    write(there, b"somebody's")
    plan, _, verification = await move(in_run(request_, "skip", on_conflict=OnConflict.SKIP))
    assert (plan.refused.objects, verification.passed, verification.accepted) == (1, True, 1)
    assert there.read_bytes() == b"somebody's"
    _, _, verification = await move(in_run(request_, "over", on_conflict=OnConflict.OVERWRITE))
    assert verification.passed
    assert there.read_bytes() == (tmp_path / "source" / "day=0" / "f 3 é").read_bytes()


async def test_a_dry_run_writes_nothing_to_the_target(request_: TransferRequest, tmp_path: Path) -> None:
    plan = await plan_transfer(in_run(request_, "dry", dry_run=True))
    assert (plan.to_copy.objects, len(plan.shards)) == (12, 3)
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize("damage", ["flip", "missing", "longer"])
async def test_verification_finds_damage_that_the_mover_never_saw(
    request_: TransferRequest, tmp_path: Path, damage: str
) -> None:
    await move(request_)
    there = tmp_path / "target" / "day=2" / "f 5 é"
    data = there.read_bytes()
    if damage == "missing":
        there.unlink()
    else:
        there.write_bytes(data + b"!" if damage == "longer" else bytes([data[0] ^ 1]) + data[1:])
    verification = await verify_transfer(request_)
    assert not verification.passed
    assert verification.missing + verification.different == 1
    assert [d.key for d in verification.differences] == ["day=2/f 5 é"]


async def test_what_is_only_on_the_target_is_told_and_left(request_: TransferRequest, tmp_path: Path) -> None:
    write(tmp_path / "target" / "theirs", b"x")
    _, _, verification = await move(request_)
    assert (verification.passed, verification.extra) == (True, 1)
    assert (tmp_path / "target" / "theirs").read_bytes() == b"x"


async def test_what_changes_after_the_plan_is_left_to_the_next_run_and_told(
    request_: TransferRequest, tmp_path: Path
) -> None:
    plan = await plan_transfer(request_)
    for shard in plan.shards:
        await copy_shard(request_, shard.index)
    write(tmp_path / "source" / "day=0" / "f 3 é", b"written meanwhile")
    write(tmp_path / "source" / "appeared", b"meanwhile")
    verification = await verify_transfer(request_)
    assert (verification.passed, verification.newer_on_source) == (True, 2)
    plan, _, verification = await move(in_run(request_, "next"))
    assert plan.to_copy.objects == 2
    assert (verification.passed, verification.newer_on_source) == (True, 0)


async def test_an_object_that_vanishes_meanwhile_is_counted_as_such(
    request_: TransferRequest, tmp_path: Path
) -> None:
    plan = await plan_transfer(request_)
    (tmp_path / "source" / "day=0" / "f 0 é").unlink()
    results = [await copy_shard(request_, shard.index) for shard in plan.shards]
    assert sum(r.vanished.objects for r in results) == 1
    assert sum(r.moved.objects for r in results) == 11
    assert (await verify_transfer(request_)).passed


async def test_a_failed_object_fails_the_shard_and_the_rest_is_there(
    request_: TransferRequest, tmp_path: Path
) -> None:
    plan = await plan_transfer(request_)
    write(tmp_path / "target" / "day=0" / "f 3 é", b"somebody came in between")
    told: list[int] = []
    with pytest.raises(IncompleteError, match="1 objects failed"):
        await copy_shard(request_, 0, report=lambda progress: told.append(progress.objects_done))
    assert told[-1] == 4
    async with open_evidence(request_.evidence_url) as evidence:
        result = await evidence.read_record("m/transfer/one/d/shards/00000/001/result.json", ShardResult)
        rels = set()
        for ref in result.manifests:
            await evidence.fetch(ref.path, tmp_path / "manifest.parquet")
            rels |= read_settled(tmp_path / "manifest.parquet")[0]
    assert (result.failed.objects, result.moved.objects, result.left.objects) == (1, 4, 0)
    assert [f.key for f in result.failures] == ["day=0/f 3 é"]
    assert len(rels) == 4
    assert plan.shards[0].objects == 5


async def test_keys_that_a_folder_cannot_hold_are_named_or_skipped(tmp_path: Path) -> None:
    source = FakeStore()
    for key in ("a", "a/b", "x//y", "good"):
        source.fill(key, key.encode())
    (tmp_path / "target").mkdir()
    difference = Difference(tmp_path, 2**26)
    async with open_store(Location("file", str(tmp_path / "target")), None) as target:
        difference.compare(
            await list_to_file(source, "", lambda key: True, tmp_path / "s.parquet"),
            await list_to_file(target, "", lambda key: True, tmp_path / "t.parquet"),
        )
        await refuse_unholdable(difference, target, "", may_probe=True)
    refused, count = difference.refusals(10)
    difference.close()
    assert [item.rel for item in refused] == ["a", "x//y"]
    assert count == 2
    assert list((tmp_path / "target").iterdir()) == []


async def test_a_sample_states_what_it_proves(request_: TransferRequest) -> None:
    sample = Verify.model_validate({"mode": "sample", "sample": {"objects": 4, "confidence": 0.95}})
    _, _, verification = await move(in_run(request_, "sampled", verify=sample))
    assert verification.passed
    assert verification.equal.objects == 4
    assert "content of 4 of 12" in verification.statement
    assert "52.713%" in verification.statement  # 1 - 0.05 ** (1 / 4)


async def test_a_sample_with_differences_says_what_it_has_looked_at(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await move(request_)
    names = sorted(
        path for path in (tmp_path / "target").rglob("*") if path.is_file() and path.stat().st_size
    )
    for path in names:
        path.write_bytes(b"\0" * path.stat().st_size)
    sample = Verify.model_validate({"mode": "sample", "sample": {"objects": 4, "confidence": 0.95}})
    verification = await verify_transfer(in_run(request_, "sampled", verify=sample))
    assert (verification.passed, verification.different) == (False, 4)
    assert verification.statement == (
        "the two sides are not equal; content of 4 of 12 drawn at random (seed 0) was compared, and 4 did not"
        " prove equal: of all it is fewer than 100.000%, with 95% confidence"
    )
    checked = Checked(objects=20, of=400, wrong=1)
    said = statement(checked, Sample(objects=20), (0, 0), failed=1)
    assert "1 did not prove equal: of all it is fewer than 28.879%, with 99% confidence" in said
    names[0].write_bytes(b"longer than it was" * 1000)
    assert (await verify_transfer(in_run(request_, "whole"))).statement == "the two sides are not equal"


async def test_an_empty_source_is_an_empty_plan(request_: TransferRequest, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    plan, shards, verification = await move(replace(request_, source=Place(Location("file", str(empty)))))
    assert (plan.found.objects, shards, verification.source.objects) == (0, [], 0)


async def test_a_missing_source_says_so(request_: TransferRequest, tmp_path: Path) -> None:
    gone = Place(Location("file", str(tmp_path / "gone")))
    with pytest.raises(NotFoundError, match="gone"):
        await plan_transfer(replace(request_, source=gone))


async def test_what_is_no_object_is_named_and_never_dropped_silently(
    request_: TransferRequest, tmp_path: Path
) -> None:
    (tmp_path / "source" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ConflictError, match="link"):
        await plan_transfer(request_)
    plan, _, verification = await move(in_run(request_, "skip", on_unholdable_key=OnUnholdableKey.SKIP))
    assert [(f.rule, f.severity.value) for f in plan.findings] == [("not-an-object", "warning")]
    assert verification.passed
    assert not (tmp_path / "target" / "link").exists()
    excluded = in_run(request_, "excluded", exclude=("link",))
    assert (await plan_transfer(excluded)).findings == ()


async def test_attempts_at_one_shard_at_the_same_time_are_named(
    request_: TransferRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt stands still until the second, which takes it for dead, has ended."""
    request = in_run(request_, "one", limits=Limits(max_concurrency=1))
    await plan_transfer(request)
    both = asyncio.Event()
    waits = [True]

    async def slowly(copier: Any, row: Any) -> Any:
        if waits and row.rel.endswith("f 3 é"):
            waits.clear()
            await both.wait()
        return await copy_object(copier, row)

    monkeypatch.setattr(copying, "copy_object", slowly)
    first = asyncio.create_task(copy_shard(request, 0))
    while waits:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    second = await copy_shard(request, 0)
    both.set()
    results = [await first, second]
    assert [(result.attempt, result.overlapped) for result in results] == [(1, (2,)), (2, ())]
    assert [result.moved.objects + result.unchanged.objects for result in results] == [12, 12]
    assert sum(result.moved.objects for result in results) == 12
    assert (await verify_transfer(request)).passed
    after = await copy_shard(request, 0)
    assert (after.attempt, after.overlapped) == (3, ())
