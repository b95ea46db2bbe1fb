"""Decides as Google IAM does: denials first, then the union of all policies from the project down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.access import gcp_cel
from heavylift.access.conditions import Context
from heavylift.access.globs import matches
from heavylift.access.model import Document


def gcp_allows(bundle: Document, member: str, permission: str, resource: str, context: Context) -> bool:
    """Tell whether ``member`` has ``permission`` on ``resource``, a full name with its service."""
    project = bundle["project"]
    if any(_denied(each, member, permission, resource, context) for each in bundle.get("denyPolicies", ())):
        return False
    roles = {each["name"]: each for each in bundle.get("roles", ())}
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
        named = _principals(rule.get("deniedPrincipals", ()), member)
        spared = _principals(rule.get("exceptionPrincipals", ()), member)
        wanted = any(matches(_bare(each), permission) for each in rule.get("deniedPermissions", ()))
        spare = any(matches(_bare(each), permission) for each in rule.get("exceptionPermissions", ()))
        if (
            named
            and not spared
            and wanted
            and not spare
            and _met(rule.get("denialCondition"), resource, context)
        ):
            return True
    return False


def _principals(named: Any, member: str) -> bool:
    mail = member.partition(":")[2]
    return any(
        each == member or each.endswith((f"/subject/{mail}", f"/serviceAccounts/{mail}")) or each == EVERYBODY
        for each in named
    )


EVERYBODY = "principalSet://goog/public:all"


def _bare(permission: str) -> str:
    """Return a permission of a denial (``storage.googleapis.com/objects.get``) as roles name it."""
    service, slash, rest = permission.partition("/")
    return f"{service.removesuffix('.googleapis.com')}.{rest}" if slash else permission


def _met(condition: Any, resource: str, context: Context) -> bool:
    if not condition:
        return True
    name = resource.removeprefix("//").partition("/")[2]
    return gcp_cel.holds(gcp_cel.parse(condition["expression"]), name, context)


def ancestor(scope: str, resource: str, project: str) -> bool:
    """Tell whether ``scope`` is ``resource`` or above it; all that is named is in ``project``."""
    if scope.endswith(f"/projects/{project}") and scope.count("/") == 4:
        return True
    return resource == scope or resource.startswith(f"{scope}/")
