"""Copying one large object: its parts are read, proved and sent side by side, and resumed by part.

Each part is read from the pinned version as a range and sent on at once. The whole is proved
from what was computed part by part (``part_proof``) before it becomes visible; parts that the
target already holds from an earlier attempt are not sent again, and not even read again where
their checksum is enough for the proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

from heavylift.checksums import Algorithm, Body, digest
from heavylift.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
)
from heavylift.objects.copier import TRIES, Copier, ReadObject, kept_attributes, unreadable
from heavylift.objects.copy_object import judge_sums
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.part_layout import Layout, Part, layout_of
from heavylift.objects.part_proof import PartsProof, proof_for
from heavylift.objects.settling import check_replaceable, proved, settle_existing
from heavylift.platforms.open_uploads import NamesUploads
from heavylift.platforms.ports import ObjectAttributes, ObjectHead, PartReceipt, Upload

PARTS_IN_FLIGHT = 8


async def copy_in_parts(copier: Copier, row: PlanRow) -> ManifestRow:
    """Copy one object by multipart upload; see ``copy_object`` for what is promised."""
    if row.action != "replace" and await _is_there(copier, row.rel):
        return await settle_existing(copier, row, await _read_only(copier, row))
    for number in range(TRIES):
        # Where the first pass does not come out, each part is read again and compared with what
        # the target has, so that only those are sent again that are wrong.
        done = await _one_pass(copier, row, on_trust=number == 0)
        if done is not None:
            return done
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
    """Read the source without sending anything, to compare it with what is on the target."""
    for _ in range(TRIES):
        head = await _planned_head(copier, row)
        layout = layout_of(head, copier.part_bytes, copier.target.traits)
        proof = proof_for(head, layout, md5_of_parts=False)
        await _Sender(copier, row, proof, None, {}).run()
        read = await judge_sums(copier, row, head, proof.checksums([]), proof.algorithm)
        if read is not None:
            return read
        copier.rejected_reads += 1
    raise unreadable(copier, row.rel)


async def _one_pass(copier: Copier, row: PlanRow, *, on_trust: bool) -> ManifestRow | None:
    """Send all parts; None where it has to be done again.

    That is where the read was not what the source says it is, or the upload was ended by somebody
    else: a worker that was taken for dead may still be at this object, and both share the upload.

    :param on_trust: take the target's word for parts that it has, and for their MD5.
    """
    head = await _planned_head(copier, row)
    attributes = await kept_attributes(copier, row.rel, head)
    layout = layout_of(head, copier.part_bytes, copier.target.traits)
    tells = copier.target.traits.tells_part_md5
    proof = proof_for(head, layout, md5_of_parts=on_trust and tells)
    upload, there = await _resume_or_begin(copier, row, head, layout, attributes)
    try:
        parts = await _Sender(copier, row, proof, upload, there, on_trust=on_trust).run()
    except PreconditionError:
        await copier.target.abort_upload(upload)
        raise
    except NotFoundError:
        if await copier.target.finished_parts(upload) is not None:
            raise  # it is the source's object that is gone
        return await _ended_by_another(copier, row)
    read = await judge_sums(copier, row, head, proof.checksums(parts), proof.algorithm)
    if read is None:
        copier.rejected_reads += 1
        if not on_trust:
            await copier.target.abort_upload(upload)
        return None
    try:
        receipt = await copier.target.complete_upload(
            upload, parts, attributes, read.checksums, create_only=row.action != "replace"
        )
    except AlreadyExistsError:
        await copier.target.abort_upload(upload)
        return await settle_existing(copier, row, read)
    except NotFoundError:
        return await _ended_by_another(copier, row)
    return await proved(copier, row, read, receipt)


async def _ended_by_another(copier: Copier, row: PlanRow) -> ManifestRow | None:
    """Judge what another worker made of the shared upload; None where it only gave it up."""
    if row.action == "replace":
        return await check_replaceable(copier, row)
    if await _is_there(copier, row.rel):
        return await settle_existing(copier, row, await _read_only(copier, row))
    return None


async def _resume_or_begin(
    copier: Copier, row: PlanRow, head: ObjectHead, layout: Layout, attributes: ObjectAttributes
) -> tuple[Upload, dict[int, PartReceipt]]:
    key, version = copier.target_prefix + row.rel, head.object.version
    upload = await copier.journal.current(key, version, layout.part_bytes, attributes)
    if upload is not None:
        there = await copier.target.finished_parts(upload)
        if there is not None:
            return upload, there
    if isinstance(copier.target, NamesUploads):
        upload = copier.target.name_upload(key)
        await copier.journal.begun(upload, version, layout.part_bytes, attributes)
        await copier.target.begin_named(upload, attributes)
    else:
        upload = await copier.target.begin_upload(key, attributes)
        await copier.journal.begun(upload, version, layout.part_bytes, attributes)
    return upload, {}


@dataclass
class _Sender:
    """Moves the parts of one object, several at once.

    :param upload: None: the parts are only read.
    :param there: what the target has of them.
    :param on_trust: take its word for these, where it says enough.
    """

    copier: Copier
    row: PlanRow
    proof: PartsProof
    upload: Upload | None
    there: dict[int, PartReceipt]
    on_trust: bool = False

    async def run(self) -> list[PartReceipt]:
        """Move what is left, and return the receipts of all parts in order."""
        receipts: dict[int, PartReceipt] = {}
        left: list[Part] = []
        for part in self.proof.layout.parts:
            known = self.there.get(part.number)
            if known is not None and self.on_trust and self.proof.knows(part, known):
                receipts[part.number] = known
                self.copier.arrived(part.size_bytes)
            else:
                left.append(part)
        queue = iter(left)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(PARTS_IN_FLIGHT, len(left))):
                    group.create_task(self._work(queue, receipts))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        if self.upload is not None and len(receipts) < len(self.proof.layout.parts):
            raise self.copier.hours.refusal(
                f"copy of {self.copier.source_url(self.row.rel)}",
                f"the target keeps {len(receipts)} parts of it",
            )
        return [receipts[number] for number in sorted(receipts)]

    def _must_stop(self) -> bool:
        """Tell whether no further part may be begun; what is only read is finished."""
        return self.upload is not None and self.copier.hours.closed()

    async def _work(self, queue: Iterator[Part], receipts: dict[int, PartReceipt]) -> None:
        # Memory is taken before the part is drawn: of parts that must be hashed in order, the
        # first always has its share, so that none waits for one that cannot begin.
        while not self._must_stop():
            taken = await self.copier.budget.take(self.proof.layout.part_bytes)
            try:
                part = next(queue, None)
                if part is None:
                    return
                buffer = self._buffer(part)
                receipt = await self._move(part, buffer)
                # Not after a failure: a request that was given up may still be using it.
                self.copier.buffers.append(buffer)
                if receipt is not None:
                    receipts[part.number] = receipt
            finally:
                self.copier.budget.give_back(taken)

    def _buffer(self, part: Part) -> bytearray:
        """Return memory for a part: that of one which has been sent, if there is any."""
        while self.copier.buffers:
            buffer = self.copier.buffers.pop()
            if part.size_bytes <= len(buffer) <= 2 * self.proof.layout.part_bytes:
                return buffer
        return bytearray(min(self.proof.layout.part_bytes, self.row.size_bytes))

    async def _move(self, part: Part, buffer: bytearray) -> PartReceipt | None:
        body = await self._read(part, buffer)
        crc = await self.proof.add(part, body)
        self.copier.arrived(part.size_bytes)
        if self.upload is None:
            return None
        known = self.there.get(part.number)
        if known is not None and _is_same(known, body, crc):
            return replace(known, crc32c=crc)
        return await self._send(self.upload, part, body, crc)

    async def _read(self, part: Part, buffer: bytearray) -> Body:
        key = self.copier.source_prefix + self.row.rel
        fetched = await self.copier.source.fetch(
            key, version=self.row.source_version, offset=part.offset, length=part.size_bytes, into=buffer
        )
        if len(fetched.body) != part.size_bytes:
            raise PreconditionError(
                f"reading of {self.copier.source_url(self.row.rel)}",
                got=f"{len(fetched.body)} bytes at {part.offset}",
                expected=f"{part.size_bytes} bytes",
                state="nothing is visible on the target",
                remedy="run again: the object has probably changed",
                code="5018",
            )
        return fetched.body

    async def _send(self, upload: Upload, part: Part, body: Body, crc: str) -> PartReceipt:
        for _ in range(TRIES - 1):
            try:
                return await self.copier.target.put_part(upload, part.number, body, crc)
            except IntegrityError:
                # The store received other bytes than were sent: a fault on the way, so send again.
                self.copier.resent_bytes += len(body)
        return await self.copier.target.put_part(upload, part.number, body, crc)


def _is_same(known: PartReceipt, body: Body, crc: str) -> bool:
    """Tell whether a part that the store lists is this one.

    S3 servers that do not list part CRCs list ETags, which are MD5s unless the object is
    encrypted with a customer's key; if it is no MD5, the part is only sent once more.
    """
    if known.size_bytes != len(body):
        return False
    if known.crc32c:
        return known.crc32c == crc
    return known.token == digest(body, Algorithm.MD5)[Algorithm.MD5]
