"""Whole objects: bytes, attributes, conditions, ranges."""

from __future__ import annotations

import asyncio

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.errors import (
    AlreadyExistsError,
    NotFoundError,
    PreconditionError,
)
from heavylift.platforms.ports import ObjectAttributes
from tests.contract.stores.conformance.data import ATTRIBUTES, SIZES, TAGS, pattern
from tests.contract.stores.subject import Subject, listed, listed_keys, put, read


class Objects:
    """Whole objects: bytes, attributes, conditions, ranges."""

    async def test_an_existing_container_passes_the_check(self, subject: Subject) -> None:
        await subject.store.check()

    @pytest.mark.parametrize("size", SIZES)
    async def test_bytes_come_back_as_they_were_put(self, subject: Subject, size: int) -> None:
        body = pattern(size)
        receipt = await put(subject.store, "data/object.bin", body)
        async with subject.store.get("data/object.bin") as stream:
            assert stream.head.object.size_bytes == size
            assert stream.head.object.version == receipt.version
            got = b"".join([chunk async for chunk in stream.chunks()])
        assert got == body

    async def test_the_receipt_holds_what_the_traits_promise(self, subject: Subject) -> None:
        body = pattern(70_000)
        receipt = await put(subject.store, "object.bin", body)
        assert receipt.version
        truth = digest(body, *(set(receipt.checksums) - {Algorithm.MD5_PARTS}))
        assert {**receipt.checksums} == truth
        assert set(receipt.checksums) <= subject.store.traits.reports

    async def test_head_get_and_listing_agree(self, subject: Subject) -> None:
        receipt = await put(subject.store, "object.bin", b"12345")
        head = await subject.store.head("object.bin")
        async with subject.store.get("object.bin") as stream:
            opened = stream.head
        [item] = [item async for item in listed(subject.store)]
        for seen in (head.object, opened.object, item):
            assert seen.key == "object.bin"
            assert seen.size_bytes == 5
            assert seen.version == receipt.version
            assert abs(seen.modified_us - head.object.modified_us) < 1_000_000
            told = {name: value for name, value in seen.checksums.items() if name is not Algorithm.ETAG}
            assert told == digest(b"12345", *told)
            assert seen.checksums.get(Algorithm.ETAG, seen.version) == seen.version
        assert opened.attributes == head.attributes

    @pytest.mark.parametrize("name", sorted(ATTRIBUTES))
    async def test_attributes_come_back_or_are_named_as_problems(self, subject: Subject, name: str) -> None:
        attributes = ATTRIBUTES[name]
        problems = subject.store.attribute_problems(attributes)
        if problems or name in subject.unholdable_attributes:
            assert all(problems)
            return
        await put(subject.store, "object.bin", b"x", attributes)
        head = await subject.store.head("object.bin")
        assert head.attributes == attributes
        async with subject.store.get("object.bin") as stream:
            assert stream.head.attributes == attributes

    async def test_tags_come_back_or_are_named_as_problems(self, subject: Subject) -> None:
        attributes = ObjectAttributes(tags=TAGS)
        if not subject.store.traits.keeps_tags:
            assert subject.store.attribute_problems(attributes)
            return
        tags = {k: v for k, v in TAGS.items() if not subject.store.attribute_problems(_tagged(k, v))}
        assert tags
        await put(subject.store, "tagged", b"x", ObjectAttributes(tags=tags))
        await put(subject.store, "untagged", b"x")
        assert await subject.store.tags("tagged") == tags
        assert await subject.store.tags("untagged") == {}
        assert (await subject.store.head("tagged")).tag_count in {None, len(tags)}
        assert (await subject.store.head("untagged")).tag_count in {None, 0}

    @pytest.mark.parametrize("size", [3, 2_000_000])
    async def test_a_create_only_put_leaves_what_is_there(self, subject: Subject, size: int) -> None:
        await put(subject.store, "object.bin", b"old")
        with pytest.raises(AlreadyExistsError):
            await put(subject.store, "object.bin", pattern(size))
        assert await read(subject.store, "object.bin") == b"old"

    async def test_of_many_create_only_puts_one_wins(self, subject: Subject) -> None:
        bodies = [f"writer {number}".encode() for number in range(8)]
        results = await asyncio.gather(
            *(put(subject.store, "object.bin", body) for body in bodies), return_exceptions=True
        )
        won = [body for body, got in zip(bodies, results, strict=True) if not isinstance(got, BaseException)]
        lost = [got for got in results if isinstance(got, BaseException)]
        assert [type(error) for error in lost] == [AlreadyExistsError] * 7
        assert [await read(subject.store, "object.bin")] == won

    async def test_an_overwriting_put_replaces_bytes_and_attributes(self, subject: Subject) -> None:
        await put(subject.store, "object.bin", b"old", ObjectAttributes(content_type="a/old"))
        before = (await subject.store.head("object.bin")).object.version
        new = ObjectAttributes(content_type="a/new")
        await put(subject.store, "object.bin", b"newer", new, create_only=False)
        head = await subject.store.head("object.bin")
        assert await read(subject.store, "object.bin") == b"newer"
        assert head.object.version != before
        if not subject.store.attribute_problems(new):
            assert head.attributes.content_type == "a/new"

    @pytest.mark.parametrize(
        ("offset", "length"), [(0, 1), (0, 10), (5, None), (99_999, None), (99_990, 10), (7, 70_000), (3, 0)]
    )
    async def test_ranges(self, subject: Subject, offset: int, length: int | None) -> None:
        body = pattern(100_000)
        await put(subject.store, "object.bin", body)
        end = None if length is None else offset + length
        assert await read(subject.store, "object.bin", offset=offset, length=length) == body[offset:end]

    async def test_a_range_still_tells_the_size_of_the_whole(self, subject: Subject) -> None:
        await put(subject.store, "object.bin", pattern(100_000))
        async with subject.store.get("object.bin", offset=10, length=20) as stream:
            assert stream.head.object.size_bytes == 100_000
            assert set(stream.head.object.checksums.values()) <= set(
                digest(pattern(100_000), *(Algorithm.MD5, Algorithm.CRC32C)).values()
            )

    async def test_a_pinned_version_is_read_as_long_as_it_is_there(self, subject: Subject) -> None:
        receipt = await put(subject.store, "object.bin", b"old")
        assert await read(subject.store, "object.bin", version=receipt.version) == b"old"
        await put(subject.store, "object.bin", b"new!", create_only=False)
        with pytest.raises(PreconditionError):
            await read(subject.store, "object.bin", version=receipt.version)
        with pytest.raises(PreconditionError):
            await read(subject.store, "object.bin", version=receipt.version, offset=1)

    async def test_what_is_not_there_is_not_found(self, subject: Subject) -> None:
        with pytest.raises(NotFoundError):
            await subject.store.head("nothing")
        with pytest.raises(NotFoundError):
            await read(subject.store, "nothing")
        with pytest.raises(NotFoundError):
            await read(subject.store, "nothing", version="abc")

    async def test_deleting_twice_is_no_error(self, subject: Subject) -> None:
        await put(subject.store, "object.bin")
        await subject.store.delete("object.bin")
        await subject.store.delete("object.bin")
        assert await listed_keys(subject.store) == []

    async def test_an_abandoned_download_harms_nothing(self, subject: Subject) -> None:
        body = pattern(3_000_001)
        await put(subject.store, "object.bin", body)
        for _ in range(3):
            async with subject.store.get("object.bin") as stream:
                async for chunk in stream.chunks():
                    assert body.startswith(chunk)
                    break
        assert await read(subject.store, "object.bin") == body

    async def test_parallel_puts_and_gets(self, subject: Subject) -> None:
        bodies = {f"k{number:03}": pattern(1_000 + number) for number in range(60)}
        await asyncio.gather(*(put(subject.store, key, body) for key, body in bodies.items()))
        got = await asyncio.gather(*(read(subject.store, key) for key in bodies))
        assert dict(zip(bodies, got, strict=True)) == bodies


def _tagged(name: str, value: str) -> ObjectAttributes:
    return ObjectAttributes(tags={name: value})
