"""Decides as AWS does: straight from the policies, knowing nothing of how they are translated.

An explicit denial anywhere wins; each boundary and each level of service control policies must allow; the
identity's own policies must allow.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from heavylift.access.aws_names import names_whole_service
from heavylift.access.aws_read import boundary_levels, statements
from heavylift.access.conditions import Context, holds
from heavylift.access.globs import matches


def aws_allows(
    identity: Mapping[str, Any], action: str, resource: str, context: Context, *, trusted: bool = False
) -> bool:
    """Tell whether an identity of a bundle may do ``action`` to ``resource``.

    :param resource: an ARN, or ``*`` for actions that have no resource.
    :param trusted: a policy of the resource allows it to this very identity, so that its own need not.
    """
    if identity.get("missing"):
        return False
    own = [policy["document"] for policy in identity.get("policies", ())]
    levels = boundary_levels(identity)
    if any(_has("Deny", level, action, resource, context) for level in [own, *levels]):
        return False
    asked = levels if trusted else [own, *levels]
    return all(_has("Allow", level, action, resource, context) for level in asked)


def aws_may_assume(
    identities: Mapping[str, Mapping[str, Any]], who: str, role: str, context: Context
) -> bool:
    """Tell whether an identity may act as a role: its trust policy has a say where it is known."""
    known = identities.get(role)
    if known is None or known.get("trust") is None:
        return aws_allows(identities[who], "sts:AssumeRole", role, context)
    if aws_trusts(known, who, context):
        return aws_allows(identities[who], "sts:AssumeRole", role, context, trusted=True)
    root = f"{':'.join(role.split(':')[:5])}:root"
    return aws_trusts(known, root, context) and aws_allows(identities[who], "sts:AssumeRole", role, context)


def aws_permissions(identity: Mapping[str, Any], known: Collection[str]) -> frozenset[str]:
    """Return those of ``known`` that are allowed on some resource, and denied on none without condition."""
    own = [policy["document"] for policy in identity.get("policies", ())]
    levels = [own, *boundary_levels(identity)]
    return frozenset(
        name
        for name in known
        if all(
            any(each["Effect"] == "Allow" and _named(each, name) for each in _every(level))
            for level in levels
        )
        and not any(_barred(each, name) for level in levels for each in _every(level))
    )


def _barred(statement: Mapping[str, Any], action: str) -> bool:
    whole = "*" in _list(statement.get("Resource"))
    return (
        statement["Effect"] == "Deny"
        and whole
        and not statement.get("Condition")
        and _named(statement, action)
    )


def aws_trusts(identity: Mapping[str, Any], principal: str, context: Context) -> bool:
    """Tell whether a role's trust policy lets ``principal``, named by its ARN, act as it."""
    if identity.get("trust") is None:
        return False
    found = [each for each in statements(identity["trust"], "trust") if _names(each, principal)]
    met = [each["Effect"] for each in found if holds(each.get("Condition") or {}, context)]
    return "Allow" in met and "Deny" not in met


def _names(statement: Mapping[str, Any], principal: str) -> bool:
    given = statement.get("Principal")
    named = _list(given.get("AWS")) if isinstance(given, Mapping) else _list(given)
    return principal in named or "*" in named


def _has(effect: str, documents: list[Any], action: str, resource: str, context: Context) -> bool:
    return any(
        each["Effect"] == effect and _applies(each, action, resource, context) for each in _every(documents)
    )


def _every(documents: list[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        yield from statements(document, "policy")


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    if not _named(statement, action):
        return False
    key = "Resource" if "Resource" in statement else "NotResource"
    patterns = [_filled(each, context) for each in _list(statement[key])]
    if key == "NotResource" and statement["Effect"] == "Allow" and any("\0" in each for each in patterns):
        # All but something that is not known allows nothing.
        return False
    found = any(matches(each, resource) for each in patterns)
    if resource == "*" and (statement["Effect"] == "Deny") == (key == "Resource"):
        # Whether all of a service is what has no resource is not documented for every action: it bars.
        found = found or any(names_whole_service(each) for each in patterns)
    if found != (key == "Resource"):
        return False
    return holds(statement.get("Condition") or {}, context)


def _named(statement: Mapping[str, Any], action: str) -> bool:
    if "Action" in statement:
        return any(matches(each, action, ignore_case=True) for each in _list(statement["Action"]))
    return not any(matches(each, action, ignore_case=True) for each in _list(statement["NotAction"]))


def _filled(pattern: str, context: Context) -> str:
    """Put the request's values in the place of ``${…}``; what is not known matches nothing."""

    def value(found: re.Match[str]) -> str:
        literal = {"*": "*", "?": "?", "$": "$"}.get(found[1])
        return literal or next(iter(context.get(found[1].lower(), ())), "\0")

    return re.sub(r"\$\{([^}]*)\}", value, pattern)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
