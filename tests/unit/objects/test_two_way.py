"""Two folders that are both written to: every change is carried over, and nothing is lost."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.errors import ConflictError
from heavylift.evidence.records import RunKey
from heavylift.locations import Location
from heavylift.objects.api import TransferOptions, TransferRequest, TwoWay, sync_two_way
from heavylift.platforms.places import Place
from heavylift.spec.datasets import DeleteBrake
from heavylift.spec.vocabulary import Conflicts, Deletes

ASIDE = ".heavylift-quarantine"
RUNS = iter(range(1, 10_000))


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


@pytest.fixture
def request_(tmp_path: Path) -> TransferRequest:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    return TransferRequest(
        run=RunKey(migration="m", phase="sync", run="r0"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(deletes=Deletes.QUARANTINE),
    )


def write(root: Path, **objects: str) -> None:
    for name, text in objects.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def look(root: Path) -> dict[str, str]:
    found = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if ASIDE not in name}


def kept(root: Path) -> list[str]:
    return sorted(path.read_text() for path in root.rglob("*") if path.is_file() and ASIDE in str(path))


async def sync(request: TransferRequest, policy: Conflicts = Conflicts.STOP) -> TwoWay:
    run = (
        replace(request.run, run=f"r{next(RUNS)}")
        if False
        else RunKey(migration="m", phase="sync", run=f"r{next(RUNS)}")
    )
    done = await sync_two_way(replace(request, run=run), policy)
    assert done.verification is None or done.verification.passed, done.verification.differences
    return done


async def begun(request: TransferRequest, tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    write(
        source,
        same="1",
        edit__s="1",
        edit__t="1",
        both="1",
        gone_s="1",
        gone_t="1",
        del_edit="1",
        edit_del="1",
    )
    await sync(request)
    assert look(source) == look(target)
    return source, target


async def test_changes_of_one_side_are_carried_over_and_nothing_is_done_twice(
    request_: TransferRequest, tmp_path: Path
) -> None:
    source, target = await begun(request_, tmp_path)
    write(source, edit__s="22", new__s="n")
    write(target, edit__t="333", new__t="m")
    (source / "gone_s").unlink()
    (target / "gone_t").unlink()
    done = (await sync(request_)).record
    assert look(source) == look(target)
    assert look(source) == {
        "same": "1", "edit/s": "22", "edit/t": "333", "new/s": "n", "new/t": "m", "both": "1",
        "del_edit": "1", "edit_del": "1",
    }  # fmt: skip
    assert kept(source) == ["1", "1"]
    assert kept(target) == ["1", "1"]
    assert (done.carried_to_target.objects, done.carried_to_source.objects) == (2, 2)
    assert (done.deleted_on_target.objects, done.deleted_on_source.objects) == (1, 1)
    before = {path: path.stat().st_mtime_ns for root in (source, target) for path in root.rglob("*")}
    again = (await sync(request_)).record
    assert again.planned.objects == 0
    assert {path: path.stat().st_mtime_ns for root in (source, target) for path in root.rglob("*")} == before


CONFLICTS = {
    Conflicts.SOURCE_WINS: {"both": "source!", "edit_del": "se"},
    Conflicts.TARGET_WINS: {"both": "target", "del_edit": "te"},
    Conflicts.NEWER_WINS: {"both": "target", "del_edit": "te", "edit_del": "se"},
    Conflicts.KEEP_BOTH: {"both": "source!", "del_edit": "te", "edit_del": "se"},
}


@pytest.mark.parametrize("policy", CONFLICTS)
async def test_a_conflict_is_resolved_by_policy_and_listed(
    request_: TransferRequest, tmp_path: Path, policy: Conflicts
) -> None:
    source, target = await begun(request_, tmp_path)
    write(source, both="source!", edit_del="se")
    write(target, both="target", del_edit="te")
    os.utime(source / "both", (1_000_000_000, 1_000_000_000))
    (source / "del_edit").unlink()
    (target / "edit_del").unlink()
    record = (await sync(request_, policy)).record
    assert look(source) == look(target)
    rest = {name: "1" for name in ("same", "edit/s", "edit/t", "gone_s", "gone_t")}
    extra = {name: text for name, text in look(source).items() if "conflict-target" in name}
    assert look(source) == rest | CONFLICTS[policy] | extra
    assert list(extra.values()) == (["target"] if policy is Conflicts.KEEP_BOTH else [])
    assert [(case.key, case.kind, case.outcome) for case in record.conflicts] == [
        ("both", "both-changed", "done"),
        ("del_edit", "deleted-on-source", "done"),
        ("edit_del", "deleted-on-target", "done"),
    ]
    everything = {*look(source).values(), *kept(source), *kept(target)}
    assert {"source!", "target", "se", "te"} <= everything
    assert (await sync(request_, policy)).record.planned.objects == 0


async def test_stop_touches_nothing_and_lists_the_conflicts(
    request_: TransferRequest, tmp_path: Path
) -> None:
    source, target = await begun(request_, tmp_path)
    write(source, both="s", new="n")
    write(target, both="tt")
    before = look(source), look(target)
    with pytest.raises(ConflictError, match="9704"):
        await sync(request_)
    assert (look(source), look(target)) == before


async def test_the_first_run_compares_contents_and_a_dry_run_writes_nothing(
    request_: TransferRequest, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    write(source, same="1", other="s", only_s="x")
    write(target, same="1", other="t", only_t="y")
    dry = replace(request_, options=replace(request_.options, dry_run=True))
    told = await sync(dry, Conflicts.KEEP_BOTH)
    assert told.verification is None
    assert (told.record.conflict_count, told.record.planned.objects) == (1, 3)
    assert look(target) == {"same": "1", "other": "t", "only_t": "y"}
    assert [case.kind for case in told.record.conflicts] == ["both-created"]
    await sync(request_, Conflicts.TARGET_WINS)
    assert look(source) == look(target) == {"same": "1", "other": "t", "only_s": "x", "only_t": "y"}


@pytest.mark.parametrize("side", ["source", "target"])
async def test_a_side_that_is_suddenly_empty_empties_nothing(
    request_: TransferRequest, tmp_path: Path, side: str
) -> None:
    source, target = await begun(request_, tmp_path)
    for path in (tmp_path / side).rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(ConflictError, match="9702"):
        await sync(request_)
    other = target if side == "source" else source
    assert len(look(other)) == 8
    allowed = replace(
        request_, options=replace(request_.options, delete_brake=DeleteBrake(empty_source=True))
    )
    done = (await sync(allowed)).record
    assert done.deleted_on_target.objects + done.deleted_on_source.objects == 8
    assert kept(other) == ["1"] * 8
