"""Writes AWS's policies: statements on single resources, split where one policy would be too long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heavylift.access.aws_evaluate import aws_allows
from heavylift.access.aws_names import arn_of
from heavylift.access.conditions import NEUTRAL_KEYS
from heavylift.access.globs import covers
from heavylift.access.model import Document, Names
from heavylift.access.regions import Clause, Literal
from heavylift.access.table import Kind
from heavylift.access.writing import (
    Context,
    Grant,
    Mapped,
    Plain,
    Refusal,
    Spot,
    identity_named,
    plain_name,
    split_clause,
    too_narrow,
    unconditional,
)

MAX_POLICY = 6_144
"""Characters of a managed policy, blanks not counted."""
_KEYS = {neutral: native for native, neutral in NEUTRAL_KEYS.items()}
_NEGATED = {"StringEquals": "StringNotEquals", "StringLike": "StringNotLike", "IpAddress": "NotIpAddress"}
_DATES = {
    ("DateLessThan", True): "DateLessThan",
    ("DateLessThan", False): "DateGreaterThanEquals",
    ("DateLessThanEquals", True): "DateLessThanEquals",
    ("DateLessThanEquals", False): "DateGreaterThan",
}


@dataclass
class AwsWriter(Plain):
    """Writes for one account."""

    names: Names
    mapped: Mapped
    platform: str = "aws"

    def identity(self, source: str) -> str:
        """Return the role: the mapped one, else one of a name made of the source's."""
        made = f"arn:aws:iam::{self.names.target.account}:role/{plain_name(source, 60)}"
        return self.names.identities.get(source, made)

    def above(self, scope: str, other: str) -> bool:
        """Tell whether one pattern of ARNs covers another."""
        return covers(scope, other)

    def spot(self, kind: Kind, clause: Clause) -> Spot | Refusal:
        """Return the resource of a statement and its conditions."""
        wanted, barred, tests = split_clause(clause)
        if len(wanted) > 1 or barred:
            return too_narrow(kind, " and ".join([*wanted, *(f"not {each}" for each in barred)]))
        scope = self._scope(kind, wanted[0] if wanted else "*")
        if scope is None:
            return too_narrow(kind, wanted[0] if wanted else "*")
        terms: dict[str, str] = {}
        for literal in tests:
            found = _test(literal)
            if found is None or found[0] in terms:
                return unconditional(literal)
            terms[found[0]] = found[1]
        return Spot(scope, frozenset(terms.values()))

    def _scope(self, kind: Kind, pattern: str) -> str | None:
        if "{region}" in kind.templates["aws"] and not self.names.target.region:
            return None
        return self._arn(kind, pattern)

    def _arn(self, kind: Kind, pattern: str) -> str | None:
        if kind.name == "account":
            return "*"
        if (kind.name, pattern) in self.mapped.others and kind.name not in ("bucket", "object"):
            return self.mapped.others[kind.name, pattern]
        if kind.name == "role" and pattern != "*":
            return self._role(pattern)
        if kind.name in ("bucket", "object"):
            bucket, slash, key = pattern.partition("/")
            if any(sign in bucket for sign in "*?") and self.mapped.buckets:
                return None
            pattern = self.mapped.bucket(bucket) + slash + key
            # A bucket's name has no slash: without one the pattern would reach buckets and their objects.
            pattern = "*/*" if kind.name == "object" and pattern == "*" else pattern
            return f"arn:aws:s3:::{pattern}"
        if "{region}" in kind.templates["aws"]:
            pattern = f"{self.names.target.region}/{pattern}"
        return arn_of(kind, pattern, self.names.target)

    def _role(self, name: str) -> str | None:
        target = identity_named(self.names, name) or ""
        return target if ":role/" in target else None

    def native(self, kind: Kind, name: str) -> str | None:
        """Return an ARN of what a neutral name means."""
        if kind.name == "role":
            return self._role(name) or f"arn:aws:iam::{self.names.target.account}:role/no-counterpart/{name}"
        made = self._arn(kind, name)
        return made.replace("-??????", "-AbCdEf") if made else None

    def documents(self, grants: Sequence[Grant]) -> Document:
        """Return the identities with their policies."""
        identities: dict[str, list[Document]] = {}
        for grant in grants:
            statement: Document = {
                "Effect": "Allow",
                "Action": sorted(grant.permissions),
                "Resource": grant.spot.scope,
            }
            if grant.spot.terms:
                statement["Condition"] = _condition(grant)
            identities.setdefault(grant.identity, []).append(statement)
        return {
            "platform": "aws",
            "identities": [
                {"id": who, "policies": _policies(statements)}
                for who, statements in sorted(identities.items())
            ],
        }

    def condition(self, grant: Grant) -> str:
        """Return the statement's condition as JSON."""
        return json.dumps(_condition(grant), sort_keys=True) if grant.spot.terms else ""

    def allows(self, bundle: Document, who: str, permission: str, resource: str, context: Context) -> bool:
        """Ask AWS's evaluator."""
        found = [each for each in bundle["identities"] if each["id"] == who]
        return bool(found) and aws_allows(found[0], permission, resource, context)


def _condition(grant: Grant) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for term in sorted(grant.spot.terms):
        for operator, keys in json.loads(term).items():
            found.setdefault(operator, {}).update(keys)
    return found


def _policies(statements: list[Document]) -> list[Document]:
    parts: list[list[Document]] = [[]]
    for statement in statements:
        if parts[-1] and _size([*parts[-1], statement]) > MAX_POLICY:
            parts.append([])
        parts[-1].append(statement)
    return [
        {"name": f"heavylift-{number}", "document": {"Version": "2012-10-17", "Statement": part}}
        for number, part in enumerate(parts, start=1)
    ]


def _size(statements: list[Document]) -> int:
    return len(json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":")))


def _test(literal: Literal) -> tuple[str, str] | None:
    test = literal.atom
    key = _KEYS.get(test.key, test.key)
    if test.operator in ("cel", "ResourceLike") or test.key.startswith("azure:"):
        return None
    if test.key == "time":
        operator = _DATES[test.operator, literal.holds]
    elif literal.holds:
        operator = test.operator
    elif test.operator in _NEGATED:
        operator = _NEGATED[test.operator]
    else:
        return None
    return f"{operator} {key}", json.dumps({operator: {key: list(test.values)}}, sort_keys=True)
