"""Attributes that the source gave anew to an object whose bytes the target has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.errors import ConflictError
from heavylift.evidence.store import open_evidence
from heavylift.objects.copier import Copier
from heavylift.objects.copy_object import copy_object
from heavylift.objects.diff import ATTRIBUTES
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import PlanRow
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Metadata
from tests.unit.objects.fakes import FakeStore
from tests.unit.objects.test_copy_object import BODY, PART, make_copier

OLD = ObjectAttributes(content_type="text/x", metadata={"a": "b"}, tags={"t": "1"})
LISTED_US = 1_700_000_000_000_000


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[UploadJournal]:
    async with open_evidence(f"file://{tmp_path}/evidence") as evidence:
        yield UploadJournal(evidence, "m", "d")


@pytest.fixture
def source() -> FakeStore:
    store = FakeStore()
    store.fill("k", BODY, OLD)
    return store


@pytest.fixture
def target() -> FakeStore:
    store = FakeStore()
    store.fill("moved/k", BODY, OLD)
    return store


@pytest.fixture(params=["whole", "parts"])
def copier(
    request: pytest.FixtureRequest, source: FakeStore, target: FakeStore, journal: UploadJournal
) -> Copier:
    return make_copier(source, target, journal, part_bytes=PART if request.param == "parts" else 1 << 20)


def planned(source: FakeStore, target: FakeStore) -> PlanRow:
    return PlanRow("k", ATTRIBUTES, len(BODY), source.version("k"), target.version("moved/k"), LISTED_US)


@pytest.mark.parametrize(
    "new",
    [
        replace(OLD, content_type="text/y"),
        replace(OLD, content_type="application/octet-stream"),
        replace(OLD, cache_control="no-store"),
        replace(OLD, metadata={}),
        replace(OLD, tags={"t": "2"}),
        replace(OLD, tags={}),
    ],
)
async def test_what_differs_is_copied_again(
    copier: Copier, source: FakeStore, target: FakeStore, new: ObjectAttributes
) -> None:
    source.fill("k", BODY, new)
    done = await copy_object(copier, planned(source, target))
    assert (done.outcome, copier.renewed, done.source_modified_us) == ("moved", 1, LISTED_US)
    assert target.objects["moved/k"].attributes == new
    assert done.target_version == target.version("moved/k")


async def test_what_is_equal_is_neither_read_nor_written(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    done = await copy_object(copier, planned(source, target))
    assert (done.outcome, copier.renewed, done.source_modified_us) == ("unchanged", 0, LISTED_US)
    assert (done.source_version, done.target_version) == (source.version("k"), target.version("moved/k"))
    assert (source.gets, target.puts, target.parts_sent) == ([], [], [])


@pytest.mark.parametrize(
    ("keep", "new"),
    [
        (Metadata(tags=False), replace(OLD, tags={"t": "2"})),
        (Metadata(user_metadata=False), replace(OLD, metadata={"a": "c"})),
        (Metadata(content_headers=False), replace(OLD, content_type="text/y")),
    ],
)
async def test_what_the_spec_leaves_behind_does_not_count(
    copier: Copier, source: FakeStore, target: FakeStore, keep: Metadata, new: ObjectAttributes
) -> None:
    copier.keep = keep
    source.fill("k", BODY, new)
    done = await copy_object(copier, planned(source, target))
    assert (done.outcome, target.puts, target.parts_sent) == ("unchanged", [], [])


@pytest.mark.parametrize("body", [BODY, b"theirs"])
async def test_what_somebody_has_changed_on_the_target_since_the_plan_stays(
    copier: Copier, source: FakeStore, target: FakeStore, body: bytes
) -> None:
    row = planned(source, target)
    theirs = replace(OLD, metadata={"a": "theirs"})
    target.fill("moved/k", body, theirs)
    with pytest.raises(ConflictError, match="5015"):
        await copy_object(copier, row)
    assert (target.objects["moved/k"].body, target.objects["moved/k"].attributes) == (body, theirs)


async def test_what_a_killed_attempt_has_written_is_kept(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    new = replace(OLD, metadata={"a": "new"})
    source.fill("k", BODY, new)
    row = planned(source, target)
    target.fill("moved/k", BODY, new)
    done = await copy_object(copier, row)
    assert (done.outcome, target.puts, target.parts_sent) == ("unchanged", [], [])
    assert done.target_version == target.version("moved/k")


async def test_an_object_whose_bytes_change_meanwhile_arrives_whole(
    copier: Copier, source: FakeStore, target: FakeStore
) -> None:
    row = planned(source, target)
    source.fill("k", BODY[::-1], OLD)
    done = await copy_object(copier, row)
    assert (done.outcome, target.objects["moved/k"].body) == ("moved", BODY[::-1])


async def test_parts_that_were_sent_with_other_attributes_are_not_gone_on_with(
    source: FakeStore, target: FakeStore, journal: UploadJournal
) -> None:
    copier = make_copier(source, target, journal)
    version = source.version("k")
    upload = await target.begin_upload("moved/k", OLD)
    await journal.begun(upload, version, PART, OLD)
    assert await journal.current("moved/k", version, PART, OLD) == upload
    new = replace(OLD, metadata={"a": "new"})
    assert await journal.current("moved/k", version, PART, new) is None
    source.fill("k", BODY, new)
    await copy_object(copier, planned(source, target))
    assert target.objects["moved/k"].attributes == new
