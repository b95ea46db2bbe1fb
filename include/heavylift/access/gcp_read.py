"""Reads Google IAM: bindings, custom and predefined roles, denials and conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.access import gcp_cel
from heavylift.access.documents import first_keys, known_keys, mapping, several, texts, unusable
from heavylift.access.gcp_cel import Node
from heavylift.access.gcp_evaluate import ancestor, denied_names, denies_member
from heavylift.access.globs import is_literal
from heavylift.access.model import BY_HAND, Document, Identity, Place, Read, Statement, Untranslated
from heavylift.access.regions import ALWAYS, NEVER, Region, atom, union, within
from heavylift.access.table import Table
from heavylift.access.tokens import NotUnderstoodError

_BUCKETS = "//storage.googleapis.com/projects/_/buckets/"
_SOMETHING = "//any.googleapis.com/something"
_MEMBERS = ("serviceAccount:", "user:", "group:")
_NAMED = 20


def gcp_bundle(found: Iterable[tuple[str, Any]], place: Place) -> Document:
    """Return a bundle of what files hold.

    :param found: (file, document) for each: a policy (of the project), ``{"policies": [{"resource",
        "policy"}], "roles", "denyPolicies"}``, or a list of roles.
    :raises SpecError: something is none of them.
    """
    bundle: Document = {
        "platform": "gcp", "project": place.account, "roles": [], "policies": [], "denyPolicies": [],
    }  # fmt: skip
    project = f"//cloudresourcemanager.googleapis.com/projects/{place.account}"
    for where, document in found:
        for each in several(document, where):
            given = mapping(each, where, "a policy or a role")
            if "bindings" in given or set(given) <= {"etag", "version"}:
                bundle["policies"].append({"resource": project, "policy": given})
            elif "includedPermissions" in given:
                bundle["roles"].append(given)
            elif "policies" in given or "roles" in given or "denyPolicies" in given:
                bundle["roles"] += several(given.get("predefinedRoles"), where)
                for key in ("roles", "policies", "denyPolicies"):
                    bundle[key] += [dict(mapping(one, where)) for one in several(given.get(key), where)]
            elif "rules" in given:
                bundle["denyPolicies"].append(given)
            else:
                raise unusable(
                    where, first_keys(given), "bindings, includedPermissions or rules",
                    "give gcloud projects get-iam-policy, iam roles describe, iam policies get, as JSON",
                )  # fmt: skip
    _check(bundle)
    for each in bundle["policies"]:
        each["resource"] = _canonical(each["resource"], place)
    return bundle


def _canonical(resource: str, place: Place) -> str:
    """Return a secret's name as conditions know it: with the project's number, where that is known."""
    named = f"/projects/{place.account}/secrets/"
    return resource.replace(named, f"/projects/{place.number or place.account}/secrets/")


def _check(bundle: Document) -> None:
    for policy in bundle["policies"]:
        if not isinstance(policy.get("resource"), str) or not isinstance(policy.get("policy"), Mapping):
            raise unusable("policies", "no resource or no policy", "both", "add the resource's full name")
        for index, binding in enumerate(several(policy["policy"].get("bindings"), policy["resource"])):
            where = f"{policy['resource']}, bindings[{index}]"
            given = mapping(binding, where, "a binding")
            known_keys(given, ("role", "members", "condition", "bindingId"), where)
            texts([given.get("role"), *several(given.get("members"), where)], where)
            if given.get("condition") is not None:
                texts(mapping(given["condition"], where).get("expression"), where)
    for role in bundle["roles"]:
        texts([role.get("name"), *several(role.get("includedPermissions"), "roles")], "roles")
    for policy in bundle["denyPolicies"]:
        for index, rule in enumerate(several(policy.get("rules"), "denyPolicies")):
            if not isinstance(mapping(rule, "denyPolicies").get("denyRule"), Mapping):
                raise unusable(f"denyPolicies, rules[{index}]", "no denyRule", "one", "give the policy whole")


@dataclass
class GcpReader:
    """Turns a bundle into identities."""

    table: Table
    place: Place
    untranslated: list[Untranslated] = field(default_factory=list)

    def read(self, bundle: Document) -> Read:
        """Return the identities of a bundle."""
        roles = {each["name"]: frozenset(each["includedPermissions"]) for each in bundle["roles"]}
        allows: dict[str, list[Statement]] = {}
        for policy in bundle["policies"]:
            for index, binding in enumerate(policy["policy"].get("bindings", ())):
                where = f"{policy['resource']}, bindings[{index}] {binding['role']}"
                for member, statement in self._binding(policy["resource"], binding, roles, where):
                    allows.setdefault(member, []).append(statement)
        identities = tuple(
            Identity(member, tuple(given), tuple(self._denials(bundle, member)))
            for member, given in sorted(allows.items())
        )
        return Read(identities, tuple(self.untranslated), bundle)

    def _binding(
        self, resource: str, binding: Mapping[str, Any], roles: Mapping[str, frozenset[str]], where: str
    ) -> Iterator[tuple[str, Statement]]:
        members = [each for each in binding.get("members", ()) if each.startswith(_MEMBERS)]
        for each in binding.get("members", ()):
            if each not in members:
                self._note(
                    each,
                    binding["role"],
                    "public",
                    "no single identity",
                    "decide by hand who needs it",
                    where,
                )
        permissions = roles.get(binding["role"])
        if permissions is None:
            for each in members:
                self._note(
                    each, binding["role"], "role_unknown", "its permissions are not in the documents",
                    f"add the output of: gcloud iam roles describe {binding['role']} --format=json", where,
                )  # fmt: skip
            return
        known = permissions & self.table.permissions("gcp")
        self._note_unknown(members, permissions - known, where)
        statement = self._statement(known, resource, binding.get("condition"), where)
        yield from ((each, statement) for each in members)

    def _statement(self, known: frozenset[str], resource: str, condition: Any, where: str) -> Statement:
        kinds = {
            each.kind
            for each in self.table.operations
            if any(way & known for way in each.ways.get("gcp", ()))
        }
        regions = {kind: self._scope(kind, resource) & region_of(condition, kind) for kind in kinds}
        return Statement(known, regions, where)

    def _scope(self, kind: str, resource: str) -> Region:
        if ancestor(resource, _SOMETHING, self.place.account):
            return ALWAYS
        if resource.startswith(_BUCKETS):
            name = resource.removeprefix(_BUCKETS)
            return {"object": within(f"{name}/*"), "bucket": within(name)}.get(kind, NEVER)
        last = resource.rpartition("/")[2]
        sorts = {"/secrets/": "secret", "/topics/": "stream", "/serviceAccounts/": "role"}
        return next((within(last) for sort, one in sorts.items() if sort in resource and one == kind), NEVER)

    def _denials(self, bundle: Document, member: str) -> Iterator[Statement]:
        for policy in bundle["denyPolicies"]:
            for index, rule in enumerate(policy.get("rules", ())):
                given = rule["denyRule"]
                if denies_member(given, member):
                    where = f"{policy.get('name', 'deny policy')}, rules[{index}]"
                    known = denied_names(given, self.table.permissions("gcp"))
                    project = f"//cloudresourcemanager.googleapis.com/projects/{self.place.account}"
                    yield self._statement(known, project, given.get("denialCondition"), where)

    def _note(self, who: str, what: str, reason: str, detail: str, remedy: str, where: str) -> None:
        self.untranslated.append(Untranslated(who, what, reason, detail, remedy, where))

    def _note_unknown(self, members: Iterable[str], unknown: frozenset[str], where: str) -> None:
        if unknown:
            names = sorted(unknown)
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            for each in members:
                self._note(
                    each, names[0] if len(names) == 1 else f"{len(names)} permissions", "no_counterpart",
                    f"not in the table of operations: {', '.join(names[:_NAMED])}{more}",
                    BY_HAND, where,
                )  # fmt: skip


def region_of(condition: Any, kind: str) -> Region:
    """Return where a condition holds for one kind; what is not understood stays one opaque test."""
    if not condition:
        return ALWAYS
    text = condition["expression"]
    try:
        return _of(gcp_cel.parse(text), kind)
    except NotUnderstoodError:
        return atom("cel", f"cel:{kind}", text)


def _of(node: Node, kind: str) -> Region:
    if node.what == "test":
        return _test(*node.test, kind)
    parts = [_of(each, kind) for each in node.parts]
    if node.what == "not":
        return ~parts[0]
    if node.what == "or":
        return union(parts)
    result = ALWAYS
    for each in parts:
        result &= each
    return result


def _test(left: str, operator: str, right: str, kind: str) -> Region:
    if left == "request.time":
        date = atom("DateLessThan" if operator in ("<", ">=") else "DateLessThanEquals", "time", right)
        return date if operator in ("<", "<=") else ~date
    if operator == "!=":
        return ~_test(left, "==", right, kind)
    if left == "api:storage.googleapis.com/objectListPrefix" and right and is_literal(right):
        like = operator == "startsWith"
        if like or operator == "==":
            return atom("StringLike" if like else "StringEquals", "list_prefix", right + "*" * like)
    if left == "resource.name" and is_literal(right):
        return _named(operator, right, kind)
    raise NotUnderstoodError(left)


def _named(operator: str, text: str, kind: str) -> Region:
    head = "projects/_/buckets/"
    if kind not in ("object", "bucket"):
        raise NotUnderstoodError("resource.name")
    if operator == "endsWith" and "/" not in text:
        return within(f"*{text}")
    if operator not in ("==", "startsWith") or not text.startswith(head):
        raise NotUnderstoodError(text)
    bucket, slash, key = text.removeprefix(head).partition("/objects/")
    star = "*" if operator == "startsWith" else ""
    if "/" in bucket:
        raise NotUnderstoodError(text)
    if slash:
        return within(f"{bucket}/{key}{star}") if kind == "object" else NEVER
    return within(f"{bucket}{star}") if kind == "bucket" or star else NEVER
