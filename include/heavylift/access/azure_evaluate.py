"""Decides as Azure RBAC does: deny assignments first, then the union of the assignments that apply."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from heavylift.access.azure_conditions import Asked, met
from heavylift.access.azure_names import PARTS, above, action_of, on_data
from heavylift.access.conditions import Context
from heavylift.access.globs import matches
from heavylift.access.model import Document
from heavylift.access.tokens import NotUnderstoodError

EVERYBODY = "00000000-0000-0000-0000-000000000000"


def azure_allows(bundle: Document, who: str, permission: str, resource: str, context: Context) -> bool:
    """Tell whether a principal has ``permission`` on ``resource``, a full id."""
    for each in bundle.get("denyAssignments", ()):
        if above(each["scope"], resource) and names_principal(each, who) and grants(each, permission):
            return False
    roles = {role_id(each): each for each in bundle.get("roleDefinitions", ())}
    return any(
        each["principalId"] == who
        and above(each["scope"], resource)
        and (role := roles.get(str(each["roleDefinitionId"]).lower())) is not None
        and grants(role, permission)
        and _met(each.get("condition"), permission, resource, context)
        for each in bundle.get("roleAssignments", ())
    )


def role_id(role: Mapping[str, Any]) -> str:
    """Return what assignments call a role."""
    return str(role.get("id") or role.get("name")).lower()


def grants(role: Mapping[str, Any], permission: str) -> bool:
    """Tell whether a role's (or denial's) permissions have one."""
    return permission in granted(role, (permission,))


def granted(role: Mapping[str, Any], permissions: Collection[str]) -> frozenset[str]:
    """Return those of ``permissions`` that a role's have: actions without its notActions."""
    found: set[str] = set()
    for each in role.get("permissions", ()):
        for name in permissions:
            keys = ("dataActions", "notDataActions") if on_data(name) else ("actions", "notActions")
            action = action_of(name)
            if _one(each.get(keys[0]) or (), action) and not _one(each.get(keys[1]) or (), action):
                found.add(name)
    return frozenset(found)


def _one(patterns: Iterable[str], action: str) -> bool:
    return any(matches(each, action, ignore_case=True) for each in patterns)


def names_principal(denial: Mapping[str, Any], who: str) -> bool:
    """Tell whether a deny assignment holds for a principal.

    Who belongs to a group is not known here: a group counts as everybody.
    """
    spared = {each.get("id") for each in denial.get("excludePrincipals", ())}
    named = denial.get("principals", ())
    return who not in spared and any(
        each.get("id") in (who, EVERYBODY) or each.get("type") in ("SystemDefined", "Group") for each in named
    )


def _met(condition: str | None, permission: str, resource: str, context: Context) -> bool:
    if not condition:
        return True
    _, _, rest = resource.partition("/containers/")
    container, _, path = rest.partition("/blobs/")
    asked = Asked(action_of(permission), PARTS.get(permission, ""), container, path, context)
    try:
        return met(condition, asked)
    except NotUnderstoodError:
        return False
