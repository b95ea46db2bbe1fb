"""Attributes that the source gave anew to an object whose bytes the target has.

A listing tells only that such an object was written again. Its attributes are compared then, once for each
time that it was, and where they differ the object is copied again whole, proved as any copy is. What no
listing tells, such as tags set alone, is found where all attributes are asked for, a slice of keys at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heavylift.errors import NotFoundError
from heavylift.evidence.base import RECHECK
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.wording import counted
from heavylift.objects.compare import DEFAULT_TYPES, attribute_differences
from heavylift.objects.copier import Copier, ReadObject, manifest_row, tags_of
from heavylift.objects.diff import ATTRIBUTES
from heavylift.objects.proof import agree
from heavylift.objects.rolling import PROVED_BEFORE, Slice, next_slice
from heavylift.objects.settling import check_replaceable, head_as_planned, not_as_planned
from heavylift.objects.standing import brings_attributes

if TYPE_CHECKING:
    from heavylift.objects.diff import Difference
    from heavylift.objects.manifest import ManifestRow, PlanRow
    from heavylift.objects.requests import TransferRequest
    from heavylift.platforms.ports import ObjectHead

REWRITTEN = "rewritten-on-source"
ASKED_AGAIN = "attributes-asked-again"


def slice_to_recheck(request: TransferRequest, state: Mapping[str, Any] | None) -> Slice | None:
    """Return the slice of the keys whose attributes are compared although nothing tells that they are new.

    :param state: the dataset's sync state, which tells whose turn it is.
    """
    if not (request.options.verify.all_attributes and brings_attributes(request)):
        return None
    return next_slice(state, request.options.rolling) or Slice(0, 1)


def rewritten(request: TransferRequest, difference: Difference) -> list[Finding]:
    """Tell of how many objects attributes are going to be compared, and why; empty where of none."""
    found: list[Finding] = []
    for action, rule, why, counts in (
        (ATTRIBUTES, REWRITTEN, "{} written again on the source", "all"),
        (RECHECK, ASKED_AGAIN, "{} proved before", "none"),
    ):
        objects = difference.tally(action).objects
        if not objects:
            continue
        detail = (
            f"{counted(objects, 'object')} of equal bytes {why.format('was' if objects == 1 else 'were')}:"
            " headers, metadata and tags are compared, and what differs is copied again; the estimate counts"
            f" {counts} of them as copied"
        )
        found.append(Finding(rule=rule, severity=Severity.NOTE, subject=request.dataset, detail=detail))
    return found


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
    if await _differ(copier, row, source, target):
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


async def _differ(copier: Copier, row: PlanRow, source: ObjectHead, target: ObjectHead) -> bool:
    keep, one, other, rel = copier.keep, source.attributes, target.attributes, row.rel
    # A verification cannot tell a type that was taken back from one that the store made up; here, where
    # the object is known to be written anew, one copy too many does no harm.
    known = keep.content_headers and one.content_type and other.content_type not in DEFAULT_TYPES
    if row.action == ATTRIBUTES and known and one.content_type != other.content_type:
        return True
    if attribute_differences(one, other, keep, tags=False):
        return True
    if not keep.tags or not (one.tags or copier.source.traits.keeps_tags):
        return False
    one = replace(one, tags=one.tags or await tags_of(copier, rel, source))
    if target.tag_count != 0:
        other = replace(other, tags=await copier.target.tags(copier.target_prefix + rel))
    return bool(attribute_differences(one, other, keep, tags=True))
