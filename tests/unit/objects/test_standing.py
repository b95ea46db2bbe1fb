"""A proof that stands while both listings come in the same pages, and falls with the first that does not."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.evidence.records import PlanRecord, RunKey, VerificationRecord
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import open_evidence
from heavylift.locations import Location
from heavylift.objects import diff, relisting, standing
from heavylift.objects.api import (
    TransferOptions,
    TransferRequest,
    copy_shard,
    delete_gone,
    plan_transfer,
    proved_before,
    verify_transfer,
)
from heavylift.objects.filters import Filters
from heavylift.objects.listing import Listing
from heavylift.objects.relisting import PageList, Relisting
from heavylift.objects.row_files import read_rows
from heavylift.patterns import everything
from heavylift.platforms.listed_pages import ListedPage, page_of
from heavylift.platforms.local import listing as local_listing
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedColumns
from heavylift.spec.datasets import Limits, Sample, Verify
from heavylift.spec.vocabulary import Deletes, OnConflict, OnUnholdableKey, VerifyMethod, VerifyMode
from tests.support.longer import first_then_long

COUNT = 20


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TransferRequest:
    monkeypatch.setattr(local_listing, "PAGE", 4)
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for number in range(COUNT):
        (tmp_path / "source" / f"f{number:02d}").write_bytes(os.urandom(100))
    return TransferRequest(
        run=RunKey(migration="m", phase="sync", run="0"),
        dataset="d",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=f"file://{tmp_path}/evidence",
        evidence_connection=None,
        options=TransferOptions(rolling=0, limits=Limits(shard_objects=7)),
    )


def in_run(request: TransferRequest, run: int | str, phase: str = "sync", **options: Any) -> TransferRequest:
    key = RunKey(migration="m", phase=phase, run=str(run))
    return replace(request, run=key, options=replace(request.options, **options))


async def move(request: TransferRequest) -> tuple[PlanRecord, VerificationRecord]:
    plan = await plan_transfer(request)
    for shard in plan.shards:
        await copy_shard(request, shard.index)
    if plan.to_delete.objects:
        await delete_gone(request)
    return plan, await verify_transfer(request)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each comparison of listings adds a line."""
    seen: list[str] = []
    real = diff.Difference.compare

    def compare(self: diff.Difference, source: Listing, target: Listing, *rest: Any, **more: Any) -> None:
        seen.append(f"{source.total.objects} {target.total.objects}")
        real(self, source, target, *rest, **more)

    monkeypatch.setattr(diff.Difference, "compare", compare)
    return seen


async def state_of(request: TransferRequest) -> dict[str, Any]:
    async with open_evidence(request.evidence_url) as evidence:
        state = await StateLog(evidence, "m", request.dataset).latest()
    assert state is not None
    return state


def told(plan: PlanRecord) -> dict[str, Any]:
    """Return what a plan says but for when, and where its rows lie."""
    places = {"source_rows", "target_rows", "pages", "same_as"}
    return plan.model_dump(exclude={"run", "created_at", "planned_from", "seconds", *places})


def proved(record: VerificationRecord) -> dict[str, Any]:
    places = {"source_rows", "target_rows", "same_as", "tree", "statement"}
    return record.model_dump(exclude={"run", "verified_at", "seconds", *places})


async def test_a_run_of_nothing_new_compares_no_rows_and_says_what_comparing_them_would_say(
    request_: TransferRequest, compared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = await move(request_)
    compared.clear()
    plan, second = await move(in_run(request_, 1))
    assert compared == []
    assert plan.same_as is not None
    assert plan.same_as == second.same_as
    assert plan.same_as.path == "m/sync/0/d/verification-1.json"
    assert "compared by run m/sync/0, and both listings are page by page the same since" in second.statement
    assert (second.root, second.source_rows) == (first.root, first.source_rows)
    monkeypatch.setattr(standing, "_FORM", -1)
    slow_plan, slow = await move(in_run(request_, 2))
    assert len(compared) == 2
    assert told(plan) == told(slow_plan)
    assert proved(second) == proved(slow)


async def test_the_proof_stands_for_run_after_run_and_the_watermark_moves_on(
    request_: TransferRequest, compared: list[str]
) -> None:
    await move(request_)
    before = await state_of(request_)
    compared.clear()
    for run in range(1, 4):
        plan, record = await move(in_run(request_, run))
        assert plan.same_as is not None
        assert record.passed
    after = await state_of(request_)
    assert compared == []
    assert (after["run"], after["inventory"]) == ("m/sync/3", before["inventory"])
    assert after["listed_at"] > before["listed_at"]


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("what", first_then_long(["changed", "added", "removed"]))
async def test_whatever_happens_on_either_side_is_seen(
    request_: TransferRequest, tmp_path: Path, side: str, what: str
) -> None:
    request_ = in_run(request_, 0, on_conflict=OnConflict.OVERWRITE)
    await move(request_)
    victim = tmp_path / side / ("f07" if what != "added" else "new")
    if what == "removed":
        victim.unlink()
    else:
        victim.write_bytes(b"other")
    plan, record = await move(in_run(request_, 1))
    assert plan.same_as is None
    assert record.same_as is None
    assert record.passed
    expected = {
        ("source", "changed"): (1, 0), ("source", "added"): (1, 0), ("source", "removed"): (0, 1),
        ("target", "changed"): (1, 0), ("target", "added"): (0, 1), ("target", "removed"): (1, 0),
    }  # fmt: skip
    assert (plan.to_copy.objects, plan.only_on_target.objects) == expected[side, what]
    again, record = await move(in_run(request_, 2))
    assert again.same_as is not None
    assert record.passed


async def test_only_pages_that_changed_are_read(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await move(request_)
    read: list[int] = []
    real = relisting.selected_of

    def selected(page: ListedColumns, *rest: Any) -> ListedColumns:
        read.append(len(page.keys))
        return real(page, *rest)

    monkeypatch.setattr(relisting, "selected_of", selected)
    (tmp_path / "source" / "f06").write_bytes(b"changed")
    plan = await plan_transfer(in_run(request_, 1))
    assert read == [4]
    assert (plan.found.objects, plan.to_copy.objects) == (COUNT, 1)


SETTINGS: list[dict[str, Any]] = [
    {"include": ("*1*",)},
    {"exclude": ("f19",)},
    {"filters": Filters(max_size=10_000)},
    {"filters": Filters(modified_since="30d")},
    {"verify": Verify(method=VerifyMethod.READ_BACK)},
    {"verify": Verify(mode=VerifyMode.SAMPLE, sample=Sample(objects=3))},
    {"deletes": Deletes.PROPAGATE},
    {"on_conflict": OnConflict.OVERWRITE},
]


@pytest.mark.parametrize("changed", first_then_long(SETTINGS, first=2), ids=lambda value: next(iter(value)))
async def test_another_setting_voids_the_proof(request_: TransferRequest, changed: dict[str, Any]) -> None:
    await move(request_)
    plan, record = await move(in_run(request_, 1, **changed))
    assert plan.same_as is None
    assert record.passed
    assert (await move(in_run(request_, 2)))[0].same_as is None


async def test_another_version_or_place_voids_the_proof(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await move(request_)
    with monkeypatch.context() as patch:
        patch.setattr(standing, "__version__", "another")
        assert (await plan_transfer(in_run(request_, 1))).same_as is None
    (tmp_path / "elsewhere").mkdir()
    elsewhere = replace(request_, target=Place(Location("file", str(tmp_path / "elsewhere"))))
    plan, _ = await move(in_run(elsewhere, 2))
    assert (plan.same_as, plan.to_copy.objects) == (None, COUNT)


LOST = [("pages-*.json", "gone"), ("pages-*.json", "damaged"), ("source-*.parquet", "gone")]
LOST += [("*-tree-*.parquet", "gone"), ("verification-1.json", "gone")]


@pytest.mark.parametrize(("lost", "how"), first_then_long(LOST, first=2))
async def test_evidence_that_is_not_there_as_it_was_supports_nothing(
    request_: TransferRequest, tmp_path: Path, lost: str, how: str
) -> None:
    await move(request_)
    for path in (tmp_path / "evidence").rglob(lost):
        path.unlink() if how == "gone" else path.write_bytes(b"{}")
    plan, record = await move(in_run(request_, 1))
    assert (plan.same_as, record.passed, plan.unchanged.objects) == (None, True, COUNT)


async def test_kept_rows_that_were_damaged_are_listed_again_where_they_are_needed(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await move(request_)
    for path in (tmp_path / "evidence").rglob("source-*.parquet"):
        path.write_bytes(b"damaged")
    (tmp_path / "source" / "f06").write_bytes(b"changed")
    plan, record = await move(in_run(request_, 1))
    assert (plan.found.objects, plan.to_copy.objects, record.passed) == (COUNT, 1, True)


async def test_what_no_listing_proves_is_looked_at_again_by_a_transfer(request_: TransferRequest) -> None:
    await move(in_run(request_, 0, "transfer", rolling=None))
    plan, record = await move(in_run(request_, 1, "transfer", rolling=None))
    assert plan.same_as is not None
    assert (record.same_as, record.methods) == (None, {"read_both:crc32c": COUNT})


async def test_each_sync_still_checks_its_slice(request_: TransferRequest, tmp_path: Path) -> None:
    request_ = replace(request_, options=replace(request_.options, rolling=2))
    await move(request_)
    looked = 0
    for run in range(1, 3):
        plan, record = await move(in_run(request_, run))
        assert plan.same_as is not None
        assert (record.passed, record.rolling_slice) == (True, run % 2)
        looked += COUNT - record.methods["proved_before"]
    assert looked == COUNT
    damaged = tmp_path / "target" / "f03"
    before = damaged.stat()
    with damaged.open("r+b") as file:
        file.write(bytes([file.read(1)[0] ^ 1, 0]))
    os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))
    records = [(await move(in_run(request_, run)))[1] for run in range(3, 5)]
    assert [record.different for record in records if not record.passed] == [1]


async def test_a_run_that_was_killed_after_its_plan_leaves_the_proof_as_it_was(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await move(request_)
    await plan_transfer(in_run(request_, "killed"))
    (tmp_path / "source" / "f06").write_bytes(b"changed")
    half = in_run(request_, "half")
    await copy_shard(half, (await plan_transfer(half)).shards[0].index)
    plan, record = await move(in_run(request_, 1))
    assert (plan.same_as, plan.to_copy.objects, record.passed) == (None, 0, True)
    assert (await move(in_run(request_, 2)))[0].same_as is not None


async def test_a_verification_that_was_asked_for_again_compares_afresh(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await move(request_)
    again = in_run(request_, 1)
    _, record = await move(again)
    assert record.same_as is not None
    (tmp_path / "target" / "f03").unlink()
    record = await verify_transfer(again)
    assert (record.passed, record.missing, record.same_as) == (False, 1, None)


async def test_a_state_that_was_lost_or_failed_supports_nothing(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await move(request_)
    assert await proved_before(in_run(request_, 1))
    (tmp_path / "target" / "f03").unlink()
    await plan_transfer(in_run(request_, 1))
    assert not (await verify_transfer(in_run(request_, 1))).passed
    assert not await proved_before(in_run(request_, 2))
    assert (await plan_transfer(in_run(request_, 2))).same_as is None


async def test_what_a_listing_passes_by_is_named_in_each_run(
    request_: TransferRequest, tmp_path: Path
) -> None:
    await move(request_)
    (tmp_path / "source" / "link").symlink_to("f00")
    request_ = in_run(request_, 1, on_unholdable_key=OnUnholdableKey.SKIP)
    for run in range(1, 3):
        plan, record = await move(in_run(request_, run))
        assert ([f.rule for f in plan.findings], plan.same_as) == (["not-an-object"], None)
        assert record.passed


async def test_objects_of_others_are_counted_and_matter_where_deletes_do(
    request_: TransferRequest, tmp_path: Path
) -> None:
    (tmp_path / "target" / "theirs").write_bytes(b"1234")
    await move(request_)
    plan, record = await move(in_run(request_, 1))
    assert plan.same_as is not None
    assert (plan.only_on_target.objects, plan.only_on_target.size_bytes, record.extra) == (1, 4, 1)
    propagating = in_run(request_, 2, deletes=Deletes.PROPAGATE)
    for run in (2, 3):
        plan, _ = await move(in_run(propagating, run))
        assert plan.same_as is None


@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("HEAVYLIFT_STANDING_HISTORIES", "1"))))
async def test_any_history_ends_as_it_would_without_standing_proofs(
    request_: TransferRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Two migrations of the same folders, one of which compares everything each time."""
    chance = random.Random(seed)
    options = {
        "deletes": Deletes.PROPAGATE,
        "on_conflict": OnConflict.OVERWRITE,
        "rolling": chance.choice([0, 3]),
    }
    targets = {}
    for name in ("standing", "comparing"):
        (tmp_path / name).mkdir()
        place = Place(Location("file", str(tmp_path / name)))
        targets[name] = replace(in_run(request_, 0, **options), target=place, dataset=name)
    stood = 0
    for run in range(6):
        for _ in range(chance.choice([0, 0, 1, 3])):
            path = tmp_path / "source" / f"f{chance.randrange(25):02d}"
            path.unlink(missing_ok=True)
            if chance.random() < 0.7:
                path.write_bytes(chance.randbytes(chance.randrange(200)))
        found = {}
        for name, request in targets.items():
            with monkeypatch.context() as patch:
                if name == "comparing":
                    patch.setattr(standing, "_FORM", -run)
                found[name] = await move(
                    replace(request, run=RunKey(migration="m", phase="sync", run=str(run)))
                )
        (plan, record), (other_plan, other) = found["standing"], found["comparing"]
        stood += plan.same_as is not None
        assert other_plan.same_as is None
        for name in ("found", "unchanged", "to_copy", "to_delete", "actions"):
            assert getattr(plan, name) == getattr(other_plan, name)
        assert (record.equal, record.methods, record.passed) == (other.equal, other.methods, other.passed)
        assert contents(tmp_path / "standing") == contents(tmp_path / "comparing")
    assert stood


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Pages:
    """A store that lists what it is told to, in this order."""

    def __init__(self, *pages: str) -> None:
        self.pages = pages

    async def list_unread(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[ListedPage]:
        for page in self.pages:
            keys = page.split()
            yield page_of(ListedColumns(keys, ["1"] * len(keys), keys, ["0"] * len(keys), {}))


async def relisted(store: Pages, path: Path, kept: PageList | None = None) -> Relisting:
    found = Relisting(store, "", everything, path, kept)  # type: ignore[arg-type]
    return await found.run()


async def test_pages_may_come_in_any_order_and_are_the_same_only_all_together(tmp_path: Path) -> None:
    async with open_evidence(f"file://{tmp_path}/evidence") as evidence:
        first = await relisted(Pages("a b", "c d", "e"), tmp_path / "first.parquet")
        listing = await first.listing(evidence)
        rows = await evidence.write_file("rows.parquet", listing.path, "x/y")
        pages = tuple((p.number, p.digest, p.objects, p.size_bytes) for p in first.pages)
        kept = PageList.model_validate(json.loads(PageList(rows=rows, pages=pages).model_dump_json()))
        for pages_now, same in [
            (("a b", "c d", "e"), True),
            (("e", "a b", "c d"), True),
            (("a b", "c d"), False),
            (("a b", "c d", "e", "f"), False),
            (("a", "b c d", "e"), False),
            (("a b", "c x", "e"), False),
            ((), False),
        ]:
            again = await relisted(Pages(*pages_now), tmp_path / "again.parquet", kept)
            assert again.is_as_kept is same
            listing = await again.listing(evidence)
            found = sorted(key for (key,) in read_rows(listing.path, ["rel"]))
            assert found == sorted(" ".join(pages_now).split())
            assert listing.total.objects == len(found)
            numbers = {rel: page for rel, page in read_rows(listing.path, ["rel", "page"])}
            for page in again.pages:
                assert sum(number == page.number for number in numbers.values()) == page.objects


def test_a_digest_tells_columns_apart_whatever_is_in_them() -> None:
    def page(keys: list[str], versions: list[str], classes: list[str] | None = None) -> str:
        columns = ListedColumns(keys, ["1"] * len(keys), versions, ["0"] * len(keys), {}, classes)
        return page_of(columns).digest

    digests = [
        page(["a", "b"], ["c", "d"]),
        page(["ab", ""], ["c", "d"]),
        page(["a", "b"], ["cd", ""]),
        page(["a,1", "b"], ["c", "d"]),
        page(["a", "b"], ["c", "d"], ["x", "y"]),
        page(["a\udcff", "b"], ["c", "d"]),
    ]
    assert len(set(digests)) == len(digests)
    assert page(["a", "b"], ["c", "d"]) == digests[0]
