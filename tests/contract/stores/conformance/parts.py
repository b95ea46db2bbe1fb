"""Objects written in parts."""

from __future__ import annotations

import asyncio

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.errors import (
    AlreadyExistsError,
    NotFoundError,
)
from heavylift.platforms.ports import ObjectAttributes, ObjectStore, PartReceipt, Upload
from tests.contract.stores.conformance.data import ATTRIBUTES, pattern
from tests.contract.stores.conformance.keys import holds
from tests.contract.stores.subject import Subject, crc32c, listed_keys, put, read


class Parts:
    """Objects written in parts."""

    async def test_parts_become_one_object(self, subject: Subject) -> None:
        store, bodies = subject.store, parts_of(subject.store)
        attributes = ATTRIBUTES["headers"]
        if store.attribute_problems(attributes):
            attributes = ObjectAttributes()
        upload = await store.begin_upload("big.bin", attributes)
        assert await listed_keys(store) == []
        receipts = await send_all(store, upload, bodies)
        whole = b"".join(bodies)
        receipt = await store.complete_upload(upload, receipts, attributes, digest(whole, Algorithm.CRC32C))
        assert await read(store, "big.bin", version=receipt.version) == whole
        head = await store.head("big.bin")
        assert head.object.size_bytes == len(whole)
        assert head.object.version == receipt.version
        if attributes != ObjectAttributes():
            assert head.attributes == attributes

    async def test_the_receipt_of_parts_holds_what_the_traits_promise(self, subject: Subject) -> None:
        store, bodies = subject.store, parts_of(subject.store)
        upload = await store.begin_upload("big.bin", ObjectAttributes())
        receipts = await send_all(store, upload, bodies)
        whole = b"".join(bodies)
        receipt = await store.complete_upload(
            upload, receipts, ObjectAttributes(), digest(whole, Algorithm.CRC32C)
        )
        assert set(receipt.checksums) == store.traits.reports_parts
        assert {**receipt.checksums} == digest(whole, *receipt.checksums)

    async def test_part_sizes_recompute_the_parted_md5(self, subject: Subject) -> None:
        store, bodies = subject.store, parts_of(subject.store)
        await upload_all(store, "big.bin", bodies)
        head = await store.head("big.bin")
        if Algorithm.MD5_PARTS in head.object.checksums:
            assert head.part_sizes == tuple(map(len, bodies))

    async def test_one_part_alone(self, subject: Subject) -> None:
        await upload_all(subject.store, "small.bin", [b"only"])
        assert await read(subject.store, "small.bin") == b"only"

    async def test_tags_of_an_object_in_parts(self, subject: Subject) -> None:
        tagged = ObjectAttributes(tags={"team": "fraud"})
        if not subject.store.traits.keeps_tags:
            assert subject.store.attribute_problems(tagged)
            return
        await upload_all(subject.store, "big.bin", parts_of(subject.store), tagged)
        assert await subject.store.tags("big.bin") == {"team": "fraud"}

    async def test_parts_may_come_in_any_order_and_twice(self, subject: Subject) -> None:
        store, bodies = subject.store, parts_of(subject.store)
        upload = await store.begin_upload("big.bin", ObjectAttributes())
        wrong = await store.put_part(upload, 2, pattern(len(bodies[1])), crc32c(pattern(len(bodies[1]))))
        numbered = list(enumerate(bodies, 1))
        receipts = [await store.put_part(upload, n, body, crc32c(body)) for n, body in reversed(numbered)]
        whole = b"".join(bodies)
        await store.complete_upload(
            upload, sorted_parts(receipts), ObjectAttributes(), digest(whole, Algorithm.CRC32C)
        )
        assert wrong.number == 2
        assert await read(store, "big.bin") == whole

    async def test_a_killed_upload_goes_on_where_it_stopped(self, subject: Subject) -> None:
        bodies = parts_of(subject.store)
        upload = await subject.store.begin_upload("big.bin", ObjectAttributes())
        sent = {
            n: await subject.store.put_part(upload, n, bodies[n - 1], crc32c(bodies[n - 1])) for n in (1, 3)
        }
        async with subject.reopen() as store:
            found = await store.finished_parts(Upload(upload.key, upload.upload_id))
            assert found is not None
            assert set(found) == {1, 3}
            for number, part in found.items():
                assert part.number == number
                assert part.size_bytes == len(bodies[number - 1])
                assert part.token == sent[number].token
                assert part.crc32c in {"", crc32c(bodies[number - 1])}
            second = await store.put_part(upload, 2, bodies[1], crc32c(bodies[1]))
            whole = b"".join(bodies)
            parts = sorted_parts([sent[1], second, sent[3]])
            await store.complete_upload(upload, parts, ObjectAttributes(), digest(whole, Algorithm.CRC32C))
            assert await read(store, "big.bin") == whole

    async def test_an_aborted_upload_leaves_nothing(self, subject: Subject) -> None:
        store, bodies = subject.store, parts_of(subject.store)
        upload = await store.begin_upload("big.bin", ObjectAttributes())
        await store.put_part(upload, 1, bodies[0], crc32c(bodies[0]))
        await store.abort_upload(upload)
        await store.abort_upload(upload)
        assert not await store.finished_parts(upload)
        assert await listed_keys(store) == []
        with pytest.raises(NotFoundError):
            await store.head("big.bin")

    async def test_a_create_only_completion_leaves_what_is_there(self, subject: Subject) -> None:
        store, bodies = subject.store, parts_of(subject.store)
        upload = await store.begin_upload("big.bin", ObjectAttributes())
        receipts = await send_all(store, upload, bodies)
        await put(store, "big.bin", b"first")
        checksums = digest(b"".join(bodies), Algorithm.CRC32C)
        with pytest.raises(AlreadyExistsError):
            await store.complete_upload(upload, receipts, ObjectAttributes(), checksums)
        assert await read(store, "big.bin") == b"first"
        await store.complete_upload(upload, receipts, ObjectAttributes(), checksums, create_only=False)
        assert await read(store, "big.bin") == b"".join(bodies)

    async def test_an_awkward_key_in_parts(self, subject: Subject) -> None:
        keys = [key for key in ("a+b c%2F&é/😀", "a//b", "p/../q") if holds(subject, key)]
        for key in keys:
            await upload_all(subject.store, key, [b"only"])
        assert sorted(await listed_keys(subject.store)) == sorted(keys)


def parts_of(store: ObjectStore) -> list[bytes]:
    """Return three parts, the last one short."""
    size = max(store.traits.min_part_bytes, 300_000)
    return [pattern(size)[::-1], bytes(size), pattern(1_234)]


def sorted_parts(parts: list[PartReceipt]) -> list[PartReceipt]:
    """Return parts by number."""
    return sorted(parts, key=lambda part: part.number)


async def send_all(store: ObjectStore, upload: Upload, bodies: list[bytes]) -> list[PartReceipt]:
    """Send all parts at once and return their receipts by number."""
    sending = (store.put_part(upload, n, body, crc32c(body)) for n, body in enumerate(bodies, 1))
    return list(await asyncio.gather(*sending))


async def upload_all(
    store: ObjectStore, key: str, bodies: list[bytes], attributes: ObjectAttributes | None = None
) -> None:
    """Write ``key`` in parts."""
    attributes = attributes or ObjectAttributes()
    upload = await store.begin_upload(key, attributes)
    receipts = await send_all(store, upload, bodies)
    whole = digest(b"".join(bodies), Algorithm.CRC32C)
    await store.complete_upload(upload, receipts, attributes, whole)
