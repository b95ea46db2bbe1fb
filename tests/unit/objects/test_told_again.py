"""What a run leaves behind or loses is told, by the next runs too, until it is mended."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import IncompleteError, SpecError
from heavylift.evidence.records import PlanRecord, ShardResult, VerificationRecord
from heavylift.evidence.run_evidence import counts_of, read_dataset
from heavylift.evidence.store import open_evidence
from heavylift.locations import parse_location
from heavylift.objects import attributes, verify
from heavylift.objects.apart import refuse_evidence_inside, refuse_inside
from heavylift.objects.api import TransferOptions, TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.platforms.local.xattrs import XATTR, Room
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits, Metadata
from heavylift.spec.vocabulary import OnConflict
from tests.unit.objects.test_transfer import in_run, request_, write  # noqa: F401

Moved = tuple[PlanRecord, list[ShardResult], VerificationRecord]
KEPT = b'{"metadata":{"owner":"fraud"}}'


async def move(request: TransferRequest) -> Moved:
    plan = await plan_transfer(request)
    shards = [await copy_shard(request, shard.index) for shard in plan.shards]
    return plan, shards, await verify_transfer(request)


@pytest.fixture
def clashing(request_: TransferRequest, tmp_path: Path) -> TransferRequest:  # noqa: F811
    """Return a request with two objects, small and in parts, that only the bytes tell from the target's."""
    for name, size in (("small", 10), ("large", 40_000)):
        write(tmp_path / "source" / name, b"s" * size)
        write(tmp_path / "target" / name, b"t" * size)
    return replace(request_, options=TransferOptions(limits=Limits.model_construct(part_size=16_384)))


def bodies(folder: Path) -> set[bytes]:
    return {(folder / name).read_bytes()[:1] for name in ("small", "large")}


async def test_what_only_the_bytes_tell_apart_is_overwritten_where_the_spec_says_so(
    clashing: TransferRequest, tmp_path: Path
) -> None:
    with pytest.raises(IncompleteError, match="HL-5014"):
        await move(in_run(clashing, "fail"))
    assert bodies(tmp_path / "target") == {b"t"}
    _, shards, verification = await move(in_run(clashing, "over", on_conflict=OnConflict.OVERWRITE))
    assert verification.passed
    assert [shard.moved.objects for shard in shards] == [2]
    assert bodies(tmp_path / "target") == {b"s"}


async def test_what_only_the_bytes_tell_apart_is_skipped_and_counted(
    clashing: TransferRequest, tmp_path: Path
) -> None:
    skipping = in_run(clashing, "skip", on_conflict=OnConflict.SKIP)
    _, shards, verification = await move(skipping)
    assert bodies(tmp_path / "target") == {b"t"}
    assert (verification.passed, verification.accepted, verification.different) == (True, 2, 0)
    [shard] = shards
    assert (shard.found.objects, shard.moved.objects, shard.skipped.objects) == (14, 12, 2)
    assert {note.subject for note in shard.notes} == {"d: small", "d: large"}
    again = await copy_shard(skipping, 0, attempt=2)
    assert (again.unchanged.objects, again.skipped.objects) == (12, 2)
    async with open_evidence(skipping.evidence_url, None) as store:
        counts = counts_of(await read_dataset(store, skipping.run, skipping.dataset))
    assert (counts.found.objects, counts.refused.objects, counts.left.objects) == (14, 2, 0)
    # Nothing that was skipped passes for Heavylift's own in the next run.
    with pytest.raises(IncompleteError, match="HL-5014"):
        await move(in_run(clashing, "fail"))
    assert bodies(tmp_path / "target") == {b"t"}


async def test_attributes_that_were_lost_stay_told_until_they_are_mended(
    request_: TransferRequest,  # noqa: F811
    tmp_path: Path,
) -> None:
    os.setxattr(tmp_path / "source" / "day=0" / "f 3 é", XATTR, KEPT)
    lost = tmp_path / "target" / "day=0" / "f 3 é"
    plan = await plan_transfer(request_)
    for shard in plan.shards:
        await copy_shard(request_, shard.index)
    os.removexattr(lost, XATTR)
    for run in ("one", "two", "three"):
        plan, _, verification = await move(in_run(request_, run))
        assert (verification.passed, verification.attributes_differ) == (False, 1)
        assert [each.key for each in verification.differences] == ["day=0/f 3 é"]
    assert plan.to_copy.objects == 0
    _, _, verification = await move(in_run(request_, "without", metadata=Metadata(user_metadata=False)))
    assert verification.passed
    await move(in_run(request_, "four"))
    os.setxattr(lost, XATTR, KEPT)
    _, _, verification = await move(in_run(request_, "five"))
    assert verification.passed


@pytest.mark.parametrize("listed", [True, False], ids=["before the verification", "amid it"])
async def test_attributes_of_a_newer_version_are_no_loss(
    request_: TransferRequest,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: bool,
) -> None:
    changing = tmp_path / "source" / "day=0" / "f 3 é"

    def change() -> None:
        changing.write_bytes(b"written meanwhile")
        os.setxattr(changing, XATTR, KEPT)

    async def changed_first(*arguments: Any) -> attributes.Compared:
        if not listed:
            change()
        return await attributes.judge_attributes(*arguments)

    monkeypatch.setattr(verify, "judge_attributes", changed_first)
    plan = await plan_transfer(request_)
    for shard in plan.shards:
        await copy_shard(request_, shard.index)
    if listed:
        change()
    verification = await verify_transfer(request_)
    assert (verification.passed, verification.attributes_differ) == (True, 0)
    assert verification.newer_on_source == int(listed)
    _, _, verification = await move(in_run(request_, "next"))
    assert verification.passed
    assert os.getxattr(tmp_path / "target" / "day=0" / "f 3 é", XATTR) == KEPT


async def test_a_loss_that_the_copy_knows_of_is_found_however_many_objects_moved(
    request_: TransferRequest,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attributes, "MOST_ATTRIBUTES", 0)
    monkeypatch.setattr(Room, "has_room_for", lambda _room, _data: False)
    os.setxattr(tmp_path / "source" / "day=0" / "f 3 é", XATTR, KEPT)
    _, _, verification = await move(request_)
    assert (verification.passed, verification.attributes_differ) == (False, 1)


def place(url: str, **fields: object) -> Place:
    kind = {"s3": "aws", "gs": "google_cloud_platform", "az": "wasb"}.get(url[:2])
    connection = Connection("c", kind, **fields) if kind else None  # type: ignore[arg-type]
    return Place(parse_location(url), connection)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("s3://b", "s3://b"),
        ("s3://b/p", "s3://b"),
        ("gs://b", "gs://b/p"),
        ("file:///d/x", "file:///d/./x/y"),
    ],
)
async def test_a_copy_into_its_own_source_is_refused(
    request_: TransferRequest,  # noqa: F811
    source: str,
    target: str,
) -> None:
    with pytest.raises(SpecError, match="HL-9224"):
        await plan_transfer(replace(request_, source=place(source), target=place(target)))


async def test_a_copy_into_its_own_source_is_refused_however_its_address_is_spelled(
    request_: TransferRequest,  # noqa: F811
) -> None:
    source = place("s3://b", extra={"endpoint_url": "http://127.0.0.1:9000"})
    target = place("s3://b/copy", extra={"endpoint_url": "http://localhost:9000/", "region_name": "x"})
    with pytest.raises(SpecError, match="HL-9224"):
        await plan_transfer(replace(request_, source=source, target=target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (place("s3://b/p"), place("s3://b/p2")),
        (place("s3://b"), place("s3://b", extra={"endpoint_url": "http://other"})),
        (place("s3://b"), place("gs://b")),
        (place("az://b", login="one"), place("az://b", login="two")),
        (place("file:///d/x"), place("file:///d/xy")),
    ],
)
def test_places_apart_are_not_refused(request_: TransferRequest, source: Place, target: Place) -> None:  # noqa: F811
    refuse_inside(replace(request_, source=source, target=target))


async def test_a_source_that_lists_nothing_is_pointed_out(request_: TransferRequest, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "nothing").mkdir()
    plan = await plan_transfer(replace(request_, source=place(f"file://{tmp_path}/nothing")))
    assert [finding.rule for finding in plan.findings] == ["nothing-found"]


@pytest.mark.parametrize(
    ("evidence", "options", "inside"),
    [
        ("file://{}/source/evidence", {}, True),
        ("file://{}/source", {}, True),
        ("file://{}/source/evidence", {"exclude": ("evidence/**",)}, False),
        ("file://{}/source/evidence", {"include": ("*.bin",)}, False),
        ("file://{}/source-evidence", {}, False),
        ("file://{}/evidence", {}, False),
    ],
)
async def test_evidence_is_no_part_of_what_is_copied(
    request_: TransferRequest,  # noqa: F811
    tmp_path: Path,
    evidence: str,
    options: dict[str, Any],
    inside: bool,
) -> None:
    url = evidence.format(tmp_path)
    request = replace(request_, evidence_url=url, options=replace(request_.options, **options))
    if not inside:
        refuse_evidence_inside(request)
        return
    with pytest.raises(SpecError, match="HL-9230"):
        await plan_transfer(request)
    assert not (tmp_path / "source" / "evidence").exists()
    refuse_evidence_inside(replace(request, evidence_url="s3://source/evidence"))
    swapped = replace(request, source=request.target, target=request.source)
    refuse_evidence_inside(swapped)
    with pytest.raises(SpecError, match="HL-9230"):
        refuse_evidence_inside(swapped, both_ways=True)
