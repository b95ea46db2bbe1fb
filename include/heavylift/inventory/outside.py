"""Tells why a reference points outside the inventory, and whether somebody explained it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from heavylift.errors import SpecError
from heavylift.evidence.inventory_records import Acceptance, Outside, OutsideReference, Reference
from heavylift.inventory.resolving import arn_type, resource_type

_PLATFORMS_OWN = "belongs to the platform itself"
_GOOGLES_OWN = frozenset(
    {"vertex-ai", "deeplearning-platform-release", "cloud-aiplatform", "google.com:cloudsdktool"}
)
_GOOGLES_AGENT = re.compile(r"@(?:gcp-sa-[a-z0-9-]+|cloudservices|[a-z-]+\.google)\.")
_GLOBAL_SERVICES = frozenset({"iam", "s3"})


@dataclass(frozen=True)
class Scope:
    """What an inventory read.

    :param seen_types: (service, type of resource) of the ids of its components.
    :param unread: native types that it could not read, or not in full.
    :param native_types: those of its components.
    """

    accounts: frozenset[str]
    regions: frozenset[str]
    seen_types: frozenset[tuple[str, str]]
    unread: frozenset[str]
    native_types: frozenset[str] = frozenset()


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
        there = types.startswith("AWS::") or scope.native_types & set(types.split(","))
        return Outside.MISSING if there else Outside.NOT_READ
    for beginning, reason in _BY_BEGINNING:
        if target.startswith(beginning):
            return reason(target, scope)
    return Outside.HOST


def _of_container(uri: str, scope: Scope) -> Outside:
    types = _CONTAINERS[uri.partition("://")[0]]
    return Outside.MISSING if types & scope.native_types and not types & scope.unread else Outside.NOT_READ


def _of_registered(_target: str, scope: Scope) -> Outside:
    return Outside.MISSING if "MLflow::RegisteredModel" in scope.native_types else Outside.NOT_READ


def _of_google(path: str, scope: Scope) -> Outside:
    project = path.split("/")[1]
    if project in _GOOGLES_OWN or project.endswith("-cloud"):
        return Outside.PLATFORM
    if project not in scope.accounts:
        return Outside.OTHER_ACCOUNT
    return Outside.MISSING if resource_type(path) in scope.seen_types else Outside.NOT_READ


def _of_identity(target: str, scope: Scope) -> Outside:
    email = target.rpartition(":")[2]
    if _GOOGLES_AGENT.search(email):
        return Outside.PLATFORM
    home = email.partition("@")[2].partition(".")[0]
    return Outside.MISSING if home in scope.accounts else Outside.OTHER_ACCOUNT


def _of_azure(path: str, scope: Scope) -> Outside:
    if "/microsoft.authorization/roledefinitions/" in path:
        return Outside.PLATFORM
    parts = path.split("/")
    if len(parts) > 2 and parts[1] == "subscriptions" and parts[2] not in scope.accounts:
        return Outside.OTHER_ACCOUNT
    return Outside.MISSING if resource_type(path) in scope.seen_types else Outside.NOT_READ


def _of_principal(_target: str, scope: Scope) -> Outside:
    known = "Azure::ManagedIdentity" in scope.native_types
    return Outside.MISSING if known else Outside.NOT_READ


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
    google = re.match(r"image:[a-z0-9-]+-docker\.pkg\.dev/([^/]+)/", target)
    if google:
        return _of_google(f"projects/{google[1]}/repositories/x", scope)
    found = re.match(r"image:(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.", target)
    if found is None:
        return Outside.HOST
    if found[1] not in scope.accounts:
        return Outside.OTHER_ACCOUNT
    return Outside.MISSING if found[2] in scope.regions else Outside.OTHER_REGION


_CONTAINERS = {
    "s3": frozenset({"AWS::S3::Bucket", "Objects::Container"}),
    "gs": frozenset({"GCP::Storage::Bucket", "Objects::Container"}),
    "az": frozenset({"Azure::Storage::Container", "Objects::Container"}),
}
_BY_BEGINNING: tuple[tuple[str, Callable[[str, Scope], Outside]], ...] = (
    ("arn:", _why_arn),
    ("image:", _of_image),
    ("s3://", _of_container),
    ("gs://", _of_container),
    ("az://", _of_container),
    ("models:/", _of_registered),
    ("projects/", _of_google),
    ("gcp:serviceAccount:", _of_identity),
    ("azure:", _of_principal),
    ("/", _of_azure),
)


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
