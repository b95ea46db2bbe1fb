"""Writes Google IAM: custom roles, and bindings with conditions at the narrowest resource.

Denials of the source are in the conditions: a binding allows only what the source allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.access.gcp_cel import LIST_PREFIX, quoted
from heavylift.access.gcp_evaluate import ancestor, gcp_allows
from heavylift.access.globs import is_literal, prefix_of, suffix_of
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
    name_of,
    plain_name,
    single_region,
    split_clause,
    too_narrow,
    unconditional,
)

MAX_OPERATORS = 12
"""Logical operators in one condition; more are refused by Google."""
MAX_PERMISSIONS = 3_000
MAX_ROLE_BYTES = 60_000
"""Google: 64 KB for a custom role's title, description and permissions; some room is left."""
_STORE = "//storage.googleapis.com/"


@dataclass
class GcpWriter(Plain):
    """Writes for one project."""

    names: Names
    mapped: Mapped
    platform: str = "gcp"

    @property
    def project(self) -> str:
        """The full name of the project."""
        return f"//cloudresourcemanager.googleapis.com/projects/{self.names.target.account}"

    def identity(self, source: str) -> str:
        """Return the member: the mapped one, else a service account of a name made of the source's."""
        made = f"serviceAccount:{plain_name(source)}@{self.names.target.account}.iam.gserviceaccount.com"
        return self.names.identities.get(source, made)

    def above(self, scope: str, other: str) -> bool:
        """Tell whether ``scope`` is ``other`` or above it."""
        return ancestor(scope, other, self.names.target.account)

    def spot(self, kind: Kind, clause: Clause) -> Spot | Refusal:
        """Return the resource to bind on, and the terms of the condition."""
        wanted, barred, tests = split_clause(clause)
        scope = self.project
        terms: set[str] = set()
        for pattern in wanted:
            found = self._wanted(kind, pattern)
            if isinstance(found, Refusal):
                return found
            if self.above(scope, found.scope):
                scope = found.scope
            elif not self.above(found.scope, scope):
                return too_narrow(kind, pattern)
            terms |= found.terms
        for pattern in barred:
            term = self._term(kind, pattern) if kind.conditional else None
            if term is None:
                return too_narrow(kind, f"not {pattern}")
            terms.add(f"!({term})")
        for literal in tests:
            term = _test(literal)
            if term is None:
                return unconditional(literal)
            terms.add(term)
        operators = sum(term.count("&&") + term.count("||") + term.count("!(") for term in terms)
        if operators + len(terms) - 1 > MAX_OPERATORS:
            return Refusal(
                "condition_too_long",
                f"Google takes at most {MAX_OPERATORS} logical operators in one condition",
                "give the exceptions names with a common beginning, or grant on single resources",
            )
        return Spot(scope, frozenset(terms))

    def _wanted(self, kind: Kind, pattern: str) -> Spot | Refusal:
        if is_literal(pattern) and kind.name not in ("object", "bucket"):
            # What is made is checked on the project: a name alone cannot be granted.
            native = self._bindable(kind, pattern) if kind.templates["gcp"] != "projects/{account}" else None
            return Spot(native) if native else too_narrow(kind, pattern)
        bucket, slash, key = pattern.partition("/")
        if kind.name in ("object", "bucket") and is_literal(bucket) and (slash or kind.name == "bucket"):
            scope = f"{_STORE}projects/_/buckets/{self.mapped.bucket(bucket)}"
            if kind.name == "bucket" or key == "*":
                return Spot(scope)
            term = self._term(kind, pattern)
            return Spot(scope, frozenset({term})) if term else too_narrow(kind, pattern)
        if single_region(self.names, pattern) == "*" and kind.name not in ("object", "bucket"):
            return Spot(self.project)
        term = self._term(kind, pattern) if kind.conditional else None
        return Spot(self.project, frozenset({term})) if term else too_narrow(kind, pattern)

    def _term(self, kind: Kind, pattern: str) -> str | None:
        """Return what a resource's name must be like, or None where Google's conditions cannot say it."""
        if kind.name in ("object", "bucket"):
            bucket, slash, key = pattern.partition("/")
            if not is_literal(bucket) and self.mapped.buckets:
                return None
            name = self.mapped.bucket(bucket) if is_literal(bucket) else bucket
            full = f"projects/_/buckets/{name}" + (f"/objects/{key}" if slash else "")
            return _like(full, certain=bool(slash) and is_literal(bucket))
        name_only = single_region(self.names, pattern)
        if name_only is None or not self.names.target.number or "/" in name_only:
            return None
        return _like(f"projects/{self.names.target.number}/secrets/{name_only}", certain=True)

    def native(self, kind: Kind, name: str) -> str | None:
        """Return the full name of the one resource that a neutral name means.

        Where Google grants on nothing below the project, or nobody named the counterpart, it is some
        resource of the project.
        """
        bindable = self._bindable(kind, name)
        if bindable is not None:
            return bindable
        last = single_region(self.names, name)
        return None if last is None else f"{self.project}/{kind.name}/{last}"

    def _bindable(self, kind: Kind, name: str) -> str | None:
        """Return the full name of a resource that permissions can be granted on, None where that is none."""
        if (kind.name, name) in self.mapped.others and kind.name not in ("bucket", "object"):
            return self.mapped.others[kind.name, name]
        if kind.name == "role":
            return self._account_of(name)
        template = kind.templates["gcp"]
        if template == "projects/{account}":
            return self.project
        if kind.name in ("object", "bucket"):
            bucket, _, key = name.partition("/")
            return _STORE + template.format(bucket=self.mapped.bucket(bucket), key=key)
        last = single_region(self.names, name)
        if not template or last is None or "/" in last:
            return None
        target = self.names.target
        service = "secretmanager" if kind.name == "secret" else "pubsub"
        number = target.number or target.account
        return f"//{service}.googleapis.com/" + template.format(
            name=last, account=target.account, number=number
        )

    def _account_of(self, name: str) -> str | None:
        target = identity_named(self.names, name) or ""
        if not target.startswith("serviceAccount:"):
            return None
        email = target.removeprefix("serviceAccount:")
        project = email.partition("@")[2].partition(".")[0]
        return f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}"

    def documents(self, grants: Sequence[Grant]) -> Document:
        """Return the project's custom roles and the policies of its resources."""
        roles: dict[str, Document] = {}
        policies: dict[str, list[Document]] = {}
        predefined: dict[str, Document] = {}
        for grant in grants:
            if grant.role:
                names = sorted(grant.permissions)
                predefined[grant.role] = {"name": grant.role, "includedPermissions": names}
            for name, permissions in self._roles(grant):
                if permissions:
                    roles[name] = {
                        "name": name,
                        "title": name.rpartition("/")[2],
                        "stage": "GA",
                        "includedPermissions": permissions,
                    }
                binding: Document = {"role": name, "members": [grant.identity]}
                if grant.spot.terms:
                    binding["condition"] = {"title": "heavylift", "expression": self.condition(grant)}
                policies.setdefault(grant.spot.scope, []).append(binding)
        return {
            "platform": "gcp",
            "project": self.names.target.account,
            "roles": [roles[name] for name in sorted(roles)],
            "predefinedRoles": [predefined[name] for name in sorted(predefined)],
            "policies": [
                {"resource": scope, "policy": {"version": 3, "bindings": bindings}}
                for scope, bindings in sorted(policies.items())
            ],
        }

    def _roles(self, grant: Grant) -> list[tuple[str, list[str]]]:
        if grant.role:
            return [(grant.role, [])]
        head = f"projects/{self.names.target.account}/roles/"
        return [(head + name_of(part), part) for part in _parts(sorted(grant.permissions))]

    def allows(self, bundle: Document, who: str, permission: str, resource: str, context: Context) -> bool:
        """Ask Google's evaluator."""
        return gcp_allows(bundle, who, permission, resource, context)


def _parts(permissions: list[str]) -> list[list[str]]:
    """Split permissions into as many roles as Google's limits ask for."""
    parts: list[list[str]] = [[]]
    size = 0
    for name in permissions:
        if len(parts[-1]) >= MAX_PERMISSIONS or size + len(name) > MAX_ROLE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += len(name)
    return parts


def _like(full: str, *, certain: bool) -> str | None:
    """Return the term for a pattern of full names: a beginning, an end, or both where they cannot overlap."""
    if is_literal(full):
        return f"resource.name == {quoted(full)}"
    head, tail = prefix_of(full), suffix_of(full)
    if full not in (f"{head}*{tail}", f"{head}**{tail}"):
        return None
    first = f"resource.name.startsWith({quoted(head)})"
    if not tail:
        return first
    overlap = any(head.endswith(tail[:size]) for size in range(1, len(tail) + 1))
    if overlap or (not certain and "/" in tail):
        return None
    return f"{first} && resource.name.endsWith({quoted(tail)})"


def _test(literal: Literal) -> str | None:
    test = literal.atom
    if test.key == "time" and test.operator in ("DateLessThan", "DateLessThanEquals"):
        signs = ("<", ">=") if test.operator == "DateLessThan" else ("<=", ">")
        return f"request.time {signs[not literal.holds]} timestamp({quoted(test.values[0])})"
    if test.key == "list_prefix" and test.operator in ("StringEquals", "StringLike"):
        found = [_prefix(test.operator, value) for value in test.values]
        if "" in test.values or None in found:
            return None
        term = " || ".join(str(each) for each in found)
        return f"({term})" if literal.holds else f"!({term})"
    if test.operator == "cel" and test.key.startswith("cel:"):
        return f"({test.values[0]})" if literal.holds else f"!({test.values[0]})"
    return None


def _prefix(operator: str, value: str) -> str | None:
    if operator == "StringEquals" or is_literal(value):
        return f"{LIST_PREFIX} == {quoted(value)}"
    if value.count("*") == 1 and value.endswith("*") and "?" not in value:
        return f"{LIST_PREFIX}.startsWith({quoted(value[:-1])})"
    return None
