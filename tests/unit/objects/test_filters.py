"""Filters by size and age: what they leave out is neither moved, nor missed, nor taken for gone."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heavylift.objects.api import TransferRequest, plan_transfer, verify_transfer
from heavylift.objects.filters import Filters
from tests.unit.objects.test_transfer import in_run, move, request_, write

__all__ = ["request_"]

DAY = 86_400
NOW = datetime.now(UTC).timestamp()


@pytest.fixture
def aged(request_: TransferRequest, tmp_path: Path) -> TransferRequest:
    """Return a request of twelve objects; object n has n * 100 bytes and is n days old."""
    for path in (tmp_path / "source").rglob("f *"):
        number = int(path.name.split()[1])
        os.utime(path, (NOW - number * DAY, NOW - number * DAY))
    return request_


def on_target(tmp_path: Path) -> set[int]:
    return {int(path.name.split()[1]) for path in (tmp_path / "target").rglob("f *")}


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(), range(12)),
        (Filters(min_size=300), range(3, 12)),
        (Filters(max_size=300), range(4)),
        (Filters(min_size=200, max_size=500), range(2, 6)),
        (Filters(modified_since="132h"), range(6)),
        (Filters(modified_before="132h"), range(6, 12)),
        (Filters(modified_since="204h", modified_before="60h", max_size=700), range(3, 8)),
    ],
)
async def test_just_what_the_filters_let_through_moves_and_the_rest_is_counted(
    aged: TransferRequest, tmp_path: Path, filters: Filters, numbers: range
) -> None:
    plan, shards, verification = await move(in_run(aged, "one", filters=filters))
    assert on_target(tmp_path) == set(numbers)
    assert (plan.found.objects, plan.filtered.objects) == (len(numbers), 12 - len(numbers))
    assert plan.found.size_bytes + plan.filtered.size_bytes == sum(range(12)) * 100
    assert sum(shard.moved.objects for shard in shards) == len(numbers)
    assert (verification.passed, verification.source, verification.missing) == (True, plan.found, 0)


async def test_a_bound_on_time_takes_in_its_begin_and_leaves_out_its_end(
    request_: TransferRequest, tmp_path: Path
) -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    for number, seconds in enumerate((moment - 1, moment, moment + DAY - 1, moment + DAY)):
        path = tmp_path / "source" / "times" / f"f {number}"
        write(path, b"x")
        os.utime(path, (seconds, seconds))
    filters = Filters(modified_since="2026-11-01", modified_before="2026-11-02T00:00:00Z")
    await move(in_run(request_, "one", include=("times/*",), filters=filters))
    assert on_target(tmp_path) == {1, 2}


async def test_what_is_left_out_later_does_not_count_as_gone_and_its_copy_stays(
    aged: TransferRequest, tmp_path: Path
) -> None:
    await move(aged)
    plan, _, verification = await move(in_run(aged, "two", filters=Filters(max_size=300)))
    assert (plan.only_on_target.objects, plan.filtered.objects, plan.unchanged.objects) == (0, 8, 4)
    assert plan.actions.keys() == {"unchanged", "filtered"}
    assert (verification.passed, verification.extra) == (True, 0)
    assert on_target(tmp_path) == set(range(12))
    plan, _, _ = await move(in_run(aged, "three"))
    assert (plan.unchanged.objects, plan.to_copy.objects) == (12, 0)


async def test_ages_are_reckoned_from_the_plan_so_that_the_proof_is_about_the_same_objects(
    aged: TransferRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verified three days after it was planned: the objects have aged, the plan's choice has not."""
    from datetime import timedelta

    from heavylift.objects import diff

    request = in_run(aged, "one", filters=Filters(modified_since="132h"))
    plan, _, _ = await move(request)
    monkeypatch.setattr(diff, "utc_now", lambda: datetime.now(UTC) + timedelta(days=3))
    verification = await verify_transfer(request)
    assert (verification.passed, verification.source.objects) == (True, plan.found.objects)


async def test_an_object_that_is_left_out_cannot_stop_the_plan(
    request_: TransferRequest, tmp_path: Path
) -> None:
    write(tmp_path / "target" / "day=0" / "f 9 é", b"somebody's")
    plan = await plan_transfer(in_run(request_, "one", filters=Filters(max_size=800)))
    assert (plan.refused.objects, plan.filtered.objects) == (0, 3)


DRY: list[dict[str, Any]] = [{}, {"filters": Filters(min_size=300)}, {"exclude": ("day=1/*",)}]


@pytest.mark.parametrize("options", DRY, ids=["all", "filtered", "excluded"])
async def test_the_real_run_does_exactly_what_the_dry_run_said(
    request_: TransferRequest, tmp_path: Path, options: dict[str, Any]
) -> None:
    await move(in_run(request_, "before", include=("day=0/*",)))
    write(tmp_path / "source" / "day=0" / "f 9 é", b"changed" * 100)
    write(tmp_path / "target" / "theirs", b"not ours")
    dry = await plan_transfer(in_run(request_, "dry", dry_run=True, **options))
    plan, shards, verification = await move(in_run(request_, "real", **options))
    assert plan.actions == dry.actions
    assert verification.passed
    assert dry.actions["extra"].objects == 1
    assert dry.actions["replace"].objects == 1
    moved = [sum(getattr(s.moved, name) for s in shards) for name in ("objects", "size_bytes")]
    promised = dry.actions["copy"] + dry.actions["replace"]
    assert moved == [promised.objects, promised.size_bytes]
    assert dry.found == dry.to_copy + dry.unchanged + dry.refused
    whole = sum(tally.objects for tally in dry.actions.values())
    assert whole == dry.found.objects + dry.filtered.objects + dry.only_on_target.objects


async def test_a_dry_run_of_what_only_looks_the_same_says_that_it_will_compare(
    request_: TransferRequest, tmp_path: Path
) -> None:
    """A folder tells no checksum in its listing: equal sizes are not taken for equal objects."""
    for path in (tmp_path / "source").rglob("f *"):
        write(tmp_path / "target" / path.relative_to(tmp_path / "source"), path.read_bytes())
    dry = await plan_transfer(in_run(request_, "dry", dry_run=True))
    assert {name: tally.objects for name, tally in dry.actions.items()} == {"compare": 12}
    _, shards, _ = await move(in_run(request_, "real"))
    assert sum(shard.moved.objects for shard in shards) == 0
    assert sum(shard.unchanged.objects for shard in shards) == 12
