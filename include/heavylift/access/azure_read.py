"""Reads Azure RBAC: role definitions, assignments with conditions, deny assignments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavylift.access import azure_conditions as conditions
from heavylift.access.azure_evaluate import granted, names_principal, role_id
from heavylift.access.azure_names import PARTS, action_of
from heavylift.access.documents import first_keys, mapping, several, texts, unusable
from heavylift.access.globs import is_literal, matches
from heavylift.access.model import BY_HAND, Document, Identity, Place, Read, Statement, Untranslated
from heavylift.access.regions import ALWAYS, NEVER, Region, atom, union, within
from heavylift.access.table import Table
from heavylift.access.tokens import NotUnderstoodError

_KEYS = ("roleDefinitions", "roleAssignments", "denyAssignments")
_ACTIONS = ("actions", "notActions", "dataActions", "notDataActions")
_NAMED = 20


def azure_bundle(found: Iterable[tuple[str, Any]]) -> Document:
    """Return a bundle of what files hold.

    :param found: (file, document) for each: lists as ``az role definition list``, ``az role assignment list``
        and the REST interface's ``denyAssignments`` print them, or ``{"roleDefinitions", …}``.
    :raises SpecError: something is none of them.
    """
    bundle: Document = {"platform": "azure", **{key: [] for key in _KEYS}}
    for where, document in found:
        whole = document["value"] if isinstance(document, Mapping) and "value" in document else document
        for each in several(whole, where):
            given = mapping(each, where, "a role, an assignment or a denial")
            if any(key in given for key in _KEYS):
                for key in _KEYS:
                    bundle[key] += [_flat(one, where) for one in several(given.get(key), where)]
                continue
            flat = _flat(given, where)
            key = next((name for name, sign in _SIGNS.items() if sign in flat), "")
            if not key:
                raise unusable(
                    where, first_keys(given), "role definitions or assignments",
                    "give az role definition list and az role assignment list --all, as JSON",
                )  # fmt: skip
            bundle[key].append(flat)
    _check(bundle)
    return bundle


_SIGNS = {"roleAssignments": "principalId", "denyAssignments": "principals", "roleDefinitions": "permissions"}


def _flat(given: Any, where: str) -> Document:
    """Return what REST answers nest under ``properties`` beside the id."""
    each = dict(mapping(given, where))
    return {
        **{k: v for k, v in each.items() if k != "properties"},
        **mapping(each.get("properties") or {}, where),
    }


def _check(bundle: Document) -> None:
    for each in bundle["roleAssignments"]:
        where = f"assignment {each.get('id', each.get('name', ''))}"
        texts([each.get("principalId"), each.get("roleDefinitionId"), each.get("scope")], where)
        if each.get("condition"):
            texts(each["condition"], where)
    for key in ("roleDefinitions", "denyAssignments"):
        for each in bundle[key]:
            where = f"{key} {each.get('id', each.get('name', each.get('roleName', '')))}"
            for permission in several(each.get("permissions"), where):
                for name in _ACTIONS:
                    texts(mapping(permission, where).get(name), f"{where}, {name}")


@dataclass
class AzureReader:
    """Turns a bundle into identities."""

    table: Table
    place: Place
    untranslated: list[Untranslated] = field(default_factory=list)

    def read(self, bundle: Document) -> Read:
        """Return the identities of a bundle."""
        roles = {role_id(each): each for each in bundle["roleDefinitions"]}
        allows: dict[str, list[Statement]] = {}
        for each in bundle["roleAssignments"]:
            who, role = each["principalId"], roles.get(str(each["roleDefinitionId"]).lower())
            where = f"assignment of {each['roleDefinitionId'].rpartition('/')[2]} at {each['scope']}"
            if role is None:
                self._note(
                    who, each["roleDefinitionId"], "role_unknown", "its definition is not in the documents",
                    "add the output of: az role definition list --output json", where,
                )  # fmt: skip
                continue
            self._note_unknown(who, role, where)
            found = self._statements(role, each["scope"], each.get("condition"), where)
            allows.setdefault(who, []).extend(found)
        identities = tuple(
            Identity(who, tuple(given), tuple(self._denials(bundle, who)))
            for who, given in sorted(allows.items())
        )
        return Read(identities, tuple(self.untranslated), bundle)

    def _denials(self, bundle: Document, who: str) -> Iterator[Statement]:
        for each in bundle["denyAssignments"]:
            if names_principal(each, who):
                where = f"denial {each.get('denyAssignmentName', '')}"
                yield from self._statements(each, each["scope"], None, where)

    def _statements(
        self, role: Mapping[str, Any], scope: str, condition: str | None, where: str
    ) -> Iterator[Statement]:
        """Yield a statement for each permission: conditions part them."""
        for name in sorted(granted(role, self.table.permissions("azure"))):
            kinds = {
                each.kind
                for each in self.table.operations
                if any(name in way for way in each.ways.get("azure", ()))
            }
            regions = {
                kind: self._scope(kind, scope) & self._condition(condition, name, kind, scope)
                for kind in kinds
            }
            yield Statement(frozenset({name}), regions, where)

    def _scope(self, kind: str, scope: str) -> Region:
        head, found, container = scope.partition("/blobServices/default/containers/")
        if found:
            return {"object": within(f"{container}/*"), "bucket": within(container)}.get(kind, NEVER)
        if self.place.vault and scope.lower().startswith(f"{self.place.vault.lower()}/"):
            sort, _, name = scope[len(self.place.vault) + 1 :].partition("/")
            return within(name) if {"secrets": "secret", "keys": "key"}.get(sort) == kind else NEVER
        account = self.place.account.rstrip("/").lower()
        if account == head.rstrip("/").lower() or account.startswith(f"{head.rstrip('/').lower()}/"):
            return ALWAYS
        roots = {"object": self.place.storage, "bucket": self.place.storage, "new_bucket": self.place.storage,
                 "secret": self.place.vault, "key": self.place.vault}  # fmt: skip
        root = roots.get(kind, "")
        return ALWAYS if root and root.lower() == scope.rstrip("/").lower() else NEVER

    def _condition(self, condition: str | None, permission: str, kind: str, scope: str) -> Region:
        if not condition:
            return ALWAYS
        container = scope.partition("/blobServices/default/containers/")[2]
        try:
            return conditions.read(condition, _Regions(permission, kind, container))
        except NotUnderstoodError:
            return atom("cel", f"azure:{kind}", condition)

    def _note(self, who: str, what: str, reason: str, detail: str, remedy: str, where: str) -> None:
        self.untranslated.append(Untranslated(who, what, reason, detail, remedy, where))

    def _note_unknown(self, who: str, role: Mapping[str, Any], where: str) -> None:
        known = {action_of(each) for each in self.table.permissions("azure")}
        for permission in role.get("permissions", ()):
            for pattern in [*(permission.get("actions") or ()), *(permission.get("dataActions") or ())]:
                if pattern not in known:
                    matched = [each for each in sorted(known) if matches(pattern, each, ignore_case=True)]
                    detail = f"of it the table of operations knows {', '.join(matched[:_NAMED]) or 'nothing'}"
                    self._note(
                        who, pattern, "no_counterpart", detail,
                        BY_HAND, where,
                    )  # fmt: skip


@dataclass(frozen=True)
class _Regions:
    """A condition as a region, for one permission on one kind of resource."""

    permission: str
    kind: str
    container: str

    def matched(self, what: str, value: str) -> Region:
        given = PARTS.get(self.permission, "") if what.startswith("Sub") else action_of(self.permission)
        return ALWAYS if matches(value, given, ignore_case=True) else NEVER

    def either(self, parts: Sequence[Region]) -> Region:
        return union(parts)

    def every(self, parts: Sequence[Region]) -> Region:
        result = ALWAYS
        for each in parts:
            result &= each
        return result

    def negated(self, part: Region) -> Region:
        return ~part

    def test(self, attribute: str, operator: str, value: str) -> Region:
        if attribute == conditions.NOW and operator.startswith("DateTime"):
            how = operator.removeprefix("DateTime")
            less = how in ("LessThan", "GreaterThanEquals")
            date = atom("DateLessThan" if less else "DateLessThanEquals", "time", value)
            return date if how.startswith("Less") else ~date
        if "Not" in operator:
            return ~self.test(attribute, operator.replace("Not", ""), value)
        if operator != "StringLike" and not is_literal(value):
            raise NotUnderstoodError(value)
        pattern = f"{value}*" if operator == "StringStartsWith" else value
        if attribute == conditions.PREFIX and value:
            literal = is_literal(pattern)
            return atom("StringEquals" if literal else "StringLike", "list_prefix", pattern)
        if attribute == conditions.PATH and self.kind == "object" and self.container:
            return within(f"{self.container}/{pattern}")
        if attribute == conditions.CONTAINER and self.kind in ("object", "bucket") and is_literal(pattern):
            return within(f"{pattern}/*" if self.kind == "object" else pattern)
        raise NotUnderstoodError(attribute)
