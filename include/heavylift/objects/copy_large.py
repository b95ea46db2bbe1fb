"""Copying one large object: one reader in order, parts sent in parallel, resumed by part.

The source is read front to back once, so that any checksum it has can be recomputed, MD5
included; parts that the target already holds from an earlier attempt are read and compared
but not sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from heavylift.checksums import Algorithm, Digester, digest
from heavylift.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    ServerUnavailableError,
)
from heavylift.objects.copy_object import (
    TRIES,
    Copier,
    ReadObject,
    judge_read,
    kept_attributes,
    proved,
    settle_existing,
    unreadable,
)
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.proof import digester_for
from heavylift.platforms.ports import ObjectAttributes, ObjectHead, ObjectStore, PartReceipt, Upload

PARTS_IN_FLIGHT = 8


def part_size(size_bytes: int, wanted_bytes: int, store: ObjectStore) -> int:
    """Return the part size for an object: as wanted, unless the store's limits ask for more."""
    traits = store.traits
    needed = -(-size_bytes // traits.max_parts)
    return min(max(wanted_bytes, needed, traits.min_part_bytes), traits.max_part_bytes)


async def copy_in_parts(copier: Copier, row: PlanRow) -> ManifestRow:
    """Copy one object by multipart upload; see ``copy_object`` for what is promised."""
    if row.action != "replace" and await _is_there(copier, row.rel):
        return await settle_existing(copier, row, await _read_only(copier, row))
    for _ in range(TRIES):
        done = await _one_pass(copier, row)
        if done is not None:
            return done
        copier.rejected_reads += 1
    raise unreadable(copier, row.rel)


async def _planned_head(copier: Copier, row: PlanRow) -> ObjectHead:
    head = await copier.source.head(copier.source_prefix + row.rel)
    if head.object.version != row.source_version:
        raise PreconditionError(
            f"copy of {copier.source_url(row.rel)}", got="another version than planned", code="5017"
        )
    return head


async def _is_there(copier: Copier, rel: str) -> bool:
    try:
        await copier.target.head(copier.target_prefix + rel)
    except NotFoundError:
        return False
    return True


async def _read_only(copier: Copier, row: PlanRow) -> ReadObject:
    for _ in range(TRIES):
        head = await _planned_head(copier, row)
        digester = digester_for(head, [])
        async for chunk in _chunks(copier, row):
            digester.update(chunk)
        read = await judge_read(copier, row, head, digester.size_bytes, digester.checksums())
        if read is not None:
            return read
        copier.rejected_reads += 1
    raise unreadable(copier, row.rel)


async def _one_pass(copier: Copier, row: PlanRow) -> ManifestRow | None:
    """Send all parts; None where the read was not what the source says it is."""
    head = await _planned_head(copier, row)
    attributes = await kept_attributes(copier, row.rel, head)
    size = part_size(row.size_bytes, copier.part_bytes, copier.target)
    upload, there = await _resume_or_begin(copier, row, head, size, attributes)
    try:
        digester, parts = await _send_parts(copier, row, head, upload, there, size)
    except PreconditionError:
        await copier.target.abort_upload(upload)
        raise
    read = await judge_read(copier, row, head, digester.size_bytes, digester.checksums())
    if read is None:
        await copier.target.abort_upload(upload)
        return None
    try:
        receipt = await copier.target.complete_upload(
            upload, parts, attributes, read.checksums, create_only=row.action != "replace"
        )
    except AlreadyExistsError:
        await copier.target.abort_upload(upload)
        return await settle_existing(copier, row, read)
    return await proved(copier, row, read, receipt)


async def _resume_or_begin(
    copier: Copier, row: PlanRow, head: ObjectHead, size: int, attributes: ObjectAttributes
) -> tuple[Upload, dict[int, PartReceipt]]:
    key, version = copier.target_prefix + row.rel, head.object.version
    upload = await copier.journal.current(key, version, size)
    if upload is not None:
        there = await copier.target.finished_parts(upload)
        if there is not None:
            return upload, there
    upload = await copier.target.begin_upload(key, attributes)
    await copier.journal.begun(upload, version, size)
    return upload, {}


async def _send_parts(
    copier: Copier,
    row: PlanRow,
    head: ObjectHead,
    upload: Upload,
    there: dict[int, PartReceipt],
    size: int,
) -> tuple[Digester, list[PartReceipt]]:
    digester = digester_for(head, [])
    receipts: dict[int, PartReceipt] = {}
    flying: set[asyncio.Task[PartReceipt]] = set()
    number = 0
    try:
        async for body, taken in _parts(copier, row, digester, size):
            number += 1
            crc = digest(body, Algorithm.CRC32C)[Algorithm.CRC32C]
            known = there.get(number)
            if known and _is_same(known, body, crc):
                receipts[number] = replace(known, crc32c=crc)
                copier.budget.give_back(taken)
                continue
            flying.add(asyncio.create_task(_send(copier, upload, number, body, crc, taken)))
            if len(flying) >= PARTS_IN_FLIGHT:
                flying = await _collect(flying, receipts)
        while flying:
            flying = await _collect(flying, receipts)
    finally:
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
    return digester, [receipts[n] for n in sorted(receipts)]


def _is_same(known: PartReceipt, body: bytes, crc: str) -> bool:
    """Tell whether a part that the store lists is this one.

    S3 servers that do not list part CRCs list ETags, which are MD5s unless the object is
    encrypted with a customer's key; if it is no MD5, the part is only sent once more.
    """
    if known.size_bytes != len(body):
        return False
    if known.crc32c:
        return known.crc32c == crc
    return known.token == digest(body, Algorithm.MD5)[Algorithm.MD5]


async def _collect(
    flying: set[asyncio.Task[PartReceipt]], receipts: dict[int, PartReceipt]
) -> set[asyncio.Task[PartReceipt]]:
    done, pending = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        receipt = task.result()
        receipts[receipt.number] = receipt
    return pending


async def _send(
    copier: Copier, upload: Upload, number: int, body: bytes, crc: str, taken: int
) -> PartReceipt:
    try:
        for attempt in range(TRIES):
            try:
                return await copier.target.put_part(upload, number, body, crc)
            except IntegrityError:
                # The store received other bytes than were sent: a fault on the way, so send again.
                copier.resent_bytes += len(body)
                if attempt == TRIES - 1:
                    raise
    finally:
        copier.budget.give_back(taken)
    raise IntegrityError(f"part {number} of {upload.key!r}", got="no attempt", code="5016")


async def _parts(
    copier: Copier, row: PlanRow, digester: Digester, size: int
) -> AsyncIterator[tuple[bytes, int]]:
    """Yield ``(body, budget taken)`` for each part; the receiver gives the budget back."""
    taken = await copier.budget.take(size)
    buffer: list[bytes] = []
    filled = 0
    try:
        async for chunk in _chunks(copier, row):
            digester.update(chunk)
            copier.arrived(len(chunk))
            while chunk:
                piece, chunk = chunk[: size - filled], chunk[size - filled :]
                buffer.append(piece)
                filled += len(piece)
                if filled == size:
                    body, owned = b"".join(buffer), taken
                    buffer, filled, taken = [], 0, 0
                    yield body, owned
                    taken = await copier.budget.take(size)
        if filled:
            owned, taken = taken, 0
            yield b"".join(buffer), owned
    finally:
        if taken:
            copier.budget.give_back(taken)


async def _chunks(copier: Copier, row: PlanRow) -> AsyncIterator[bytes]:
    """Yield the object's bytes; a cut body is taken up where it broke off, at the same version."""
    position, cuts = 0, 0
    while True:
        try:
            async with copier.source.get(
                copier.source_prefix + row.rel, version=row.source_version, offset=position
            ) as stream:
                async for chunk in stream.chunks():
                    yield chunk
                    position += len(chunk)
                    cuts = 0
            return
        except ServerUnavailableError:
            cuts += 1
            if cuts >= TRIES:
                raise
        if position >= row.size_bytes:
            return
