"""Kubernetes RBAC: read, written and decided. It allows only; there are no denials and no conditions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavylift.access.documents import mapping, several, texts, unusable
from heavylift.access.globs import is_literal
from heavylift.access.model import BY_HAND, Document, Identity, Names, Place, Read, Statement, Untranslated
from heavylift.access.regions import ALWAYS, Clause, Region, union, within
from heavylift.access.table import Kind, Table
from heavylift.access.writing import (
    Context,
    Grant,
    Mapped,
    Plain,
    Refusal,
    Spot,
    name_of,
    plain_name,
    single_region,
    split_clause,
    too_narrow,
    unconditional,
)

_RBAC = "rbac.authorization.k8s.io"
_KINDS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
_NAMELESS = frozenset({"create", "list", "watch", "deletecollection"})
"""Verbs for which Kubernetes knows no single name beforehand."""


def kubernetes_bundle(found: Iterable[tuple[str, Any]]) -> Document:
    """Return a bundle of manifests: roles and bindings, alone, in lists, or several to a file.

    :raises SpecError: something is none of them.
    """
    objects: list[Document] = []
    for where, document in found:
        for each in several(document, where):
            given = mapping(each, where, "a manifest")
            if str(given.get("kind", "")).endswith("List") and "items" in given:
                objects += [dict(mapping(one, where)) for one in several(given["items"], where)]
            else:
                objects.append(dict(given))
    for each in objects:
        _check(each)
    return {"platform": "kubernetes", "objects": [each for each in objects if each.get("kind") in _KINDS]}


def _check(each: Mapping[str, Any]) -> None:
    where = f"{each.get('kind')} {(each.get('metadata') or {}).get('name')}"
    if "kind" not in each or not isinstance(each.get("metadata"), Mapping):
        raise unusable(
            where, "no kind or metadata", "a manifest", "give kubectl get roles,rolebindings -o json"
        )
    for rule in several(each.get("rules"), where):
        for key in ("apiGroups", "resources", "verbs", "resourceNames"):
            texts(
                [one for one in several(mapping(rule, where).get(key), where) if one != ""], f"{where}, {key}"
            )
    if each["kind"].endswith("Binding"):
        texts([mapping(each.get("roleRef"), where).get(key) for key in ("kind", "name")], where)


def permission_parts(permission: str) -> tuple[str, str, str]:
    """Return group, resource and verb of a permission of the table."""
    path, _, verb = permission.rpartition(":")
    head, slash, rest = path.partition("/")
    grouped = slash and ("." in head or head in ("batch", "apps"))
    return (head, rest, verb) if grouped else ("", path, verb)


def rule_has(rule: Mapping[str, Any], permission: str) -> bool:
    """Tell whether a rule names a permission, whatever its resource names."""
    group, resource, verb = permission_parts(permission)
    sub = f"*/{resource.partition('/')[2]}" if "/" in resource else ""
    return (
        bool({group, "*"} & set(rule.get("apiGroups") or ()))
        and bool({resource, "*", sub} & set(rule.get("resources") or ()))
        and bool({verb, "*"} & set(rule.get("verbs") or ()))
    )


def rules_for(bundle: Document, who: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield (namespace, rule, where) of all rules that hold for an identity; no namespace is all of them."""
    roles = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in bundle["objects"]
        if not each["kind"].endswith("Binding")
    }
    for each in bundle["objects"]:
        if not each["kind"].endswith("Binding") or who not in subjects(each):
            continue
        space = each["metadata"].get("namespace", "") if each["kind"] == "RoleBinding" else ""
        kind, name = each["roleRef"]["kind"], each["roleRef"]["name"]
        role = roles.get((kind, space if kind == "Role" else "", name))
        for index, rule in enumerate((role or {}).get("rules") or ()):
            yield space, rule, f"{kind} {name}, rules[{index}]"


def subjects(binding: Mapping[str, Any]) -> list[str]:
    """Return the identities that a binding names."""
    found = []
    for each in binding.get("subjects") or ():
        if each.get("kind") == "ServiceAccount":
            space = each.get("namespace") or binding["metadata"].get("namespace", "")
            found.append(f"system:serviceaccount:{space}:{each['name']}")
        else:
            found.append(f"{'group:' if each.get('kind') == 'Group' else ''}{each['name']}")
    return found


def kubernetes_allows(bundle: Document, who: str, permission: str, resource: str, _context: Context) -> bool:
    """Tell whether an identity has a permission on ``namespace/name``."""
    space, _, name = resource.partition("/")
    verb = permission_parts(permission)[2]
    for where, rule, _place in rules_for(bundle, who):
        named = rule.get("resourceNames") or ()
        if (
            where in ("", space)
            and rule_has(rule, permission)
            and (not named or (name in named and verb not in _NAMELESS))
        ):
            return True
    return False


def kubernetes_permissions(bundle: Document, who: str, known: Collection[str]) -> frozenset[str]:
    """Return those of ``known`` that some rule allows an identity."""
    rules = [rule for _space, rule, _place in rules_for(bundle, who)]
    return frozenset(name for name in known if any(rule_has(rule, name) for rule in rules))


@dataclass
class KubernetesReader:
    """Turns a bundle into identities; only what holds in the source's namespace is read."""

    table: Table
    place: Place
    untranslated: list[Untranslated] = field(default_factory=list)

    def read(self, bundle: Document) -> Read:
        """Return the identities of a bundle."""
        bindings = [each for each in bundle["objects"] if each["kind"].endswith("Binding")]
        everybody = sorted({who for each in bindings for who in subjects(each)})
        return Read(tuple(self._identity(bundle, who) for who in everybody), tuple(self.untranslated), bundle)

    def _identity(self, bundle: Document, who: str) -> Identity:
        allows = []
        for space, rule, where in rules_for(bundle, who):
            if space not in ("", self.place.account):
                self._note(who, where, f"in the namespace {space}", where)
                continue
            known = frozenset(name for name in self.table.permissions("kubernetes") if rule_has(rule, name))
            names = rule.get("resourceNames") or ()
            if names:
                known = frozenset(name for name in known if permission_parts(name)[2] not in _NAMELESS)
            region: Region = union(within(name) for name in names) if names else ALWAYS
            kinds = {
                each.kind
                for each in self.table.operations
                if any(w & known for w in each.ways.get("kubernetes", ()))
            }
            allows.append(Statement(known, dict.fromkeys(kinds, region), where))
            named = {permission_parts(each)[1] for each in known}
            for resource in rule.get("resources") or ():
                if resource not in named or "*" in (rule.get("verbs") or ()):
                    self._note(
                        who,
                        f"{resource}: {', '.join(rule.get('verbs') or ())}",
                        "beyond the table of operations",
                        where,
                    )
        return Identity(who, tuple(allows))

    def _note(self, who: str, what: str, detail: str, where: str) -> None:
        self.untranslated.append(Untranslated(who, what, "no_counterpart", detail, BY_HAND, where))


@dataclass
class KubernetesWriter(Plain):
    """Writes for one namespace."""

    names: Names
    mapped: Mapped
    platform: str = "kubernetes"

    def identity(self, source: str) -> str:
        """Return the service account: the mapped one, else one of a name made of the source's."""
        made = f"system:serviceaccount:{self.names.target.account}:{plain_name(source, 60)}"
        return self.names.identities.get(source, made)

    def above(self, scope: str, other: str) -> bool:
        """Tell whether ``scope`` (a namespace, or a name in it) is ``other`` or above it."""
        return other == scope or other.startswith(f"{scope}/")

    def spot(self, kind: Kind, clause: Clause) -> Spot | Refusal:
        """Return the namespace, or the one name in it."""
        wanted, barred, tests = split_clause(clause)
        if tests:
            return unconditional(tests[0])
        name = single_region(self.names, wanted[0]) if len(wanted) == 1 else "*" if not wanted else None
        if barred or name is None or not (name == "*" or (is_literal(name) and "/" not in name)):
            return too_narrow(kind, " and ".join([*wanted, *(f"not {each}" for each in barred)]))
        name = name if name == "*" else self._name(kind, wanted[0], name)
        return Spot(self.names.target.account + ("" if name == "*" else f"/{name}"))

    def _name(self, kind: Kind, neutral: str, name: str) -> str:
        return self.mapped.others.get((kind.name, neutral), name).rpartition("/")[2]

    def native(self, kind: Kind, name: str) -> str | None:
        """Return ``namespace/name`` of what a neutral name means."""
        last = single_region(self.names, name)
        return None if last is None else f"{self.names.target.account}/{self._name(kind, name, last)}"

    def documents(self, grants: Sequence[Grant]) -> Document:
        """Return roles and bindings of the namespace."""
        roles: dict[str, Document] = {}
        bindings: list[Document] = []
        for grant in grants:
            space, _, name = grant.spot.scope.partition("/")
            title = self.role_name(grant)
            meta = {"name": title, "namespace": space}
            rules = [_rule(each, name) for each in sorted(grant.permissions)]
            roles[title] = {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules}
            _, _, owner, account = grant.identity.split(":", 3)
            whose = name_of((), grant.identity).rpartition("_")[2]
            bindings.append(
                {
                    "apiVersion": f"{_RBAC}/v1",
                    "kind": "RoleBinding",
                    "metadata": {"name": f"{title}-{whose}", "namespace": space},
                    "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": owner}],
                    "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": title},
                }
            )
        return {"platform": "kubernetes", "objects": [*roles.values(), *bindings]}

    def role_name(self, grant: Grant) -> str:
        """Return the name of the role, which holds the resource's name, too."""
        return name_of(grant.permissions, grant.spot.scope.partition("/")[2]).replace("_", "-")

    def allows(self, bundle: Document, who: str, permission: str, resource: str, context: Context) -> bool:
        """Ask Kubernetes' evaluator."""
        return kubernetes_allows(bundle, who, permission, resource, context)


def _rule(permission: str, name: str) -> Document:
    group, resource, verb = permission_parts(permission)
    rule: Document = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    return {**rule, "resourceNames": [name]} if name else rule
