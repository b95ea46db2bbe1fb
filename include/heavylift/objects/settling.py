"""Judging what lies on the target: what was just written, and what was there before."""

from __future__ import annotations

from heavylift.checksums import Algorithm, Checksums
from heavylift.errors import (
    ConflictError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
)
from heavylift.objects.copier import Copier, ReadObject, manifest_row
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.proof import (
    READ_BACK,
    agree,
    read_checksums,
)
from heavylift.platforms.ports import ObjectHead, PutReceipt


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
        await undo(copier, row, receipt)
        raise IntegrityError(
            f"write of {copier.target_url(row.rel)}",
            got=f"{proof} {dict(target_sums)}",
            expected=f"{dict(read.checksums)}",
            state="what was written was deleted again; the source is as it was",
            remedy="run again; if it stays, the target or a gateway before it damages data",
            code="5012",
        )
    return manifest_row(row, read, "moved", receipt.version, target_sums, proof)


async def undo(copier: Copier, row: PlanRow, receipt: PutReceipt) -> None:
    """Delete a wrong object, but only while it is still the version that was just written.

    :raises IntegrityError: it could not be deleted, and is there; ``left_version`` tells its version, so
        that a later attempt may replace it.
    """
    key = copier.target_prefix + row.rel
    try:
        there = await copier.target.head(key)
        if there.object.version == receipt.version:
            await copier.target.delete(key)
    except NotFoundError:
        return
    except HeavyliftError as error:
        wrong = IntegrityError(
            f"deletion of what was written wrong to {copier.target_url(row.rel)}",
            got=f"{error.got or type(error).__name__} after bytes that are not the source's were stored",
            expected="the wrong object to go again",
            state=f"A WRONG OBJECT IS THERE, in version {receipt.version or 'unknown'}; it counts as failed",
            remedy=f"{error.remedy or 'mend the cause'}; "
            + ("running again replaces it" if receipt.version else "delete it yourself")
            + "; do not read it before",
            code="5019",
        )
        wrong.left_version = receipt.version
        raise wrong from error


async def _read_back(copier: Copier, rel: str, version: str, read: ReadObject) -> tuple[Checksums, bool]:
    size, sums = await read_checksums(
        copier.target, copier.target_prefix + rel, version or None, [Algorithm.CRC32C]
    )
    return sums, size == read.head.object.size_bytes and agree(sums, read.checksums) is True


async def head_as_planned(copier: Copier, row: PlanRow) -> ObjectHead:
    """Return the source's head of an object.

    :raises PreconditionError: it is no longer the planned version.
    """
    source = await copier.source.head(copier.source_prefix + row.rel)
    if source.object.version != row.source_version:
        raise PreconditionError(f"look at {copier.source_url(row.rel)}", got="another version", code="5013")
    return source


async def found_there(copier: Copier, row: PlanRow) -> ManifestRow | None:
    """Return a row if the target has the object already and both stores' words show it equal."""
    try:
        target = await copier.target.head(copier.target_prefix + row.rel)
    except NotFoundError:
        return None
    source = await head_as_planned(copier, row)
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
    raise not_as_planned(copier, row)


def not_as_planned(copier: Copier, row: PlanRow) -> ConflictError:
    """Return the error for a target object that was to be replaced and that somebody has changed."""
    return ConflictError(
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
