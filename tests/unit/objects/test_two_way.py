"""Two folders that are both written to: every change is carried over, and nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import ConflictError
from heavylift.evidence.records import RunKey
from heavylift.locations import Location
from heavylift.objects import quarantine
from heavylift.objects.api import TransferOptions, TransferRequest, TwoWay, sync_two_way
from heavylift.objects.manifest_writer import ManifestWriter
from heavylift.objects.two_way import carrying
from heavylift.objects.two_way.naming import conflict_name
from heavylift.platforms.places import Place
from heavylift.spec.datasets import DeleteBrake, Limits
from heavylift.spec.vocabulary import Conflicts, Deletes
from tests.support.longer import first_then_long

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


class Dying:
    """Kills the process at the ``turn``-th call of what changes a store, before it or after it."""

    def __init__(self, turn: int, *, after: bool) -> None:
        self.turn, self.after = turn, after

    def around(self, act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def called(*args: Any, **more: Any) -> Any:
            self.turn -= 1
            if self.turn == 0 and not self.after:
                raise Killed
            result = await act(*args, **more)
            if self.turn == 0:
                raise Killed
            return result

        return called


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("turn", first_then_long([4, 1, 2, 3, 5, 6, 7, 8, 9]))
async def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(
    request_: TransferRequest, tmp_path: Path, turn: int, after: bool
) -> None:
    source, target = await begun(request_, tmp_path)
    write(source, both="source!", edit__s="22")
    write(target, both="target", edit__t="333")
    (source / "gone_s").unlink()
    (target / "gone_t").unlink()
    serial = replace(request_, options=replace(request_.options, limits=Limits(max_concurrency=1)))
    dying = Dying(turn, after=after)
    flush = ManifestWriter.flush

    async def flushed_while_alive(writer: ManifestWriter) -> None:
        # What a killed process had not written down yet is lost.
        if dying.turn > 0:
            await flush(writer)

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (carrying, "copy_object"),
            (carrying, "delete_version"),
            (quarantine, "copy_object"),
        ):
            patch.setattr(module, name, dying.around(getattr(module, name)))
        patch.setattr(ManifestWriter, "flush", flushed_while_alive)
        with pytest.raises(Killed):
            await sync(serial, Conflicts.KEEP_BOTH)
    assert dying.turn == 0
    await sync(serial, Conflicts.KEEP_BOTH)
    now = look(source)
    assert now == look(target)
    assert sorted(now.values()) == sorted(["1", "1", "1", "22", "333", "source!", "target"])
    assert (await sync(serial, Conflicts.KEEP_BOTH)).record.planned.objects == 0


async def test_what_somebody_changes_meanwhile_is_left_to_the_next_run(
    request_: TransferRequest, tmp_path: Path
) -> None:
    source, target = await begun(request_, tmp_path)
    write(source, edit__s="22")
    real = carrying.copy_within

    async def changed_meanwhile(*args: Any) -> Any:
        write(target, edit__s="somebody's")
        return await real(*args)

    with pytest.MonkeyPatch.context() as patch:
        write(target, edit__s="other")
        write(source, edit__s="22")
        patch.setattr(carrying, "copy_within", changed_meanwhile)
        done = await sync(request_, Conflicts.SOURCE_WINS)
    assert (done.record.overtaken.objects, done.record.failed.objects) == (1, 0)
    assert look(target)["edit/s"] == "somebody's"
    assert done.verification
    assert done.verification.newer_on_source == 1
    await sync(request_, Conflicts.SOURCE_WINS)
    assert look(target) == look(source)
    assert look(source)["edit/s"] == "22"
    assert "somebody's" in kept(target)


async def test_keys_that_would_be_code_elsewhere_are_names_here(
    request_: TransferRequest, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    names = ("'; DROP TABLE ways; --", 'a"b,c', "~x", "é", "new\nline", "conflict-target-")
    for name in names:
        (source / name).write_text(f"s {name}")
        (target / name).write_text(f"target {name}")
    done = (await sync(request_, Conflicts.KEEP_BOTH)).record
    assert done.both_kept.objects == len(names)
    assert look(source) == look(target)
    assert set(look(source).values()) == {f"{side} {name}" for name in names for side in ("s", "target")}


async def test_other_places_have_no_state_in_common(request_: TransferRequest, tmp_path: Path) -> None:
    """Pointed at a new, empty target, a dataset must not take everything for deleted there."""
    source, _ = await begun(request_, tmp_path)
    (tmp_path / "new").mkdir()
    elsewhere = replace(request_, target=Place(Location("file", str(tmp_path / "new"))))
    done = (await sync(elsewhere)).record
    assert (done.base_objects, done.carried_to_target.objects) == (0, 8)
    assert look(source) == look(tmp_path / "new")


def test_names_of_second_versions_are_short_enough_and_keep_their_ending() -> None:
    name = conflict_name("a/report.csv", "v1")
    assert name == conflict_name("a/report.csv", "v1")
    assert name != conflict_name("a/report.csv", "v2")
    assert name.startswith("a/report.conflict-target-")
    assert name.endswith(".csv")
    assert conflict_name(".hidden", "v").startswith(".hidden.conflict-target-")
    for rel in ("é" * 500, "x" * 300 + ".csv", "deep/" * 150 + "k" * 200):
        long = conflict_name(rel, "v", 20)
        assert len(long.encode()) + 20 <= 1024
        assert len(long.rpartition("/")[2].encode()) <= 255
