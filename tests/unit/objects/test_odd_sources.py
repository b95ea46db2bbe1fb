"""What lies at a source and cannot move is named before anything moves: undecodable names, quarantines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heavylift.errors import ConflictError
from heavylift.evidence.records import Severity
from heavylift.objects.api import TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.spec.vocabulary import OnUnholdableKey
from tests.unit.objects.test_transfer import in_run, request_, write

__all__ = ["request_"]


def skipping(request: TransferRequest, run: str) -> TransferRequest:
    return in_run(request, run, on_unholdable_key=OnUnholdableKey.SKIP)


async def test_a_name_that_is_no_utf_8_stops_the_plan_and_is_named(
    request_: TransferRequest, tmp_path: Path
) -> None:
    (tmp_path / "source" / os.fsdecode(b"caf\xe9")).write_bytes(b"1")
    (tmp_path / "source" / os.fsdecode(b"d\xff")).mkdir()
    (tmp_path / "source" / os.fsdecode(b"d\xff") / "in").write_bytes(b"2")
    with pytest.raises(ConflictError, match=r"caf\\xe9.*not valid UTF-8"):
        await plan_transfer(request_)
    assert not any((tmp_path / "target").iterdir())
    request = skipping(request_, "two")
    plan = await plan_transfer(request)
    named = {finding.subject.rpartition("/source/")[2] for finding in plan.findings}
    assert named == {"caf\\xe9", "d\\xff/in"}
    for shard in plan.shards:
        await copy_shard(request, shard.index)
    assert (await verify_transfer(request)).equal.objects == 12


@pytest.mark.parametrize("key", [".heavylift-quarantine/x", "a/b.heavylift-quarantine/x"])
async def test_a_key_that_only_looks_like_quarantine_stops_the_plan_and_is_named(
    request_: TransferRequest, tmp_path: Path, key: str
) -> None:
    write(tmp_path / "source" / key, b"somebody's")
    with pytest.raises(ConflictError, match="heavylift-quarantine"):
        await plan_transfer(request_)
    plan = await plan_transfer(skipping(request_, "two"))
    assert [(f.rule, f.severity) for f in plan.findings] == [("in-quarantine", Severity.WARNING)]
    assert plan.findings[0].subject.endswith(key)


async def test_what_a_sync_put_aside_is_told_and_does_not_move(
    request_: TransferRequest, tmp_path: Path
) -> None:
    write(tmp_path / "source" / ".heavylift-quarantine" / "run-1" / "old" / "key", b"put aside")
    plan = await plan_transfer(request_)
    assert plan.found.objects == 12
    assert [(f.rule, f.severity) for f in plan.findings] == [("in-quarantine", Severity.NOTE)]
    excluded = in_run(request_, "two", exclude=("**/.heavylift-quarantine/**",))
    assert (await plan_transfer(excluded)).findings == ()


async def test_of_many_the_first_are_named_and_the_others_counted(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift.objects.relisting.MAX_LISTED", 3)
    for number in range(5):
        write(tmp_path / "source" / ".heavylift-quarantine" / f"{number}", b"1")
    plan = await plan_transfer(skipping(request_, "two"))
    assert [f.rule for f in plan.findings] == ["in-quarantine"] * 4
    assert plan.findings[-1].detail.startswith("2 more objects")
