"""Anti-entropy: what was proved before is trusted, and checked afresh slice by slice."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from heavylift.evidence.records import RunKey, VerificationRecord
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import open_evidence
from heavylift.locations import Location
from heavylift.objects import rolling
from heavylift.objects.api import TransferOptions, TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.objects.rolling import Slice, next_slice
from heavylift.objects.tree import changed_leaves, read_tree, slice_of
from heavylift.platforms.places import Place

COUNT = 24


@pytest.fixture
def request_(tmp_path: Path) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number in range(COUNT):
        (tmp_path / "source" / f"f{number}").write_bytes(os.urandom(100))
    return TransferRequest(
        run=RunKey(migration="m", phase="sync", run="0"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(rolling=4),
    )


async def sync(request: TransferRequest, run: int | str) -> VerificationRecord:
    request = replace(request, run=request.run.model_copy(update={"run": str(run)}))
    plan = await plan_transfer(request)
    for shard in plan.shards:
        await copy_shard(request, shard.index)
    return await verify_transfer(request)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the keys that were looked at deeply so far."""
    keys: list[str] = []
    real = rolling.look_deep

    async def look(source: object, key: str, *args: object, **options: object) -> object:
        keys.append(key)
        return await real(source, key, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rolling, "look_deep", look)
    return keys


def damage(path: Path) -> None:
    """Flip a bit in place, and put back size, inode and times: what a bad disk does."""
    before = path.stat()
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino, before.st_size, before.st_mtime_ns
    )  # fmt: skip


async def test_what_was_just_copied_is_proved_and_never_taken_on_the_copys_word(
    request_: TransferRequest, read: list[str]
) -> None:
    record = await sync(request_, 0)
    assert (record.passed, record.methods) == (True, {"read_both:crc32c": COUNT})
    assert read == []


async def test_each_run_checks_one_slice_and_all_are_checked_in_turn(
    request_: TransferRequest, read: list[str]
) -> None:
    await sync(request_, 0)
    seen: list[str] = []
    for run in range(1, 5):
        read.clear()
        record = await sync(request_, run)
        assert record.passed
        assert (record.rolling_slice, record.rolling_of) == (run % 4, 4)
        assert {slice_of(key, 4) for key in read} <= {run % 4}
        assert record.methods["proved_before"] == COUNT - len(read)
        assert record.equal.objects == COUNT
        assert f"slice {run % 4 + 1} of 4 afresh" in record.statement
        seen += read
    assert sorted(seen) == sorted(f"f{n}" for n in range(COUNT))


async def test_nothing_is_read_where_everything_is_trusted(
    request_: TransferRequest, read: list[str]
) -> None:
    request = replace(request_, options=replace(request_.options, rolling=0))
    await sync(request, 0)
    record = await sync(request, 1)
    assert (record.passed, read, record.methods) == (True, [], {"proved_before": COUNT})
    assert "none of them afresh" in record.statement


async def test_silent_damage_is_found_within_as_many_runs_as_slices_and_stays_found_until_mended(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_, 0)
    victim = tmp_path / "target" / "f7"
    damage(victim)
    records = []
    for run in range(1, 5):
        records.append(await sync(request_, run))
        if not records[-1].passed:
            break
    assert [r.passed for r in records[:-1]] == [True] * (len(records) - 1)
    found = records[-1]
    assert (found.passed, found.different, [d.key for d in found.differences]) == (False, 1, ["f7"])
    assert found.rolling_slice == slice_of("f7", 4)
    same_run = await verify_transfer(replace(request_, run=found.run))
    assert (same_run.passed, same_run.different) == (False, 1)
    mended = await sync(request_, "mended")
    assert mended.passed
    assert victim.read_bytes() == (tmp_path / "source" / "f7").read_bytes()


async def test_a_full_verification_finds_it_at_once(request_: TransferRequest, tmp_path: Path) -> None:
    await sync(request_, 0)
    damage(tmp_path / "target" / "f7")
    everything = replace(request_, options=replace(request_.options, rolling=1))
    assert (await sync(everything, 1)).different == 1
    nothing_known = replace(request_, options=replace(request_.options, rolling=None))
    assert (await verify_transfer(nothing_known)).different == 1


async def test_a_damaged_source_is_named_and_never_copied_over_the_good_object(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_, 0)
    good = (tmp_path / "target" / "f7").read_bytes()
    damage(tmp_path / "source" / "f7")
    everything = replace(request_, options=replace(request_.options, rolling=1))
    record = await sync(everything, 1)
    assert (record.passed, record.different) == (False, 1)
    assert "recorded" in record.differences[0].source
    assert record.differences[0].target == "as recorded"
    record = await sync(everything, 2)
    assert (record.passed, record.different) == (False, 1)
    assert (tmp_path / "target" / "f7").read_bytes() == good


async def test_the_root_commits_to_the_state_and_the_tree_tells_where_it_changed(
    request_: TransferRequest, tmp_path: Path
) -> None:
    first = await sync(request_, 0)
    second = await sync(replace(request_, options=replace(request_.options, rolling=0)), 1)
    (tmp_path / "source" / "f7").write_bytes(b"changed")
    third = await sync(request_, 2)
    assert first.root == second.root != third.root
    trees = []
    for record in (second, third):
        assert record.tree is not None
        trees.append(read_tree(tmp_path / "evidence" / record.tree.path))
    assert [leaf * 4 // 4096 for leaf in changed_leaves(*trees)] == [slice_of("f7", 4)]
    async with open_evidence(request_.evidence_url) as evidence:
        state = await StateLog(evidence, "m", "d").latest()
    assert state is not None
    assert (state["root"], state["objects"]) == (third.root, COUNT)
    assert state["listed_at"] < state["at"]


async def test_an_inventory_that_did_not_change_is_not_written_again(
    request_: TransferRequest, tmp_path: Path
) -> None:
    request = replace(request_, options=replace(request_.options, rolling=0))
    await sync(request, 0)
    await sync(request, 1)
    before = list((tmp_path / "evidence").rglob("inventory-*.parquet"))
    record = await sync(request, 2)
    assert record.passed
    assert list((tmp_path / "evidence").rglob("inventory-*.parquet")) == before


async def test_an_inventory_of_an_older_version_is_understood(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_, 0)
    [path] = (tmp_path / "evidence").rglob("inventory-*.parquet")
    old = pq.read_table(path).select(["rel", "source_version", "target_version", "size_bytes", "crc32c"])
    pq.write_table(old, path)
    (tmp_path / "source" / "new").write_bytes(b"new")
    record = await sync(request_, 1)
    assert (record.passed, record.methods) == (True, {"read_both:crc32c": COUNT + 1})
    rows = [
        row for p in path.parents[2].rglob("1/d/inventory-*.parquet") for row in pq.read_table(p).to_pylist()
    ]
    assert len(rows) == COUNT + 1
    assert all(row["written"] and row["proved"] for row in rows)


@pytest.mark.parametrize(
    ("state", "slices", "turn"),
    [
        (None, None, None),
        (None, 0, None),
        (None, 4, Slice(0, 4)),
        ({}, 4, Slice(0, 4)),
        ({"rolling": None}, 4, Slice(0, 4)),
        ({"rolling": {"slice": 2, "of": 4}}, 4, Slice(3, 4)),
        ({"rolling": {"slice": 3, "of": 4}}, 4, Slice(0, 4)),
        ({"rolling": {"slice": 3, "of": 8}}, 4, Slice(0, 4)),
    ],
)
def test_whose_turn_it_is(state: dict[str, object] | None, slices: int | None, turn: Slice | None) -> None:
    assert next_slice(state, slices) == turn
