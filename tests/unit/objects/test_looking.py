"""What a target cannot keep of attributes is named before anything moves, of a sample or of all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from heavylift.errors import CredentialError, HeavyliftError, PermanentError, ThrottledError
from heavylift.evidence.records import RunKey, Severity
from heavylift.locations import Location
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier, with_attributes_named
from heavylift.objects.diff import Difference, Refused
from heavylift.objects.journal import UploadJournal
from heavylift.objects.listing import list_to_file
from heavylift.objects.looking import LOOKED_AT, LOST, UNSEEN, Looked, look_at_attributes, write_rows
from heavylift.objects.requests import TransferOptions, TransferRequest
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes, ObjectHead
from heavylift.spec.datasets import Metadata
from heavylift.spec.vocabulary import Via
from tests.unit.objects.fakes import FakeStore


@dataclass
class Source(FakeStore):
    """A source that counts its heads, and tells nobody of what is called secret."""

    asked: list[str] = field(default_factory=list)

    async def head(self, key: str) -> ObjectHead:
        self.asked.append(key)
        if "secret" in key:
            raise CredentialError(f"head of {key}", got="HTTP 403", remedy="give permission")
        return await super().head(key)


class Target(FakeStore):
    """A target that keeps no metadata entry called big, and tags in another form."""

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        lost = ["metadata entry 'big': " + "too large " * 100] if "big" in attributes.metadata else []
        return lost + (["tags: kept as something else"] if attributes.tags else [])


def request_of(metadata: Metadata, via: Via = Via.HEAVYLIFT) -> TransferRequest:
    return TransferRequest(
        RunKey(migration="m", phase="transfer", run="r"), "d",
        Place(Location("s3", "a", "p/")), Place(Location("gs", "b")), None, None,
        TransferOptions(metadata=metadata, via=via),
    )  # fmt: skip


@asynccontextmanager
async def between(source: Source, target: Target, work: Path) -> AsyncIterator[Difference]:
    one = await list_to_file(source, "p/", lambda key: True, work / "s.parquet")
    other = await list_to_file(target, "", lambda key: True, work / "t.parquet")
    difference = Difference(work, 2**26)
    difference.compare(one, other)
    try:
        yield difference
    finally:
        difference.close()


def filled(plain: int) -> tuple[Source, Target]:
    source, target = Source(), Target()
    for number in range(plain):
        source.fill(f"p/plain/{number:04}", b"x")
    source.fill("p/big", b"x", ObjectAttributes(metadata={"big": "v"}))
    source.fill("p/there", b"x", ObjectAttributes(metadata={"big": "v"}))
    target.fill("there", b"x")
    source.fill("p/refused", b"x", ObjectAttributes(metadata={"big": "v"}))
    source.fill("p/secret", b"x")
    source.fill("p/tagged", b"x", ObjectAttributes(tags={"a": "b"}))
    return source, target


async def look(work: Path, plain: int, metadata: Metadata, rows: Path | None = None) -> tuple[Looked, Source]:
    source, target = filled(plain)
    async with between(source, target, work) as difference:
        difference.refuse([Refused("refused", "key", "it is odd")])
        found = await look_at_attributes(request_of(metadata), difference, source, target)
        if rows is not None:
            write_rows(difference, rows)
    assert not source.gets
    assert not target.puts
    return found, source


async def test_of_few_objects_each_is_looked_at_and_what_it_loses_is_named(tmp_path: Path) -> None:
    found, source = await look(tmp_path, 3, Metadata(), tmp_path / "rows.parquet")
    assert sorted(source.asked) == ["p/big", *(f"p/plain/000{n}" for n in range(3)), "p/secret", "p/tagged"]
    assert [(each.rule, each.subject) for each in found.named] == [
        (LOST, "s3://a/p/big"), (UNSEEN, "s3://a/p/secret")
    ]  # fmt: skip
    assert all(each.severity is Severity.WARNING for each in found.named)
    assert "HTTP 403" in found.named[1].detail
    assert len(found.named[0].detail) <= 300
    assert [each.detail for each in found.in_short] == [
        "attributes of 5 of 6 objects to copy were looked at: 1 has some that the target cannot keep;"
        " of 1 the source does not tell them",
        "1 object of 5 looked at: tags: kept as something else",
    ]
    assert found.rows
    assert pq.read_table(tmp_path / "rows.parquet").column("rel").to_pylist() == ["big", "secret"]


async def test_of_many_a_sample_is_looked_at_with_its_bound_or_all_where_asked(tmp_path: Path) -> None:
    source, target = Source(), Target()
    for number in range(400):
        source.fill(f"p/{number}", b"x")
    async with between(source, target, tmp_path) as difference:
        found = await look_at_attributes(request_of(Metadata()), difference, source, target)
    assert len(set(source.asked)) == len(source.asked) == 300
    assert (found.named, found.rows) == ((), False)
    assert [(each.rule, each.detail) for each in found.in_short] == [
        (
            LOOKED_AT,
            "attributes of 300 of 400 objects to copy were looked at: 0 have some that the target cannot"
            " keep, so fewer than 1.52% have, with 99% confidence",
        )
    ]
    found, source = await look(tmp_path, 400, Metadata(look_at_all=True))
    assert len(source.asked) == 403
    assert [each.subject for each in found.named] == ["s3://a/p/big", "s3://a/p/secret"]


async def test_what_stays_behind_on_purpose_or_goes_by_a_service_is_no_loss(tmp_path: Path) -> None:
    found, _ = await look(tmp_path, 1, Metadata(user_metadata=False, tags=False))
    assert [each.rule for each in found.named] == [UNSEEN]
    source, target = filled(1)
    async with between(source, target, tmp_path) as difference:
        request = request_of(Metadata(), Via.DATASYNC)
        assert await look_at_attributes(request, difference, source, target) == Looked()
    assert source.asked == []


def test_a_refusal_names_the_attributes_that_the_target_is_known_not_to_keep() -> None:
    copier = Copier(
        FakeStore(), FakeStore(), "", "", MemoryBudget(1), UploadJournal(None, "m", "d"), Metadata(), 1, print
    )
    copier.notes = [("a", "tags: kept as x"), ("a", "user metadata is 9 bytes: at most 8"), ("b", "other")]

    def told(rel: str, error: HeavyliftError) -> str:
        return str(with_attributes_named(copier, rel, error))

    bad = PermanentError("put of s3://b/a", got="HTTP 400", code="3000")
    assert "HTTP 400; of the attributes: user metadata is 9 bytes: at most 8" in told("a", bad)
    assert "[HL-9225]" in told("a", bad)
    assert told("c", bad) == str(bad)
    knows = PermanentError("put", got="user metadata is 9 bytes: at most 8", code="3145")
    assert told("a", knows) == str(knows)
    busy = ThrottledError("put of s3://b/a", got="HTTP 503", code="3120")
    assert told("a", busy) == str(busy)
