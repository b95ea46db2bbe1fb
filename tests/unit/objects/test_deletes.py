"""What has gone from the source: deleted or put aside on the target, and nothing else ever."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from heavylift.errors import ConflictError, NotFoundError, UnsupportedError
from heavylift.evidence.records import DeletesRecord, PlanRecord, RunKey, VerificationRecord
from heavylift.locations import Location
from heavylift.objects import deletes as deletes_module
from heavylift.objects.api import (
    TransferOptions,
    TransferRequest,
    copy_shard,
    delete_gone,
    plan_transfer,
    purge_quarantined,
    restore_quarantined,
    verify_transfer,
)
from heavylift.objects.gone import brake_on
from heavylift.platforms.places import Place
from heavylift.spec.datasets import DeleteBrake, Limits
from heavylift.spec.vocabulary import Deletes, OnConflict, OnUnholdableKey

ASIDE = ".heavylift-quarantine"


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


@pytest.fixture
def request_(tmp_path: Path) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number in range(20):
        write(tmp_path / "source" / f"day={number % 3}" / f"f{number}", b"%d" % number * 50)
    return TransferRequest(
        run=RunKey(migration="m", phase="sync", run="one"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(limits=Limits(shard_objects=8), deletes=Deletes.PROPAGATE),
    )


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def in_run(request: TransferRequest, run: str, phase: str = "sync", **options: object) -> TransferRequest:
    key = request.run.model_copy(update={"run": run, "phase": phase})
    return replace(request, run=key, options=replace(request.options, **options))


async def copy_all(request: TransferRequest) -> PlanRecord:
    plan = await plan_transfer(request)
    for shard in plan.shards:
        await copy_shard(request, shard.index)
    return plan


async def sync(request: TransferRequest) -> tuple[PlanRecord, DeletesRecord, VerificationRecord]:
    plan = await copy_all(request)
    return plan, await delete_gone(request), await verify_transfer(request)


def keys(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ASIDE not in p.parts}


def rows_of(record: DeletesRecord, evidence: Path) -> dict[str, str]:
    rows = [row for ref in record.rows for row in pq.read_table(evidence / ref.path).to_pylist()]
    assert all(row["source_version"] and row["target_version"] for row in rows)
    return {row["rel"]: row["outcome"] for row in rows}


async def test_what_has_gone_is_deleted_and_nothing_else(request_: TransferRequest, tmp_path: Path) -> None:
    await sync(request_)
    write(tmp_path / "target" / "theirs", b"somebody's")
    for name in ("f0", "f3"):
        (tmp_path / "source" / "day=0" / name).unlink()
    plan, record, verification = await sync(in_run(request_, "two"))
    assert (plan.to_delete.objects, plan.only_on_target.objects) == (2, 3)
    assert (record.planned, record.deleted.objects, record.failed.objects) == (plan.to_delete, 2, 0)
    assert rows_of(record, tmp_path / "evidence") == {"day=0/f0": "deleted", "day=0/f3": "deleted"}
    assert keys(tmp_path / "target") == keys(tmp_path / "source") | {"theirs"}
    assert (verification.passed, verification.extra) == (True, 1)
    plan, record, _ = await sync(in_run(request_, "three"))
    assert (plan.to_delete.objects, record.planned.objects) == (0, 0)


async def test_a_dry_run_tells_the_exact_number_and_deletes_nothing(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_)
    (tmp_path / "source" / "day=0" / "f0").unlink()
    dry = in_run(request_, "dry", dry_run=True)
    plan = await plan_transfer(dry)
    assert plan.to_delete.objects == 1
    with pytest.raises(UnsupportedError, match="5043"):
        await delete_gone(dry)
    assert "day=0/f0" in keys(tmp_path / "target")


async def test_the_transfer_phase_never_deletes(request_: TransferRequest, tmp_path: Path) -> None:
    await sync(request_)
    (tmp_path / "source" / "day=0" / "f0").unlink()
    transfer = in_run(request_, "t", phase="transfer")
    plan = await copy_all(transfer)
    assert (plan.deletes, plan.to_delete.objects, plan.only_on_target.objects) == ("keep", 0, 1)
    with pytest.raises(UnsupportedError, match="5043"):
        await delete_gone(transfer)
    assert "day=0/f0" in keys(tmp_path / "target")


async def test_what_changed_on_the_target_is_kept_and_named(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_)
    (tmp_path / "source" / "day=0" / "f0").unlink()
    write(tmp_path / "target" / "day=0" / "f0", b"changed by somebody")
    plan, record, _ = await sync(in_run(request_, "two"))
    assert (plan.to_delete.objects, record.planned.objects) == (0, 0)
    assert [(f.rule, f.severity.value) for f in plan.findings] == [("target-changed", "warning")]
    assert (tmp_path / "target" / "day=0" / "f0").read_bytes() == b"changed by somebody"


async def test_what_was_found_there_equal_but_not_written_by_heavylift_is_kept(
    request_: TransferRequest, tmp_path: Path
) -> None:
    write(tmp_path / "target" / "day=0" / "f0", (tmp_path / "source" / "day=0" / "f0").read_bytes())
    await sync(request_)
    (tmp_path / "source" / "day=0" / "f0").unlink()
    plan, _, _ = await sync(in_run(request_, "two"))
    assert plan.to_delete.objects == 0
    assert [f.rule for f in plan.findings] == ["not-written-by-heavylift"]
    assert "day=0/f0" in keys(tmp_path / "target")


async def test_what_comes_back_or_changes_after_the_plan_is_kept(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_)
    for name in ("f0", "f3"):
        (tmp_path / "source" / "day=0" / name).unlink()
    second = in_run(request_, "two")
    await copy_all(second)
    write(tmp_path / "source" / "day=0" / "f0", b"back")
    write(tmp_path / "target" / "day=0" / "f3", b"changed meanwhile")
    record = await delete_gone(second)
    assert (record.kept.objects, record.deleted.objects) == (2, 0)
    assert [f.rule for f in record.findings] == ["target-changed"]
    assert {"day=0/f0", "day=0/f3"} <= keys(tmp_path / "target")


async def test_a_killed_deletion_goes_on(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sync(request_)
    for name in ("f0", "f3", "f6"):
        (tmp_path / "source" / "day=0" / name).unlink()
    second = in_run(request_, "two", limits=Limits(max_concurrency=1))
    await copy_all(second)
    real, calls = deletes_module.delete_version, []

    async def dies(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise Killed
        await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(deletes_module, "delete_version", dies)
    with pytest.raises(Killed):
        await delete_gone(second)
    monkeypatch.undo()
    record = await delete_gone(second)
    assert (record.already_gone.objects, record.deleted.objects) == (1, 2)
    assert (await verify_transfer(second)).passed
    assert keys(tmp_path / "target") == keys(tmp_path / "source")


async def test_an_empty_source_deletes_nothing_unless_allowed(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_)
    for path in list((tmp_path / "source").rglob("f*")):
        path.unlink()
    second = in_run(request_, "two")
    plan = await copy_all(second)
    assert [f.rule for f in plan.findings] == ["too-many-deletions"]
    with pytest.raises(ConflictError, match=r"no object at all.*5044"):
        await delete_gone(second)
    assert len(keys(tmp_path / "target")) == 20
    record = await delete_gone(in_run(request_, "two", allow_many_deletes=True))
    assert (record.deleted.objects, record.allowed_beyond_brake) == (20, plan.brake)
    assert keys(tmp_path / "target") == set()


async def test_a_source_that_cannot_be_listed_deletes_nothing(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_)
    (tmp_path / "source").rename(tmp_path / "elsewhere")
    with pytest.raises(NotFoundError):
        await plan_transfer(in_run(request_, "two", allow_many_deletes=True))
    assert len(keys(tmp_path / "target")) == 20


async def test_a_file_that_became_a_link_has_not_gone(request_: TransferRequest, tmp_path: Path) -> None:
    await sync(request_)
    for name in ("day=0/f0", "day=1"):
        moved = tmp_path / "elsewhere" / name
        moved.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).rename(moved)
        (tmp_path / "source" / name).symlink_to(moved)
    plan, _, _ = await sync(in_run(request_, "two", on_unholdable_key=OnUnholdableKey.SKIP))
    assert plan.to_delete.objects == 0
    assert "hidden-on-source" in {f.rule for f in plan.findings}
    assert len(keys(tmp_path / "target")) == 20


@pytest.mark.parametrize(
    ("gone", "found", "brake", "refused"),
    [
        (0, 0, DeleteBrake(), False),
        (1, 0, DeleteBrake(), True),
        (1, 0, DeleteBrake(empty_source=True), False),
        (10, 1, DeleteBrake(), False),
        (11, 10, DeleteBrake(), True),
        (11, 12, DeleteBrake(), False),
        (100, 101, DeleteBrake(), False),
        (101, 908, DeleteBrake(), True),
        (101, 909, DeleteBrake(), False),
        (101, 100, DeleteBrake(max_share=1), False),
        (5000, 1, DeleteBrake(max_share=1), False),
        (3, 4, DeleteBrake(free=2), True),
    ],
)
def test_the_brake(gone: int, found: int, brake: DeleteBrake, refused: bool) -> None:
    assert bool(brake_on(gone, found, brake)) is refused


async def test_what_is_put_aside_is_kept_whole_and_is_no_part_of_the_dataset(
    request_: TransferRequest, tmp_path: Path
) -> None:
    first = in_run(request_, "one", deletes=Deletes.QUARANTINE)
    await sync(first)
    (tmp_path / "source" / "day=0" / "f0").unlink()
    plan, record, verification = await sync(in_run(first, "two"))
    assert (plan.to_delete.objects, record.quarantined.objects) == (1, 1)
    assert (tmp_path / "target" / ASIDE / "two" / "day=0" / "f0").read_bytes() == b"0" * 50
    assert keys(tmp_path / "target") == keys(tmp_path / "source")
    assert (verification.passed, verification.extra, verification.target.objects) == (True, 0, 19)
    plan, _, _ = await sync(in_run(first, "three"))
    assert plan.only_on_target.objects == 0


@pytest.mark.parametrize("where", ["before the copy", "before the delete", "after the delete"])
async def test_putting_aside_survives_a_kill_at_each_step(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from heavylift.objects import quarantine

    first = in_run(request_, "one", deletes=Deletes.QUARANTINE)
    await sync(first)
    (tmp_path / "source" / "day=0" / "f0").unlink()
    second = in_run(first, "two")
    await copy_all(second)
    real = quarantine.delete_version

    async def dies(*args: object) -> None:
        if where == "after the delete":
            await real(*args)  # type: ignore[arg-type]
        raise Killed

    monkeypatch.setattr(quarantine, "copy_object" if where == "before the copy" else "delete_version", dies)
    with pytest.raises(Killed):
        await delete_gone(second)
    monkeypatch.undo()
    aside = tmp_path / "target" / ASIDE / "two" / "day=0" / "f0"
    assert aside.exists() or (tmp_path / "target" / "day=0" / "f0").exists()
    record = await delete_gone(second)
    assert (record.quarantined.objects, record.failed.objects) == (1, 0)
    assert aside.read_bytes() == b"0" * 50
    assert "day=0/f0" not in keys(tmp_path / "target")


async def test_an_overwritten_strangers_object_counts_as_written(
    request_: TransferRequest, tmp_path: Path
) -> None:
    write(tmp_path / "target" / "day=0" / "f0", os.urandom(7))
    await sync(in_run(request_, "one", on_conflict=OnConflict.OVERWRITE))
    (tmp_path / "source" / "day=0" / "f0").unlink()
    _, record, _ = await sync(in_run(request_, "two"))
    assert record.deleted.objects == 1


async def put_aside(request: TransferRequest, tmp_path: Path) -> TransferRequest:
    first = in_run(request, "one", deletes=Deletes.QUARANTINE)
    await sync(first)
    for name in ("f0", "f3"):
        (tmp_path / "source" / "day=0" / name).unlink()
    await sync(in_run(first, "two"))
    return first


async def test_what_was_put_aside_comes_back_and_stays(request_: TransferRequest, tmp_path: Path) -> None:
    first = await put_aside(request_, tmp_path)
    write(tmp_path / "target" / "day=0" / "f3", b"somebody's new one")
    record, ref = await restore_quarantined(first)
    assert (record.found.objects, record.done.objects, record.kept.objects) == (2, 1, 1)
    assert record.objects == ("two/day=0/f0",)
    assert ref is not None
    assert (tmp_path / "target" / "day=0" / "f0").read_bytes() == b"0" * 50
    assert (tmp_path / "target" / "day=0" / "f3").read_bytes() == b"somebody's new one"
    assert (tmp_path / "target" / ASIDE / "two" / "day=0" / "f3").exists()
    assert not (tmp_path / "target" / ASIDE / "two" / "day=0" / "f0").exists()
    plan, deleted, verification = await sync(in_run(first, "three"))
    assert (plan.to_delete.objects, deleted.quarantined.objects, verification.passed) == (0, 0, True)
    assert "day=0/f0" in keys(tmp_path / "target")


async def test_only_what_is_old_enough_is_purged(request_: TransferRequest, tmp_path: Path) -> None:
    first = await put_aside(request_, tmp_path)
    aside = tmp_path / "target" / ASIDE / "two" / "day=0"
    long_ago = 1_700_000_000
    os.utime(aside / "f0", (long_ago, long_ago))
    dry, ref = await purge_quarantined(in_run(first, "dry", dry_run=True), timedelta(days=30))
    assert (dry.found.objects, ref, (aside / "f0").exists()) == (1, None, True)
    record, _ = await purge_quarantined(first, timedelta(days=30))
    assert (record.found.objects, record.done.objects) == (1, 1)
    assert sorted(p.name for p in aside.iterdir()) == ["f3"]


async def test_another_source_under_the_same_name_deletes_nothing(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_)
    for number in range(1, 20):
        write(tmp_path / "other" / f"day={number % 3}" / f"f{number}", b"%d" % number * 50)
    second = replace(in_run(request_, "two"), source=Place(Location("file", str(tmp_path / "other"))))
    plan = await plan_transfer(second)
    assert plan.to_delete.objects == 1
    with pytest.raises(ConflictError, match=r"the source was .* when the dataset was last verified"):
        await delete_gone(second)
    assert "day=0/f0" in keys(tmp_path / "target")
