"""Files that became folders on the source, and folders that became files, in a sync to a file system."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.errors import IncompleteError
from heavylift.evidence.records import DeletesRecord, PlanRecord, RunKey, VerificationRecord
from heavylift.locations import Location
from heavylift.objects.api import (
    TransferOptions,
    TransferRequest,
    copy_shard,
    delete_gone,
    plan_transfer,
    verify_transfer,
)
from heavylift.objects.making_way import IN_THE_WAY
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits
from heavylift.spec.vocabulary import Deletes

ASIDE = ".heavylift-quarantine"


@pytest.fixture
def request_(tmp_path: Path) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number in range(20):
        write(tmp_path / "source" / f"f{number}", b"%d" % number * 50)
    write(tmp_path / "source" / "file", b"a file")
    write(tmp_path / "source" / "folder" / "deep" / "x", b"in a folder")
    return TransferRequest(
        run=RunKey(migration="m", phase="sync", run="one"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(limits=Limits(shard_objects=8)),
    )


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(ASIDE)}


def swap(source: Path) -> None:
    (source / "file").unlink()
    write(source / "file" / "y", b"a folder now")
    write(source / "file" / "z", b"a folder now, too")
    shutil.rmtree(source / "folder")
    write(source / "folder", b"a file now")


async def sync(
    request: TransferRequest, run: str, *, told: list[str] | None = None, **options: object
) -> tuple[PlanRecord, DeletesRecord, VerificationRecord]:
    request = replace(request, run=replace_run(request.run, run), options=replace(request.options, **options))
    plan = await plan_transfer(request)
    for shard in plan.shards:
        notes = (await copy_shard(request, shard.index)).notes
        if told is not None:
            told += [note.detail for note in notes if note.rule == IN_THE_WAY]
    return plan, await delete_gone(request), await verify_transfer(request)


def replace_run(key: RunKey, run: str) -> RunKey:
    return key.model_copy(update={"run": run})


@pytest.mark.parametrize("shard_objects", [1, 8])
@pytest.mark.parametrize("policy", [Deletes.PROPAGATE, Deletes.QUARANTINE])
async def test_a_sync_follows_files_that_became_folders(
    request_: TransferRequest, tmp_path: Path, policy: Deletes, shard_objects: int
) -> None:
    request = replace(request_, options=TransferOptions(deletes=policy))
    await sync(request, "one")
    swap(tmp_path / "source")
    (tmp_path / "source" / "f3").unlink()
    told: list[str] = []
    limits = Limits(shard_objects=shard_objects)
    plan, record, verification = await sync(request, "two", told=told, limits=limits)
    assert contents(tmp_path / "target") == contents(tmp_path / "source")
    assert verification.passed
    assert plan.to_delete.objects == record.planned.objects == 3
    assert sum(tally.objects for tally in record.outcomes.values()) == 3
    assert record.failed.objects == record.kept.objects == 0
    outcome = "deleted" if policy is Deletes.PROPAGATE else "quarantined"
    assert all("went before the copy" in each and each.endswith(outcome) for each in told)
    assert sum(int(each.partition(" ")[0]) for each in told) == 2
    aside = tmp_path / "target" / ASIDE / "two"
    if policy is Deletes.QUARANTINE:
        assert contents(aside).keys() == {"file", "folder/deep/x", "f3"}
        assert (aside / "file").read_bytes() == b"a file"
    else:
        assert not aside.exists()


async def test_what_somebody_else_keeps_there_stays_and_is_named_before_anything_moves(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await sync(request_, "one", deletes=Deletes.PROPAGATE)
    swap(tmp_path / "source")
    write(tmp_path / "source" / "new", b"moves all the same")
    write(tmp_path / "target" / "folder" / "theirs", b"theirs")
    write(tmp_path / "target" / "file.tmp", b"theirs")
    os.replace(tmp_path / "target" / "file.tmp", tmp_path / "target" / "file")
    dry = replace(
        request_,
        run=replace_run(request_.run, "dry"),
        options=TransferOptions(deletes=Deletes.PROPAGATE, dry_run=True),
    )
    plan = await plan_transfer(dry)
    named = [each.subject.rpartition("/target/")[2] for each in plan.findings if each.rule == IN_THE_WAY]
    assert named == ["file", "folder/theirs"]
    with pytest.raises(IncompleteError):
        await sync(request_, "two", deletes=Deletes.PROPAGATE)
    assert (tmp_path / "target" / "file").read_bytes() == b"theirs"
    assert (tmp_path / "target" / "folder" / "theirs").read_bytes() == b"theirs"
    assert (tmp_path / "target" / "new").read_bytes() == b"moves all the same"


@pytest.mark.parametrize("kept_by", ["policy", "brake"])
async def test_nothing_makes_way_that_the_policy_or_the_brake_keeps(
    request_: TransferRequest, tmp_path: Path, kept_by: str
) -> None:
    policy = Deletes.KEEP if kept_by == "policy" else Deletes.PROPAGATE
    await sync(request_, "one", deletes=policy)
    swap(tmp_path / "source")
    if kept_by == "brake":
        for number in range(20):
            (tmp_path / "source" / f"f{number}").unlink()
    before = contents(tmp_path / "target")
    with pytest.raises(IncompleteError):
        await sync(request_, "two", deletes=policy)
    assert contents(tmp_path / "target") == before
    if kept_by == "brake":
        _, _, verification = await sync(request_, "three", deletes=policy, allow_many_deletes=True)
        assert verification.passed
        assert contents(tmp_path / "target") == contents(tmp_path / "source")
