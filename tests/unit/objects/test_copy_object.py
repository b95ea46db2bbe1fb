"""Copying one object: what arrives, what is refused, and what the row says of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.errors import (
    ConflictError,
    CredentialError,
    IntegrityError,
    NotFoundError,
    ServerUnavailableError,
)
from heavylift.evidence.store import open_evidence
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import TRIES, Copier, kept_attributes
from heavylift.objects.copy_object import copy_object
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import PlanRow
from heavylift.platforms.ports import ObjectAttributes, PartReceipt, PutReceipt, Upload
from heavylift.spec.datasets import Metadata
from tests.unit.objects.fakes import FakeStore

BODY = bytes(range(256)) * 40  # 10,240 bytes
PART = 4096


@pytest.fixture
async def journal(tmp_path: Path):
    async with open_evidence(f"file://{tmp_path}/evidence") as evidence:
        yield UploadJournal(evidence, "m", "d")


@pytest.fixture
def source() -> FakeStore:
    store = FakeStore()
    store.fill("k", BODY, ObjectAttributes(content_type="text/x", metadata={"a": "b"}, tags={"t": "1"}))
    return store


@pytest.fixture
def target() -> FakeStore:
    return FakeStore()


@pytest.fixture(params=["whole", "parts"])
def copier(
    request: pytest.FixtureRequest, source: FakeStore, target: FakeStore, journal: UploadJournal
) -> Copier:
    return make_copier(source, target, journal, part_bytes=PART if request.param == "parts" else 1 << 20)


def make_copier(
    source: FakeStore, target: FakeStore, journal: UploadJournal, part_bytes: int = PART
) -> Copier:
    return Copier(
        source=source,
        target=target,
        source_prefix="",
        target_prefix="moved/",
        budget=MemoryBudget(1 << 20),
        journal=journal,
        keep=Metadata(),
        part_bytes=part_bytes,
        arrived=lambda size: None,
    )


def row(source: FakeStore, action: str = "copy", target_version: str | None = None) -> PlanRow:
    return PlanRow("k", action, len(source.objects["k"].body), source.version("k"), target_version)


async def test_bytes_and_attributes_arrive(copier: Copier, source: FakeStore, target: FakeStore) -> None:
    done = await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY
    assert target.objects["moved/k"].attributes == source.objects["k"].attributes
    assert (done.outcome, done.source_proof, done.target_proof) == ("moved", "crc32c", "crc32c")
    assert done.source_version == source.version("k")
    assert done.target_version == target.version("moved/k")


@pytest.mark.parametrize(
    ("tells", "sizes", "proof"),
    [
        ({Algorithm.MD5}, (), "md5"),
        ({Algorithm.SHA256}, (), "sha256"),
        ({Algorithm.CRC64NVME, Algorithm.MD5}, (), "crc64nvme"),
        ({Algorithm.MD5_PARTS}, (6000, 4240), "md5_parts"),
        ({Algorithm.MD5_PARTS}, (), "read_twice"),
        (set(), (), "read_twice"),
    ],
)
async def test_the_sources_own_evidence_proves_the_read(
    copier: Copier, source: FakeStore, tells: set[Algorithm], sizes: tuple[int, ...], proof: str
) -> None:
    source.tells, source.part_sizes = frozenset(tells), sizes
    done = await copy_object(copier, row(source))
    assert done.source_proof == proof


@pytest.mark.parametrize("tells", [{Algorithm.CRC32C}, {Algorithm.MD5_PARTS}, set()])
async def test_a_flipped_bit_is_read_again(
    copier: Copier, source: FakeStore, target: FakeStore, tells: set[Algorithm]
) -> None:
    source.tells = frozenset(tells)
    source.part_sizes = (6000, 4240) if Algorithm.MD5_PARTS in tells else ()
    source.flips = 1
    done = await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY
    assert copier.rejected_reads == 1
    assert done.outcome == "moved"


@pytest.mark.parametrize("tells", [{Algorithm.CRC32C}, set()])
async def test_a_body_cut_so_that_its_length_fits_never_becomes_an_object(
    copier: Copier, source: FakeStore, target: FakeStore, tells: set[Algorithm]
) -> None:
    """Two such answers agree with each other, so reading twice does not find them out."""
    source.tells, source.shorts = frozenset(tells), 2
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY


async def test_bytes_that_stay_wrong_never_become_an_object(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    source.flips = 1000
    with pytest.raises(IntegrityError, match="HL-5011"):
        await copy_object(copier, row(source))
    assert target.objects == {}
    assert target.uploads == {}
    assert copier.rejected_reads == TRIES


async def test_a_cut_download_goes_on(copier: Copier, source: FakeStore, target: FakeStore) -> None:
    source.cuts = 2
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY


async def test_a_download_that_is_always_cut_is_transient(copier: Copier, source: FakeStore) -> None:
    source.fill("k", b"x" * 10)
    source.cuts = 1000
    with pytest.raises(ServerUnavailableError):
        await copy_object(copier, row(source))


async def test_an_object_that_changes_ends_as_one_version_whole(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    planned = row(source)
    newer = b"second version " * 700
    source.fill("k", newer)
    done = await copy_object(copier, planned)
    assert target.objects["moved/k"].body == newer
    assert done.source_version == source.version("k")
    assert done.size_bytes == len(newer)


async def test_an_object_that_changes_between_two_reads_is_never_mixed(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    newer = b"N" * len(BODY)

    def change_once(store: FakeStore, key: str) -> None:
        if len(store.gets) == 2:
            store.fill(key, newer)

    source.on_get = change_once
    source.cuts = 1
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].body in {BODY, newer}


async def test_an_object_that_is_gone_says_so(copier: Copier, source: FakeStore, target: FakeStore) -> None:
    planned = row(source)
    del source.objects["k"]
    with pytest.raises(NotFoundError):
        await copy_object(copier, planned)
    assert target.objects == {}


async def test_an_equal_object_is_left_alone(copier: Copier, source: FakeStore, target: FakeStore) -> None:
    target.fill("moved/k", BODY)
    before = target.version("moved/k")
    done = await copy_object(copier, row(source))
    assert done.outcome == "unchanged"
    assert target.version("moved/k") == before


@pytest.mark.parametrize("other", [b"other", b"y" * len(BODY)])
async def test_a_different_object_is_a_conflict_and_untouched(
    copier: Copier, source: FakeStore, target: FakeStore, other: bytes
) -> None:
    target.fill("moved/k", other)
    with pytest.raises(ConflictError, match="HL-5014"):
        await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == other


async def test_a_target_that_stores_something_else_is_found_out(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.lying_puts = 1
    with pytest.raises(IntegrityError, match="HL-5012"):
        await copy_object(copier, row(source))
    assert target.objects == {}  # nothing wrong stays under the key, so that a retry can mend it


async def test_a_wrong_object_that_cannot_be_deleted_again_is_told_and_can_be_replaced(
    copier: Copier, source: FakeStore, target: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a store that takes what its own checksum denies, with a permission lost midway."""

    async def refused(key: str) -> None:
        raise CredentialError(f"delete of {key}", got="HTTP 403", remedy="grant it")

    target.lying_puts = 1
    with monkeypatch.context() as patch:
        patch.setattr(target, "delete", refused)
        with pytest.raises(
            IntegrityError, match=r"A WRONG OBJECT IS THERE.*To fix: grant it.*\[HL-5019\]"
        ) as told:
            await copy_object(copier, row(source))
    assert told.value.left_version == target.version("moved/k")
    assert target.objects["moved/k"].body != BODY
    await copy_object(copier, row(source, "replace", told.value.left_version))
    assert target.objects["moved/k"].body == BODY


async def test_a_target_that_says_nothing_is_read_back(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.receipts = False
    done = await copy_object(copier, row(source))
    assert done.target_proof == "read_back"
    assert target.gets == ["moved/k"]


async def test_a_silent_target_that_stores_something_else_is_found_out(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.receipts, target.lying_puts = False, 1
    with pytest.raises(IntegrityError, match="read_back"):
        await copy_object(copier, row(source))
    assert target.objects == {}


async def test_a_body_that_the_store_rejects_is_sent_again(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.rejects = 2
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY
    assert copier.resent_bytes > 0


async def test_a_store_that_rejects_for_ever_is_an_error(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.rejects = 1000
    with pytest.raises(IntegrityError):
        await copy_object(copier, row(source))
    assert target.objects == {}


async def test_replacing_what_the_plan_saw(copier: Copier, source: FakeStore, target: FakeStore) -> None:
    target.fill("moved/k", b"old copy")
    done = await copy_object(copier, row(source, "replace", target.version("moved/k")))
    assert (done.outcome, target.objects["moved/k"].body) == ("moved", BODY)


async def test_not_replacing_what_somebody_else_wrote_since(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.fill("moved/k", b"old copy")
    planned = row(source, "replace", target.version("moved/k"))
    target.fill("moved/k", b"somebody's work")
    with pytest.raises(ConflictError, match="HL-5015"):
        await copy_object(copier, planned)
    assert target.objects["moved/k"].body == b"somebody's work"


async def test_a_replacement_that_a_killed_attempt_made_is_kept(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    target.fill("moved/k", b"old copy")
    planned = row(source, "replace", target.version("moved/k"))
    target.fill("moved/k", BODY)
    target.tells = frozenset()
    done = await copy_object(copier, planned)
    assert (done.outcome, target.puts) == ("unchanged", [])


async def test_parts_that_were_sent_are_not_sent_again(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    copier = make_copier(source, target, journal)
    upload = await target.begin_upload("moved/k", ObjectAttributes())
    await journal.begun(upload, source.version("k"), PART)
    target.uploads[upload.upload_id] = {1: BODY[:PART], 2: b"!" * PART}
    await copy_object(copier, row(source))
    assert sorted(target.parts_sent) == [2, 3]  # part 2 was another content
    assert target.objects["moved/k"].body == BODY


async def test_an_upload_that_is_gone_is_begun_anew(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    copier = make_copier(source, target, journal)
    upload = await target.begin_upload("moved/k", ObjectAttributes())
    await journal.begun(upload, source.version("k"), PART)
    target.uploads.clear()
    await copy_object(copier, row(source))
    assert sorted(target.parts_sent) == [1, 2, 3]
    assert target.objects["moved/k"].body == BODY


async def test_what_is_not_to_be_kept_does_not_travel(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    copier = make_copier(source, target, journal)
    copier.keep = Metadata(content_headers=True, user_metadata=False, tags=False)
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].attributes == ObjectAttributes(content_type="text/x")


async def test_an_empty_object(copier: Copier, source: FakeStore, target: FakeStore) -> None:
    source.fill("k", b"")
    await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == b""


@pytest.mark.parametrize("action", ["copy", "replace"])
async def test_an_upload_that_another_worker_ended_is_no_failure(
    source: FakeStore, target: FakeStore, journal: UploadJournal, action: str
) -> None:
    """A worker that was taken for dead goes on, and completes the upload that both share."""
    if action == "replace":
        target.fill("moved/k", b"ours, older")
    planned = row(source, action, target.version("moved/k") if action == "replace" else None)
    copier = make_copier(source, target, journal)
    send = target.put_part

    async def meanwhile(upload: Upload, number: int, body: bytes, crc32c: str) -> PartReceipt:
        if number == 2:
            target.uploads.pop(upload.upload_id, None)
            target.fill("moved/k", BODY, source.objects["k"].attributes)
            raise NotFoundError("part", got="no such upload")
        return await send(upload, number, body, crc32c)

    target.put_part = meanwhile  # type: ignore[method-assign]
    done = await copy_object(copier, planned)
    assert (done.outcome, done.target_version) == ("unchanged", target.version("moved/k"))
    assert target.objects["moved/k"].body == BODY
    assert copier.rejected_reads == 0


async def test_an_upload_that_another_worker_gave_up_is_begun_anew(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    copier = make_copier(source, target, journal)
    complete, given_up = target.complete_upload, []

    async def gone_once(upload: Upload, *arguments: Any, **options: Any) -> PutReceipt:
        if not given_up:
            given_up.append(target.uploads.pop(upload.upload_id))
            raise NotFoundError("completion", got="no such upload")
        return await complete(upload, *arguments, **options)

    target.complete_upload = gone_once  # type: ignore[method-assign]
    assert (await copy_object(copier, row(source))).outcome == "moved"
    assert target.objects["moved/k"].body == BODY


async def test_another_workers_wrong_object_is_a_conflict(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    copier = make_copier(source, target, journal)

    async def meanwhile(upload: Upload, number: int, body: bytes, crc32c: str) -> PartReceipt:
        target.uploads.clear()
        target.fill("moved/k", b"something else")
        raise NotFoundError("part", got="no such upload")

    target.put_part = meanwhile  # type: ignore[method-assign]
    with pytest.raises(ConflictError):
        await copy_object(copier, row(source))


async def test_where_no_object_is_said_to_have_tags_one_of_all_asks_whether_they_may_be_seen(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    source.fill("plain", BODY, ObjectAttributes())
    head = replace(await source.head("plain"), tag_count=0)
    asked: list[str] = []

    async def tags(key: str) -> dict[str, str]:
        asked.append(key)
        await asyncio.sleep(0)
        return {}

    source.tags = tags  # type: ignore[method-assign]
    copier = make_copier(source, target, journal)
    await asyncio.gather(*(kept_attributes(copier, "plain", head) for _ in range(20)))
    assert asked == ["plain"]
    await kept_attributes(copier, "plain", replace(head, tag_count=1))
    assert asked == ["plain"] * 2


LEFT = frozenset({Algorithm.CRC32, Algorithm.MD5})


async def copied_left(source: FakeStore, target: FakeStore, journal: UploadJournal) -> tuple[str, int]:
    """Copy to a target that looks at an MD5; return the read's proof and how many were rejected."""
    source.tells = LEFT
    target.compares, target.tells = frozenset({Algorithm.MD5}), LEFT
    copier = make_copier(source, target, journal, part_bytes=1 << 20)
    result = await copy_object(copier, row(source))
    assert target.objects["moved/k"].body == BODY
    assert result.outcome == "moved"
    assert result.target_checksums[Algorithm.CRC32C] == digest(BODY, Algorithm.CRC32C)[Algorithm.CRC32C]
    return result.source_proof, copier.rejected_reads


async def test_what_the_target_compares_with_the_sources_word_is_not_computed_here(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    """Of several checksums that one is taken which the target looks at, though another is cheaper."""
    assert await copied_left(source, target, journal) == ("md5", 0)


async def test_a_bad_read_that_was_left_to_the_target_is_read_again(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    source.flips = 1
    assert await copied_left(source, target, journal) == ("crc32", 1)


async def test_an_etag_that_is_no_md5_is_found_out_and_the_other_checksum_counts(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    source.no_md5 = True
    assert await copied_left(source, target, journal) == ("crc32", 1)
