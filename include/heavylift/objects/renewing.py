"""Attributes that the source gave anew to an object whose bytes the target has.

A listing tells only that such an object was written again. Its attributes are compared then, once for each
time that it was, and where they differ the object is copied again whole, proved as any copy is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.wording import counted
from heavylift.objects.compare import DEFAULT_TYPES, attribute_differences
from heavylift.objects.copier import Copier, ReadObject, manifest_row, tags_of
from heavylift.objects.diff import ATTRIBUTES
from heavylift.objects.proof import agree
from heavylift.objects.rolling import PROVED_BEFORE
from heavylift.objects.settling import check_replaceable, head_as_planned, not_as_planned

if TYPE_CHECKING:
    from heavylift.objects.diff import Difference
    from heavylift.objects.manifest import ManifestRow, PlanRow
    from heavylift.objects.requests import TransferRequest
    from heavylift.platforms.ports import ObjectHead

REWRITTEN = "rewritten-on-source"


def rewritten(request: TransferRequest, difference: Difference) -> list[Finding]:
    """Tell of how many objects attributes are going to be compared; empty where of none."""
    objects = difference.tally(ATTRIBUTES).objects
    if not objects:
        return []
    were = "was" if objects == 1 else "were"
    detail = (
        f"{counted(objects, 'object')} of equal bytes {were} written again on the source: headers, metadata"
        " and tags are compared, and what differs is copied again; the estimate counts all of them"
    )
    return [Finding(rule=REWRITTEN, severity=Severity.NOTE, subject=request.dataset, detail=detail)]


async def compare_attributes(copier: Copier, row: PlanRow) -> ManifestRow | None:
    """Return a row where the target has all the attributes, None where the object is to be copied again.

    :raises PreconditionError: the source's object is no longer the planned version.
    :raises ConflictError: the target's object is no longer the planned version, and not as the source's.
    """
    source = await head_as_planned(copier, row)
    try:
        target = await copier.target.head(copier.target_prefix + row.rel)
    except NotFoundError:
        return None
    there: ManifestRow | None = None
    if target.object.version != row.target_version:
        # Of an attempt that was killed, or somebody else's.
        there = await check_replaceable(copier, row)
    if await _differ(copier, row.rel, source, target):
        if there is not None:
            raise not_as_planned(copier, row)
        return None
    return there or _settled(row, source, target)


def _settled(row: PlanRow, source: ObjectHead, target: ObjectHead) -> ManifestRow:
    sums = source.object.checksums
    agrees = agree(sums, target.object.checksums) is True
    proof = "stores_agree" if agrees else PROVED_BEFORE
    read = ReadObject(source, sums, proof)
    return manifest_row(row, read, "unchanged", target.object.version, target.object.checksums, proof)


async def _differ(copier: Copier, rel: str, source: ObjectHead, target: ObjectHead) -> bool:
    keep, one, other = copier.keep, source.attributes, target.attributes
    # A verification cannot tell a type that was taken back from one that the store made up; here, where
    # the object is known to be written anew, one copy too many does no harm.
    known = keep.content_headers and one.content_type and other.content_type not in DEFAULT_TYPES
    if known and one.content_type != other.content_type:
        return True
    if attribute_differences(one, other, keep, tags=False):
        return True
    if not keep.tags or not (one.tags or copier.source.traits.keeps_tags):
        return False
    one = replace(one, tags=one.tags or await tags_of(copier, rel, source))
    if target.tag_count != 0:
        other = replace(other, tags=await copier.target.tags(copier.target_prefix + rel))
    return bool(attribute_differences(one, other, keep, tags=True))
