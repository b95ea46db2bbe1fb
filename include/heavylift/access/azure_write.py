"""Writes Azure RBAC: custom roles, and assignments at the narrowest scope, with conditions on blobs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.access.azure_conditions import CONTAINER, NOW, PATH, PREFIX, quoted
from heavylift.access.azure_evaluate import azure_allows
from heavylift.access.azure_names import LIST, PARTS, READ, above, action_of, on_data, scope_of
from heavylift.access.globs import is_literal
from heavylift.access.model import Document, Names
from heavylift.access.regions import Clause, Literal
from heavylift.access.table import Kind
from heavylift.access.writing import (
    Context,
    Grant,
    Mapped,
    Refusal,
    Spot,
    identity_named,
    name_of,
    plain_name,
    single_region,
    split_clause,
    too_narrow,
    unconditional,
)

MAX_CONDITION = 8_192
"""Characters of one condition."""
_NAMESPACE = uuid.UUID("6f2a9f2e-7c1c-4f5e-9a64-0f1a6e0d31aa")
_DATES = {
    ("DateLessThan", True): "DateTimeLessThan",
    ("DateLessThan", False): "DateTimeGreaterThanEquals",
    ("DateLessThanEquals", True): "DateTimeLessThanEquals",
    ("DateLessThanEquals", False): "DateTimeGreaterThan",
}


@dataclass
class AzureWriter:
    """Writes for one scope: a subscription or a resource group."""

    names: Names
    mapped: Mapped
    platform: str = "azure"

    def identity(self, source: str) -> str:
        """Return the principal: the mapped one, else a managed identity of a name made of the source's."""
        return self.names.identities.get(source, plain_name(source, 60))

    def above(self, scope: str, other: str) -> bool:
        """Tell whether ``scope`` is ``other`` or above it."""
        return above(scope, other)

    def spot(self, kind: Kind, clause: Clause) -> Spot | Refusal:
        """Return the scope of an assignment and the terms of its condition."""
        wanted, barred, tests = split_clause(clause)
        scope = self._root(kind)
        terms: set[str] = set()
        for pattern in wanted:
            found = self._wanted(kind, pattern)
            if isinstance(found, Refusal):
                return found
            if above(scope, found.scope):
                scope = found.scope
            elif not above(found.scope, scope):
                return too_narrow(kind, pattern)
            terms |= found.terms
        for pattern in barred:
            term = self._term(kind, pattern, barred=True)
            if term is None:
                return too_narrow(kind, f"not {pattern}")
            terms.add(term)
        for literal in tests:
            term = _test(literal) if kind.name in ("object", "bucket") else None
            if term is None:
                return unconditional(literal)
            terms.add(term)
        if sum(map(len, terms)) > MAX_CONDITION // 2:
            return Refusal("condition_too_long", "Azure's conditions are short", "grant on single resources")
        return Spot(scope, frozenset(terms))

    def _root(self, kind: Kind) -> str:
        """Return the scope that stands for all of a kind."""
        target = self.names.target
        template = kind.templates["azure"]
        if template.startswith("{storage}") and target.storage:
            return target.storage
        return target.vault if template.startswith("{vault}") and target.vault else target.account

    def _wanted(self, kind: Kind, pattern: str) -> Spot | Refusal:
        native = self.mapped.others.get((kind.name, pattern))
        if native and kind.name not in ("object", "bucket"):
            return Spot(native)
        if kind.name in ("object", "bucket"):
            return self._stored(kind, pattern)
        name = single_region(self.names, pattern)
        if name == "*":
            return Spot(self._root(kind))
        scope = self._native(kind, pattern) if is_literal(pattern) and kind.name != "new_bucket" else None
        return Spot(scope) if scope else too_narrow(kind, pattern)

    def _stored(self, kind: Kind, pattern: str) -> Spot | Refusal:
        bucket, _, key = pattern.partition("/")
        root = self.names.target.storage
        if not root:
            return Refusal(
                "scope",
                "the target's storage account is not known",
                "name it in the map of names: target.storage",
            )
        scope = root
        terms: set[str] = set()
        if is_literal(bucket) and (key or kind.name == "bucket"):
            scope = f"{root}/blobServices/default/containers/{self.mapped.bucket(bucket)}"
        if scope == root or key not in ("", "*"):
            term = self._term(kind, pattern)
            if term is None:
                return too_narrow(kind, pattern)
            terms.add(term)
        return Spot(scope, frozenset(terms))

    def _term(self, kind: Kind, pattern: str, *, barred: bool = False) -> str | None:
        """Return what a blob must be like (or must not), None where conditions cannot say it."""
        if kind.name not in ("object", "bucket"):
            return None
        bucket, slash, key = pattern.partition("/")
        if not is_literal(bucket) and (self.mapped.buckets or (slash and key != "*") or "*" in pattern[:-1]):
            # A star in the bucket's name may reach into the key.
            return None
        if kind.name == "object" and not slash and pattern[-1:] != "*":
            return None
        parts = [_like(CONTAINER, self.mapped.bucket(bucket))] if bucket != "*" else []
        parts += [_like(PATH, key)] if slash and key != "*" else []
        if not parts:
            return None
        joined = " AND ".join(parts)
        return f"(!({joined}))" if barred else f"({joined})"

    def native(self, kind: Kind, name: str) -> str | None:
        """Return the full id of what a neutral name means, or one below its root that stands for it."""
        found = self._native(kind, name)
        if found is not None:
            return found
        last = name if kind.name in ("object", "bucket") else single_region(self.names, name)
        return None if last is None else f"{self._root(kind)}/{kind.name}/{last}"

    def _native(self, kind: Kind, name: str) -> str | None:
        if (kind.name, name) in self.mapped.others and kind.name not in ("bucket", "object"):
            return self.mapped.others[kind.name, name]
        if kind.name == "role":
            found = identity_named(self.names, name)
            return found if found and found.startswith("/") else None
        if kind.name in ("object", "bucket", "new_bucket"):
            bucket, slash, key = name.partition("/")
            return scope_of(kind, self.mapped.bucket(bucket) + slash + key, self.names.target)
        last = single_region(self.names, name)
        return None if last is None or "/" in last else scope_of(kind, last, self.names.target)

    def documents(self, grants: Sequence[Grant]) -> Document:
        """Return the custom roles and their assignments."""
        roles: dict[str, Document] = {}
        assignments = []
        for grant in grants:
            name = grant.role or self.role_name(grant)
            where = f"{self.names.target.account}/providers/Microsoft.Authorization/roleDefinitions/"
            role = where + str(uuid.uuid5(_NAMESPACE, name))
            actions = self.permissions(grant)
            if not grant.role:
                roles[role] = {
                    "id": role,
                    "roleName": name,
                    "type": "CustomRole",
                    "permissions": [
                        {
                            "actions": [each for each in actions if not on_data(each)],
                            "notActions": [],
                            "dataActions": [each for each in actions if on_data(each)],
                            "notDataActions": [],
                        }
                    ],
                    "assignableScopes": [self.names.target.account],
                }
            assignment: Document = {
                "principalId": grant.identity,
                "roleDefinitionId": grant.role or role,
                "scope": grant.spot.scope,
            }
            condition = condition_of(grant)
            if condition:
                assignment |= {"condition": condition, "conditionVersion": "2.0"}
            assignments.append(assignment)
        return {
            "platform": "azure",
            "roleDefinitions": [roles[each] for each in sorted(roles)],
            "roleAssignments": assignments,
            "denyAssignments": [],
        }

    def condition(self, grant: Grant) -> str:
        """Return the assignment's condition."""
        return condition_of(grant)

    def permissions(self, grant: Grant) -> tuple[str, ...]:
        """Return the role's actions; the parts of one action are told apart by the condition."""
        return tuple(sorted({action_of(each) for each in grant.permissions}))

    def role_name(self, grant: Grant) -> str:
        """Return the name of the role: Azure assigns one role to one principal at one scope only once.

        So that a second condition there needs a role of its own.
        """
        return name_of(grant.permissions, self.condition(grant))

    def allows(self, bundle: Document, who: str, permission: str, resource: str, context: Context) -> bool:
        """Ask Azure's evaluator."""
        return azure_allows(bundle, who, permission, resource, context)


def condition_of(grant: Grant) -> str:
    """Return the whole condition: it bars each action except where all terms hold."""
    terms = sorted(grant.spot.terms)
    parts = grant.permissions & {READ, LIST}
    if len(parts) == 1:
        part = f"SubOperationMatches{{'{PARTS[LIST]}'}}"
        sole = part if LIST in parts else f"!({part})"
        spared = f"!(ActionMatches{{'{action_of(READ)}'}})"
        first = f"({spared} OR {sole})"
        return first if not terms else f"{first} AND {_barred(grant, terms)}"
    return _barred(grant, terms) if terms else ""


def _barred(grant: Grant, terms: list[str]) -> str:
    actions = sorted({action_of(each) for each in grant.permissions})
    spared = " AND ".join(f"!(ActionMatches{{'{each}'}})" for each in actions)
    return f"(({spared}) OR ({' AND '.join(terms)}))"


def _like(attribute: str, pattern: str) -> str:
    return f"{attribute} {'StringEquals' if is_literal(pattern) else 'StringLike'} {quoted(pattern)}"


def _test(literal: Literal) -> str | None:
    test = literal.atom
    if test.key == "time":
        return f"({NOW} {_DATES[test.operator, literal.holds]} {quoted(test.values[0])})"
    if (
        test.key == "list_prefix"
        and test.operator in ("StringEquals", "StringLike")
        and "" not in test.values
    ):
        found = " OR ".join(_like(PREFIX, each) for each in test.values)
        return f"({found})" if literal.holds else f"(!({found}))"
    return None
