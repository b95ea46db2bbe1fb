"""Copying one object: read pinned, proved against the source, written proved on the target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from heavylift.checksums import OF_PARTS, Algorithm, Body, Checksums, Digester, crc32c_of, digest
from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
)
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.classes import class_on_target
from heavylift.objects.hours import Hours
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.proof import (
    READ_BACK,
    READ_TWICE,
    agree,
    read_checksums,
    usable_algorithm,
)
from heavylift.objects.windows import Windows
from heavylift.platforms.ports import ObjectAttributes, ObjectHead, ObjectStore, PutReceipt
from heavylift.spec.classes import StorageClasses
from heavylift.spec.datasets import Metadata

TRIES = 5
"""How often one object is read again after a cut, a wrong byte or a change of version."""


@dataclass
class Copier:
    """What all copies of one task share.

    :param arrived: called with the number of bytes that came in, for progress.
    :param rejected_reads: downloads whose bytes were not what the source says they are.
    :param resent_bytes: bytes that were sent more than once.
    :param hours: when nothing new may be begun, not even the next part of a large object.
    """

    source: ObjectStore
    target: ObjectStore
    source_prefix: str
    target_prefix: str
    budget: MemoryBudget
    journal: UploadJournal
    keep: Metadata
    part_bytes: int
    arrived: Callable[[int], None]
    hours: Hours = field(default_factory=lambda: Hours(Windows()))
    look_first: bool = False
    tags_seen: bool = False
    rejected_reads: int = 0
    resent_bytes: int = 0
    notes: list[tuple[str, str]] = field(default_factory=list)
    storage_class: StorageClasses = field(default_factory=StorageClasses)

    def class_of(self, source_class: str) -> str | None:
        """Return the storage class that an object gets on the target; None for the default."""
        source, target = self.source.location.scheme, self.target.location.scheme
        return class_on_target(source, target, source_class, self.storage_class)

    def source_url(self, rel: str) -> str:
        """Return the object's URL on the source."""
        return self.source.location.url_of(self.source_prefix + rel)

    def target_url(self, rel: str) -> str:
        """Return the object's URL on the target."""
        return self.target.location.url_of(self.target_prefix + rel)


@dataclass(frozen=True)
class ReadObject:
    """An object that was read whole: its head, its digests, and what proved the read.

    :param left_to_target: of ``checksums``, the one that was taken over from the source for the
        target to compare with what it receives; it was not computed here.
    """

    head: ObjectHead
    checksums: Checksums
    proof: str
    left_to_target: Algorithm | None = None


async def copy_object(copier: Copier, row: PlanRow) -> ManifestRow:
    """Make the target hold the source's object, and prove it.

    Idempotent: what is there already and equal is left. An object that changes meanwhile ends
    as one of its versions, whole.

    :raises NotFoundError: the object is gone from the source.
    :raises ConflictError: the target holds something else that may not be overwritten.
    :raises IntegrityError: source or target keep giving bytes that their checksums deny.
    """
    for _ in range(TRIES):
        try:
            return await _copy_version(copier, row)
        except PreconditionError:
            head = await copier.source.head(copier.source_prefix + row.rel)
            row = replace(row, size_bytes=head.object.size_bytes, source_version=head.object.version)
    raise PreconditionError(
        f"copy of {copier.source_url(row.rel)}",
        got=f"{TRIES} changes of the object while it was read",
        expected="an object that rests for the length of one copy",
        state="the target holds nothing new under this key",
        remedy="let the next sync take it, or pause its writer",
        code="5010",
    )


async def _copy_version(copier: Copier, row: PlanRow) -> ManifestRow:
    if row.action == "compare" or (copier.look_first and row.action == "copy"):
        there = await _found_there(copier, row)
        if there is not None:
            return there
    if row.action == "replace":
        there = await check_replaceable(copier, row)
        if there is not None:
            return there
    if row.size_bytes > copier.part_bytes:
        from heavylift.objects.copy_large import copy_in_parts

        return await copy_in_parts(copier, row)
    taken = await copier.budget.take(row.size_bytes + 64 * 1024)
    try:
        return await _copy_whole(copier, row)
    finally:
        copier.budget.give_back(taken)


async def _copy_whole(copier: Copier, row: PlanRow) -> ManifestRow:
    """Read an object once and write it once, with what the source says of it as the proof."""
    for _ in range(TRIES):
        body, read = await _read_whole(copier, row)
        attributes = await kept_attributes(copier, row.rel, read.head)
        try:
            receipt = await _put_whole(copier, row, body, attributes, read)
        except AlreadyExistsError:
            if not is_body_of(body, read):
                copier.rejected_reads += 1
                continue
            return await settle_existing(copier, row, read)
        if receipt is not None and _confirmed(receipt, body, read):
            return await proved(copier, row, read, receipt)
        copier.rejected_reads += 1
        if receipt is not None:
            await _undo(copier, row, receipt)
    raise unreadable(copier, row.rel)


async def _put_whole(
    copier: Copier, row: PlanRow, body: Body, attributes: ObjectAttributes, read: ReadObject
) -> PutReceipt | None:
    """Write an object; None where the target refused it because the bytes are not the source's."""
    key, create_only = copier.target_prefix + row.rel, row.action != "replace"
    for attempt in range(TRIES):
        try:
            return await copier.target.put(key, body, attributes, read.checksums, create_only=create_only)
        except IntegrityError:
            if not is_body_of(body, read):
                return None
            # The store received other bytes than were sent and kept none: a fault on the way.
            copier.resent_bytes += len(body)
            if attempt == TRIES - 1:
                raise
    return None


def is_body_of(body: Body, read: ReadObject) -> bool:
    """Return whether bytes are what the source says: computed here where it was left to the target."""
    if read.left_to_target is None:
        return True
    return digest(body, read.left_to_target)[read.left_to_target] == read.checksums[read.left_to_target]


def _confirmed(receipt: PutReceipt, body: Body, read: ReadObject) -> bool:
    """Return whether the target has found the source's checksum in what it received."""
    if read.left_to_target is None:
        return True
    told = receipt.checksums.get(read.left_to_target)
    if told is None:
        return is_body_of(body, read)
    return told == read.checksums[read.left_to_target]


async def _read_whole(copier: Copier, row: PlanRow) -> tuple[Body, ReadObject]:
    key = copier.source_prefix + row.rel
    for _ in range(TRIES):
        fetched = await copier.source.fetch(key, version=row.source_version)
        head = await _with_part_sizes(copier, key, fetched.head)
        read = await _judge_body(copier, row, head, fetched.body)
        if read is not None:
            copier.arrived(len(fetched.body))
            return fetched.body, read
        copier.rejected_reads += 1
    raise unreadable(copier, row.rel)


async def _judge_body(copier: Copier, row: PlanRow, head: ObjectHead, body: Body) -> ReadObject | None:
    # The listing's word counts too: a gateway may cut a body and make the answer's length fit it.
    if not len(body) == head.object.size_bytes == row.size_bytes:
        return None
    told = head.object.checksums
    algorithm = usable_algorithm(told, head.part_sizes)
    crc = crc32c_of(body)
    if algorithm in copier.target.refuses and algorithm is not None:
        # The target compares what it receives with the source's own word before it shows it.
        sums: Checksums = {Algorithm.CRC32C: crc, algorithm: told[algorithm]}
        return ReadObject(head, sums, algorithm.value, left_to_target=algorithm)
    more = (copier.target.traits.verifies | ({algorithm} if algorithm else set())) - {Algorithm.CRC32C}
    sums = {Algorithm.CRC32C: crc}
    if more:
        digester = Digester(more, head.part_sizes)
        digester.update(body)
        sums |= digester.checksums()
    return await judge_sums(copier, row, head, sums, algorithm)


async def _with_part_sizes(copier: Copier, key: str, head: ObjectHead) -> ObjectHead:
    """Return the head with part sizes where only they can prove the read."""
    sums = head.object.checksums
    if not sums or usable_algorithm(sums) or OF_PARTS.keys().isdisjoint(sums):
        return head
    fuller = await copier.source.head(key)
    if fuller.object.version != head.object.version:
        return head
    return replace(head, part_sizes=fuller.part_sizes)


async def judge_sums(
    copier: Copier, row: PlanRow, head: ObjectHead, checksums: Checksums, algorithm: Algorithm | None
) -> ReadObject | None:
    """Return a read with its proof, or None where the source's own checksum denies it.

    :param algorithm: what the source tells and was computed; None: it is read a second time.
    """
    if algorithm is not None:
        good = head.object.checksums[algorithm] == checksums[algorithm]
        return ReadObject(head, checksums, algorithm.value) if good else None
    key = copier.source_prefix + row.rel
    _, again = await read_checksums(
        copier.source, key, row.source_version, [Algorithm.CRC32C], size_bytes=row.size_bytes
    )
    good = again[Algorithm.CRC32C] == checksums[Algorithm.CRC32C]
    return ReadObject(head, checksums, READ_TWICE) if good else None


def unreadable(copier: Copier, rel: str) -> IntegrityError:
    """Return the error for an object that never came as its source says it is."""
    return IntegrityError(
        f"reading of {copier.source_url(rel)}",
        got=f"{TRIES} downloads whose bytes differ from the source's own checksum",
        expected="bytes that match it",
        state="nothing was written to the target for this object",
        remedy="look for a faulty proxy or gateway on the way; if the object itself is damaged, restore it",
        code="5011",
    )


async def kept_attributes(copier: Copier, rel: str, head: ObjectHead) -> ObjectAttributes:
    """Return the attributes to write, and note what the target keeps in another form or not."""
    keep, found = copier.keep, head.attributes
    tags = found.tags
    # Stores leave the count out for readers who may not see tags, so the first object asks.
    unsure = head.tag_count != 0 or not copier.tags_seen
    if keep.tags and not tags and unsure and copier.source.traits.keeps_tags:
        tags = await copier.source.tags(copier.source_prefix + rel)
        copier.tags_seen = True
    if keep.tags and keep.user_metadata and keep.content_headers and not tags:
        attributes = found
    else:
        attributes = replace(
            found if keep.content_headers else ObjectAttributes(),
            metadata=found.metadata if keep.user_metadata else {},
            tags=tags if keep.tags else {},
        )
    storage_class = copier.class_of(head.object.storage_class)
    if storage_class is not None:
        attributes = replace(attributes, storage_class=storage_class)
    problems = copier.target.attribute_problems(attributes)
    if problems:
        copier.notes += [(rel, problem) for problem in problems]
    return attributes


async def proved(copier: Copier, row: PlanRow, read: ReadObject, receipt: PutReceipt) -> ManifestRow:
    """Return the manifest row of a write that the target's own word, or a second read, confirms.

    :raises IntegrityError: the target stored other bytes; what was written is deleted again.
    """
    verdict = agree(receipt.checksums, read.checksums)
    target_sums: Checksums = receipt.checksums
    proof = next((a.value for a in receipt.checksums if a in read.checksums), READ_BACK)
    if verdict is None:
        target_sums, verdict = await _read_back(copier, row.rel, receipt.version, read)
        proof = READ_BACK
    if not verdict:
        await _undo(copier, row, receipt)
        raise IntegrityError(
            f"write of {copier.target_url(row.rel)}",
            got=f"{proof} {dict(target_sums)}",
            expected=f"{dict(read.checksums)}",
            state="what was written was deleted again; the source is as it was",
            remedy="run again; if it stays, the target or a gateway before it damages data",
            code="5012",
        )
    return manifest_row(row, read, "moved", receipt.version, target_sums, proof)


async def _undo(copier: Copier, row: PlanRow, receipt: PutReceipt) -> None:
    """Delete a wrong object, but only while it is still the version that was just written."""
    key = copier.target_prefix + row.rel
    there = await copier.target.head(key)
    if there.object.version == receipt.version:
        await copier.target.delete(key)


async def _read_back(copier: Copier, rel: str, version: str, read: ReadObject) -> tuple[Checksums, bool]:
    size, sums = await read_checksums(
        copier.target, copier.target_prefix + rel, version or None, [Algorithm.CRC32C]
    )
    return sums, size == read.head.object.size_bytes and agree(sums, read.checksums) is True


def manifest_row(
    row: PlanRow, read: ReadObject, outcome: str, target_version: str, target_sums: Checksums, proof: str
) -> ManifestRow:
    """Return the manifest row of an object whose bytes were read."""
    return ManifestRow(
        rel=row.rel,
        outcome=outcome,
        size_bytes=read.head.object.size_bytes,
        source_version=read.head.object.version,
        target_version=target_version,
        crc32c=read.checksums.get(Algorithm.CRC32C),
        source_proof=read.proof,
        target_proof=proof,
        source_checksums=dict(read.head.object.checksums),
        target_checksums=dict(target_sums),
        finished_us=time.time_ns() // 1000,
    )


async def _found_there(copier: Copier, row: PlanRow) -> ManifestRow | None:
    """Return a row if the target has the object already and both stores' words show it equal."""
    try:
        target = await copier.target.head(copier.target_prefix + row.rel)
    except NotFoundError:
        return None
    source = await copier.source.head(copier.source_prefix + row.rel)
    if source.object.version != row.source_version:
        raise PreconditionError(f"look at {copier.source_url(row.rel)}", got="another version", code="5013")
    same_size = source.object.size_bytes == target.object.size_bytes
    if not same_size or agree(source.object.checksums, target.object.checksums) is not True:
        # Unequal, or not decidable from heads: reading the source decides, in settle_existing.
        return None
    read = ReadObject(source, source.object.checksums, "stores_agree")
    return manifest_row(
        row, read, "unchanged", target.object.version, target.object.checksums, "stores_agree"
    )


async def settle_existing(copier: Copier, row: PlanRow, read: ReadObject) -> ManifestRow:
    """Judge what a create-only write found under the key: the same object, or a conflict."""
    key = copier.target_prefix + row.rel
    target = await copier.target.head(key)
    sums = target.object.checksums
    verdict = agree(sums, read.checksums)
    if target.object.size_bytes != read.head.object.size_bytes:
        verdict = False
    proof = next((a.value for a in sums if a in read.checksums), READ_BACK)
    if verdict is None:
        sums, verdict = await _read_back(copier, row.rel, target.object.version, read)
    if not verdict:
        raise ConflictError(
            f"write of {copier.target_url(row.rel)}",
            got="a different object under this key that this plan knows nothing of",
            expected="nothing there, or an equal object",
            state="both objects are as they were",
            remedy="move the target's object away, or set on_conflict: overwrite, and start a new run",
            code="5014",
        )
    return manifest_row(row, read, "unchanged", target.object.version, sums, proof)


async def check_replaceable(copier: Copier, row: PlanRow) -> ManifestRow | None:
    """Make sure that what will be replaced is still what the plan saw.

    :return: a row where the target has the new content already, from an attempt that was killed.
    """
    try:
        there = await copier.target.head(copier.target_prefix + row.rel)
    except NotFoundError:
        return None
    if there.object.version == row.target_version:
        return None
    source = await copier.source.head(copier.source_prefix + row.rel)
    sums = await _same_content(copier, row.rel, source, there)
    if sums is not None:
        read = ReadObject(source, sums, "stores_agree")
        return manifest_row(
            row, read, "unchanged", there.object.version, there.object.checksums, "stores_agree"
        )
    raise ConflictError(
        f"replacement of {copier.target_url(row.rel)}",
        got="another version than the plan saw",
        expected="the version that the plan wants to replace",
        state="the object is as it was",
        remedy="start a new run, which plans afresh",
        code="5015",
    )


async def _same_content(copier: Copier, rel: str, source: ObjectHead, target: ObjectHead) -> Checksums | None:
    """Return the checksums of two objects of equal content, else None; reads where heads cannot tell."""
    if source.object.size_bytes != target.object.size_bytes:
        return None
    verdict = agree(source.object.checksums, target.object.checksums)
    if verdict is not None:
        return source.object.checksums if verdict else None
    crc = [Algorithm.CRC32C]
    _, one = await read_checksums(copier.source, copier.source_prefix + rel, source.object.version, crc)
    _, other = await read_checksums(copier.target, copier.target_prefix + rel, target.object.version, crc)
    return one if one == other else None
