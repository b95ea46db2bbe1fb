"""Decides as Google IAM does: denials first, then the union of all policies from the project down."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from heavylift.access import gcp_cel
from heavylift.access.conditions import Context
from heavylift.access.globs import matches
from heavylift.access.model import Document
from heavylift.access.tokens import NotUnderstoodError


def gcp_allows(bundle: Document, member: str, permission: str, resource: str, context: Context) -> bool:
    """Tell whether ``member`` has ``permission`` on ``resource``, a full name with its service."""
    project = bundle["project"]
    if any(_denied(each, member, permission, resource, context) for each in bundle.get("denyPolicies", ())):
        return False
    roles = {each["name"]: each for key in ("roles", "predefinedRoles") for each in bundle.get(key, ())}
    return any(
        member in binding.get("members", ())
        and permission in roles.get(binding["role"], {}).get("includedPermissions", ())
        and _met(binding.get("condition"), resource, context)
        for policy in bundle["policies"]
        if ancestor(policy["resource"], resource, project)
        for binding in policy["policy"].get("bindings", ())
    )


def _denied(policy: Mapping[str, Any], member: str, permission: str, resource: str, context: Context) -> bool:
    for each in policy.get("rules", ()):
        rule = each["denyRule"]
        named = denies_member(rule, member) and permission in denied_names(rule, (permission,))
        if named and _met(rule.get("denialCondition"), resource, context, unknown=True):
            return True
    return False


def denied_names(rule: Mapping[str, Any], permissions: Collection[str]) -> frozenset[str]:
    """Return those of ``permissions`` that a rule denies."""
    wanted = [_bare(each) for each in rule.get("deniedPermissions", ())]
    spared = [_bare(each) for each in rule.get("exceptionPermissions", ())]
    return frozenset(
        name
        for name in permissions
        if any(matches(each, name) for each in wanted) and not any(matches(each, name) for each in spared)
    )


def denies_member(rule: Mapping[str, Any], member: str) -> bool:
    """Tell whether a rule denies something to ``member``.

    Who belongs to a set (a group, a domain) is not known here: everybody counts as denied.
    """
    if any(_is(each, member) for each in rule.get("exceptionPrincipals", ())):
        return False
    return any(
        each.startswith("principalSet:") or _is(each, member) for each in rule.get("deniedPrincipals", ())
    )


def _is(principal: str, member: str) -> bool:
    mail = member.partition(":")[2]
    return principal == member or principal.endswith((f"/subject/{mail}", f"/serviceAccounts/{mail}"))


def _bare(permission: str) -> str:
    """Return a permission of a denial (``storage.googleapis.com/objects.get``) as roles name it."""
    service, slash, rest = permission.partition("/")
    return f"{service.removesuffix('.googleapis.com')}.{rest}" if slash else permission


def _met(condition: Any, resource: str, context: Context, *, unknown: bool = False) -> bool:
    """Evaluate a condition; one that is not understood allows nothing, and denies everything."""
    if not condition:
        return True
    name = resource.removeprefix("//").partition("/")[2]
    try:
        return gcp_cel.holds(gcp_cel.parse(condition["expression"]), name, context)
    except NotUnderstoodError:
        return unknown


def ancestor(scope: str, resource: str, project: str) -> bool:
    """Tell whether ``scope`` is ``resource`` or above it; all that is named is in ``project``."""
    head = "//cloudresourcemanager.googleapis.com/"
    if scope == f"{head}projects/{project}" or scope.startswith((f"{head}folders/", f"{head}organizations/")):
        return True
    return resource == scope or resource.startswith(f"{scope}/")
