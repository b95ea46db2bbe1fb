"""Tells why a reference points outside the inventory, and whether somebody explained it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from heavylift.errors import SpecError
from heavylift.evidence.inventory_records import Acceptance, Outside, OutsideReference, Reference
from heavylift.inventory.resolving import arn_type

_PLATFORMS_OWN = "belongs to the platform itself"
_GLOBAL_SERVICES = frozenset({"iam", "s3"})


@dataclass(frozen=True)
class Scope:
    """What an inventory read.

    :param seen_types: (service, type of resource) of the ARNs of its components.
    :param unread: native types that it could not read, or not in full.
    """

    accounts: frozenset[str]
    regions: frozenset[str]
    seen_types: frozenset[tuple[str, str]]
    unread: frozenset[str]


def why_outside(reference: Reference, scope: Scope) -> OutsideReference:
    """Return the reference with the reason for which no component answers to it."""
    why = _why(reference.target, scope)
    return OutsideReference(reference, why, _PLATFORMS_OWN if why is Outside.PLATFORM else "")


def _why(target: str, scope: Scope) -> Outside:
    if "|" in target:
        types, _region, name = target.split("|", 2)
        if name.startswith("alias/aws/"):
            return Outside.PLATFORM
        if scope.unread & set(types.split(",")):
            return Outside.NOT_READ
        return Outside.MISSING
    if target.startswith("arn:"):
        return _why_arn(target, scope)
    if target.startswith("image:"):
        return _of_image(target, scope)
    if target.startswith("s3://"):
        return Outside.NOT_READ if "AWS::S3::Bucket" in scope.unread else Outside.MISSING
    return Outside.HOST


def _why_arn(arn: str, scope: Scope) -> Outside:
    _, _, service, region, account, resource, *_ = [*arn.split(":", 5), "", "", "", ""]
    if account == "aws" or (service == "states" and not account) or resource.startswith("alias/aws/"):
        return Outside.PLATFORM
    if account and account not in scope.accounts:
        return Outside.OTHER_ACCOUNT
    if region and region not in scope.regions and "*" not in region and service not in _GLOBAL_SERVICES:
        return Outside.OTHER_REGION
    return Outside.MISSING if arn_type(arn) in scope.seen_types else Outside.NOT_READ


def _of_image(target: str, scope: Scope) -> Outside:
    found = re.match(r"image:(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.", target)
    if found is None:
        return Outside.HOST
    if found[1] not in scope.accounts:
        return Outside.OTHER_ACCOUNT
    return Outside.MISSING if found[2] in scope.regions else Outside.OTHER_REGION


def accepted(
    outside: Sequence[OutsideReference], acceptances: Sequence[Acceptance]
) -> tuple[list[OutsideReference], list[str]]:
    """Return the references with what was accepted explained, and the acceptances that met none.

    :raises SpecError: one accepts everything.
    """
    _refuse_all(acceptances)
    met: set[str] = set()
    explained = []
    for each in outside:
        fitting = [one for one in acceptances if fnmatchcase(each.reference.target, one.target)]
        met.update(one.target for one in fitting)
        if fitting and not each.explained:
            each = replace(each, explained=fitting[0].reason)
        explained.append(each)
    return explained, [one.target for one in acceptances if one.target not in met]


def _refuse_all(acceptances: Iterable[Acceptance]) -> None:
    for each in acceptances:
        if not each.target.strip("*?"):
            raise SpecError(
                f"accepting references to {each.target!r}",
                got="a pattern that everything meets",
                expected="a pattern that names something",
                state="nothing was written",
                remedy="accept what you have looked at, e.g. host:*.example.com",
                code="7630",
            )
