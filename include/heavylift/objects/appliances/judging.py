"""Judging one object that a device brought: by the target's own word, else by reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from heavylift.checksums import Algorithm, Checksums
from heavylift.errors import HeavyliftError, NotFoundError, PreconditionError, TransientError
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.objects.compare import attribute_differences
from heavylift.objects.listing import LISTED
from heavylift.objects.proof import agree, common_algorithm, read_checksums
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectStore
from heavylift.spec.datasets import Metadata

_READ = (Algorithm.CRC32C, Algorithm.SHA256)


@dataclass(frozen=True)
class Found:
    """What became of one object on the target.

    :param kind: ``equal``, ``missing``, ``different`` or ``unreadable``.
    :param method: the checksum that decided, ``read_back:<it>`` where the object was read.
    :param version: on the target, of what was judged.
    """

    kind: str
    method: str = ""
    version: str = ""
    got: str = ""


async def judge(target: ObjectStore, key: str, row: LoadRow, listed: ListedObject | None) -> Found:
    """Compare what is on the target under ``key`` with the load manifest.

    :param listed: what the target's listing told of it; None where it has nothing there.
    """
    if listed is None:
        return Found("missing")
    if listed.size_bytes != row.size_bytes:
        return Found("different", "size", listed.version, f"{listed.size_bytes} bytes")
    told = _by_word(row, listed)
    if told is not None:
        return told
    try:
        head = (await target.head(key)).object
        told = _by_word(row, head)
        if told is not None and head.size_bytes == row.size_bytes:
            return told
        size, sums = await read_checksums(target, key, head.version, _READ)
    except (NotFoundError, PreconditionError) as error:
        return Found("different", "head", listed.version, f"an object that changes: {error.got}"[:200])
    except TransientError:
        raise
    except HeavyliftError as error:
        return Found("unreadable", "read_back", listed.version, error.got[:200])
    equal = size == row.size_bytes and all(sums[kind] == row.checksums[kind] for kind in _READ)
    return _found(equal, "read_back:sha256", head.version, f"SHA-256 {sums[Algorithm.SHA256]}")


def _by_word(row: LoadRow, there: ListedObject) -> Found | None:
    """Return the verdict that the store's own checksums allow, or None."""
    sums: Checksums = there.checksums
    # An ETag in the shape of an MD5 proves equality where it equals ours, and nothing otherwise.
    if sums.get(Algorithm.ETAG) == row.checksums[Algorithm.MD5]:
        return _found(True, "etag", there.version)
    algorithm = common_algorithm(row.checksums, sums)
    if algorithm is None:
        return None
    return _found(
        agree(row.checksums, sums) is True,
        algorithm.value,
        there.version,
        f"{algorithm.value} {sums[algorithm]}",
    )


def _found(equal: bool, method: str, version: str, got: str = "") -> Found:
    return Found("equal" if equal else "different", method, version, "" if equal else got)


async def lost_attributes(target: ObjectStore, key: str, row: LoadRow, keep: Metadata) -> list[str]:
    """Return what of an object's attributes is not on the target, in words."""
    if row.attributes == ObjectAttributes():
        return []
    head = await target.head(key)
    attributes, tags = head.attributes, target.traits.keeps_tags
    if tags and keep.tags and head.tag_count != 0 and row.attributes.tags:
        attributes = replace(attributes, tags=await target.tags(key))
    return attribute_differences(row.attributes, attributes, keep, tags=tags)


def listed_object(key: str, cells: Mapping[str, object]) -> ListedObject | None:
    """Return what a listing told, from a row of its Parquet; None where the join found nothing."""
    if cells["version"] is None:
        return None
    sums = {algorithm: str(value) for algorithm in LISTED if (value := cells[algorithm.value]) is not None}
    return ListedObject(key, int(str(cells["size_bytes"])), str(cells["version"]), 0, sums)
