"""Copying one object: read pinned, proved against the source, written proved on the target."""

from __future__ import annotations

from dataclasses import replace

from heavylift.checksums import OF_PARTS, Algorithm, Body, Checksums, Digester, crc32c_of, digest
from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    IntegrityError,
    PreconditionError,
)
from heavylift.evidence.base import RECHECK
from heavylift.objects.copier import LEFT_BEHIND, TRIES, Copier, ReadObject, kept_attributes, unreadable
from heavylift.objects.diff import ATTRIBUTES
from heavylift.objects.manifest import ManifestRow, PlanRow, skipped_row
from heavylift.objects.proof import (
    READ_TWICE,
    read_checksums,
    usable_algorithm,
)
from heavylift.objects.renewing import compare_attributes
from heavylift.objects.settling import check_replaceable, found_there, proved, settle_existing, undo
from heavylift.platforms.ports import ObjectAttributes, ObjectHead, PutReceipt
from heavylift.spec.vocabulary import OnConflict


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
            if row.action in {ATTRIBUTES, RECHECK}:
                row = replace(row, action="replace")  # Of other bytes too, by now.
        except ConflictError:
            # Listings could not tell these two apart, so the plan has left the decision to here.
            if row.action != "compare" or copier.on_conflict is OnConflict.FAIL:
                raise
            if copier.on_conflict is OnConflict.SKIP:
                copier.notes.append((row.rel, LEFT_BEHIND))
                return skipped_row(row)
            row = replace(row, action="replace")
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
        there = await found_there(copier, row)
        if there is not None:
            return there
    if row.action in {ATTRIBUTES, RECHECK}:
        there = await compare_attributes(copier, row)
        if there is not None:
            return there
        done = await _copy_version(copier, replace(row, action="replace"))
        copier.renewed += done.outcome == "moved"
        return done
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
    leave = True
    for _ in range(TRIES):
        body, read = await _read_whole(copier, row, leave)
        # What a target denies that was left to it is computed here the next time: an ETag may be no MD5.
        leave = False
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
            await undo(copier, row, receipt)
    raise unreadable(copier, row.rel)


async def _put_whole(
    copier: Copier, row: PlanRow, body: Body, attributes: ObjectAttributes, read: ReadObject
) -> PutReceipt | None:
    """Write an object; None where the target refused it because the bytes are not the source's."""
    key, create_only = copier.target_prefix + row.rel, row.action != "replace"
    for attempt in range(TRIES):
        try:
            return await copier.target.put(key, body, attributes, read.checksums, create_only=create_only)
        except IntegrityError as error:
            if error.left_version:
                raise
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


async def _read_whole(copier: Copier, row: PlanRow, leave: bool) -> tuple[Body, ReadObject]:
    """Read an object whole and prove it.

    :param leave: a checksum of the source's that the target looks at need not be computed here.
    """
    key = copier.source_prefix + row.rel
    for _ in range(TRIES):
        fetched = await copier.source.fetch(key, version=row.source_version)
        head = await _with_part_sizes(copier, key, fetched.head)
        read = await _judge_body(copier, row, head, fetched.body, leave)
        if read is not None:
            copier.arrived(len(fetched.body))
            return fetched.body, read
        copier.rejected_reads += 1
    raise unreadable(copier, row.rel)


async def _judge_body(
    copier: Copier, row: PlanRow, head: ObjectHead, body: Body, leave: bool
) -> ReadObject | None:
    # The listing's word counts too: a gateway may cut a body and make the answer's length fit it.
    if not len(body) == head.object.size_bytes == row.size_bytes:
        return None
    told = head.object.checksums
    crc = crc32c_of(body)
    left = next((each for each in told if each in copier.target.refuses), None) if leave else None
    if left is not None:
        # The target compares what it receives with the source's own word before it shows it.
        sums: Checksums = {Algorithm.CRC32C: crc, left: told[left]}
        return ReadObject(head, sums, left.value, left_to_target=left)
    algorithm = usable_algorithm(told, head.part_sizes)
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
