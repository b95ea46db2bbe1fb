"""Comparing one object on both sides, by the stores' own words or by reading."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from heavylift.checksums import Algorithm
from heavylift.errors import NotFoundError, PreconditionError
from heavylift.evidence.wording import shortened
from heavylift.objects.proof import common_algorithm, read_checksums, usable_algorithm
from heavylift.platforms.file_entries import entries_of
from heavylift.platforms.ports import ListedObject, ObjectAttributes, ObjectHead, ObjectStore
from heavylift.spec.datasets import Metadata

DEFAULT_TYPES = {None, "", "application/octet-stream", "binary/octet-stream"}
"""What stores say of an object for which nobody said what it is."""

ADDED_BY_SERVICES = frozenset({"x-goog-source-etag"})
"""Metadata that a transfer service adds to what it moves (Storage Transfer Service: the source's ETag).

Names that the source has itself are compared as all others are.
"""


@dataclass(frozen=True)
class Verdict:
    """The result of comparing one object.

    :param method: the checksum that decided, or ``read_back`` / ``read_both`` with it.
    """

    equal: bool
    method: str
    source: str
    target: str
    crc32c: str | None = None
    kind: str = "different"


async def compare_object(
    source: ObjectStore, source_key: str, target: ObjectStore, target_key: str, *, always_read: bool
) -> Verdict:
    """Compare one object's content on both sides.

    :param always_read: read the target even where its own checksum would decide.
    """
    try:
        verdict = await _compare_once(source, source_key, target, target_key, always_read=always_read)
        if not verdict.equal and verdict.method.startswith("read_"):
            # A bit may have gone wrong on the way here: only what is seen twice is told.
            return await _compare_once(source, source_key, target, target_key, always_read=always_read)
        return verdict
    except NotFoundError as error:
        return Verdict(False, "head", "", error.what, kind="missing")
    except PreconditionError as error:
        return Verdict(False, "head", error.what, "", kind="different")


async def _compare_once(
    source: ObjectStore, source_key: str, target: ObjectStore, target_key: str, *, always_read: bool
) -> Verdict:
    source_head, target_head = await source.head(source_key), await target.head(target_key)
    return await _compare_heads(source, source_head, target, target_head, always_read=always_read)


async def _compare_heads(
    source: ObjectStore,
    source_head: ObjectHead,
    target: ObjectStore,
    target_head: ObjectHead,
    *,
    always_read: bool,
) -> Verdict:
    one, other = source_head.object, target_head.object
    if one.size_bytes != other.size_bytes:
        return Verdict(False, "size", f"{one.size_bytes} bytes", f"{other.size_bytes} bytes")
    algorithm = common_algorithm(one.checksums, other.checksums)
    if algorithm is not None and not always_read:
        return _verdict(algorithm.value, one.checksums[algorithm], other.checksums[algorithm])
    proof = usable_algorithm(one.checksums, source_head.part_sizes)
    told = usable_algorithm(other.checksums)
    if proof is None and told is not None and not always_read:
        return await _read_source(source, one, other, told)
    wanted = {Algorithm.CRC32C, proof or Algorithm.CRC32C}
    _, read = await read_checksums(
        target, other.key, other.version, wanted, source_head.part_sizes, size_bytes=other.size_bytes
    )
    crc = read[Algorithm.CRC32C]
    if proof is not None:
        return _verdict(f"read_back:{proof.value}", one.checksums[proof], read[proof], crc)
    _, origin = await read_checksums(
        source, one.key, one.version, [Algorithm.CRC32C], size_bytes=one.size_bytes
    )
    return _verdict("read_both:crc32c", origin[Algorithm.CRC32C], crc, crc)


async def _read_source(
    source: ObjectStore, one: ListedObject, other: ListedObject, algorithm: Algorithm
) -> Verdict:
    """Read the source, which has no checksum of its own, and compare with what the target says."""
    _, read = await read_checksums(
        source, one.key, one.version, [algorithm, Algorithm.CRC32C], size_bytes=one.size_bytes
    )
    crc = read[Algorithm.CRC32C]
    return _verdict(f"read_source:{algorithm.value}", read[algorithm], other.checksums[algorithm], crc)


def _verdict(method: str, source: str, target: str, crc32c: str | None = None) -> Verdict:
    return Verdict(source == target, method, source, target, crc32c)


def attribute_differences(
    source: ObjectAttributes, target: ObjectAttributes, keep: Metadata, *, tags: bool
) -> list[str]:
    """Return what of an object's attributes did not arrive, in words; empty when all did.

    :param tags: both sides' tags are known.
    """
    found: list[str] = []
    if keep.content_headers:
        for name in ("content_encoding", "cache_control", "content_disposition", "content_language"):
            _differ(found, name, getattr(source, name) or None, getattr(target, name) or None)
        _differ_in(found, "headers", source.own_headers, target.own_headers)
        # Where nobody said what the source is, stores make up a type of their own.
        if source.content_type not in DEFAULT_TYPES:
            _differ(found, "content_type", source.content_type, target.content_type)
    if keep.user_metadata:
        # HTTP header names have no case, and S3 and Azure hand them back in lower case.
        one, other = _lower(source.metadata), _lower(target.metadata)
        # A file always has a time, a mode and an owner, also where nobody said which.
        added = ADDED_BY_SERVICES | entries_of(keep.posix)
        _differ_in(found, "metadata", one, _without(other, added - set(one)))
    if keep.tags and tags:
        _differ_in(found, "tags", source.tags, target.tags)
    return found


def _differ(found: list[str], name: str, one: object, other: object) -> None:
    if one != other:
        found.append(f"{name}: source {shortened(repr(one))}, target {shortened(repr(other))}")


def _differ_in(found: list[str], name: str, one: Mapping[str, str], other: Mapping[str, str]) -> None:
    """Tell only the entries that differ: a kilobyte of those that do not would hide them."""
    names = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    _differ(
        found,
        name,
        {key: value for key, value in one.items() if key in names},
        {key: value for key, value in other.items() if key in names},
    )


def _without(metadata: dict[str, str], names: Set[str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name not in names}


def _lower(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata by lower-case name; of names that differ in case alone each value counts."""
    found: dict[str, str] = {}
    for name, value in sorted(metadata.items()):
        low = name.lower()
        found[low] = f"{found[low]} | {value}" if low in found else value
    return found
