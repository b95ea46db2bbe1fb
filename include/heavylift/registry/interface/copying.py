"""Copies one object from store to store, proved by the checksum of what was read."""

from __future__ import annotations

from heavylift.checksums import Algorithm, Digester, crc32c_of, digest
from heavylift.errors import AlreadyExistsError, IntegrityError
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectStore, PartReceipt

PART_BYTES = 16 * 2**20


async def copy_object(
    source: ObjectStore, target: ObjectStore, listed: ListedObject, key: str, *, replaces: bool
) -> None:
    """Make ``key`` of the target what an object of the source is.

    :param replaces: what is there was written by an earlier run; otherwise nothing is written over.
    :raises AlreadyExistsError: something else has come to be there.
    """
    try:
        if listed.size_bytes <= PART_BYTES:
            await _whole(source, target, listed, key, replaces=replaces)
        else:
            await _in_parts(source, target, listed, key, replaces=replaces)
    except AlreadyExistsError:
        # A run that was killed may have left a request behind that was still carried out.
        there = await target.head(key)
        if there.object.size_bytes != listed.size_bytes:
            raise


async def _whole(
    source: ObjectStore, target: ObjectStore, listed: ListedObject, key: str, *, replaces: bool
) -> None:
    fetched = await source.fetch(listed.key, version=listed.version)
    _demand_equal(listed, digest(fetched.body, *listed.checksums), source)
    sums = digest(fetched.body, Algorithm.CRC32C, *target.traits.verifies)
    attributes = _kept(fetched.head.attributes)
    await target.put(key, fetched.body, attributes, sums, create_only=not replaces)


async def _in_parts(
    source: ObjectStore, target: ObjectStore, listed: ListedObject, key: str, *, replaces: bool
) -> None:
    size = max(PART_BYTES, target.traits.min_part_bytes, -(-listed.size_bytes // target.traits.max_parts))
    attributes = _kept((await source.head(listed.key)).attributes)
    upload = await target.begin_upload(key, attributes)
    receipts: list[PartReceipt] = []
    sums = Digester([Algorithm.CRC32C])
    try:
        for number, start in enumerate(range(0, listed.size_bytes, size), 1):
            length = min(size, listed.size_bytes - start)
            part = await source.fetch(listed.key, version=listed.version, offset=start, length=length)
            sums.update(part.body)
            receipts.append(await target.put_part(upload, number, part.body, crc32c_of(part.body)))
        await target.complete_upload(upload, receipts, attributes, sums.checksums(), create_only=not replaces)
    except BaseException:
        await target.abort_upload(upload)
        raise


def _kept(attributes: ObjectAttributes) -> ObjectAttributes:
    return ObjectAttributes(
        content_type=attributes.content_type, content_encoding=attributes.content_encoding
    )


def _demand_equal(listed: ListedObject, read: dict[Algorithm, str], store: ObjectStore) -> None:
    for algorithm, value in read.items():
        if listed.checksums[algorithm] != value:
            raise IntegrityError(
                f"reading {store.location.url_of(listed.key)}",
                got=f"bytes whose {algorithm.value} is another than the store's own",
                expected="the bytes that were put",
                state="nothing was written",
                remedy="run again; if it stays so, the object is damaged on the source",
                code="7168",
            )
