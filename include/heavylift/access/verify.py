"""Compares what the target allows with what was translated, permission by permission."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from heavylift.access.aws_read import boundary_levels, statements
from heavylift.access.azure_evaluate import role_id
from heavylift.access.documents import read_documents, unusable
from heavylift.access.kubernetes_rbac import rules_for, subjects
from heavylift.access.model import Document, Place
from heavylift.access.platforms import bundle_of
from heavylift.access.table import expand_action
from heavylift.errors import SpecError
from heavylift.evidence.access_records import AccessDifference, AccessRecord, AccessVerification
from heavylift.evidence.records import MAX_LISTED, RunKey


@dataclass(frozen=True, order=True)
class Held:
    """One permission that an identity has somewhere."""

    identity: str
    permission: str
    scope: str
    condition: str


def verify_access(record: AccessRecord, found: Iterable[tuple[str, Any]], run: RunKey) -> AccessVerification:
    """Compare documents of the target with a translation; nothing is changed.

    Identities that the translation does not name are not looked at.

    :param found: (file, document) for each of the target's documents.
    :raises SpecError: a document cannot be used, or says nothing of any identity of the translation.
    """
    place = Place(record.target, record.target_account)
    there = held(record.target, bundle_of(place, found))
    wanted = held(record.target, record.documents)
    ours = {each.target for each in record.identities}
    real = {each for each in there if each.identity in ours}
    if wanted and not there:
        raise SpecError(
            "verifying the target's permissions",
            got="documents in which nobody has any",
            expected=f"those of {record.target} {record.target_account}",
            state="nothing was compared",
            remedy="export the target's policies, with their roles",
            code="8107",
        )
    differences = [
        *(_difference("missing", each, "apply the translation again") for each in sorted(wanted - real)),
        *(_difference("extra", each, "take it away, or translate again from a source that has it")
          for each in sorted(real - wanted)),
    ]  # fmt: skip
    return AccessVerification(
        run=run,
        digest=record.digest,
        compared=len(wanted | real),
        difference_count=len(differences),
        differences=tuple(differences[:MAX_LISTED]),
        passed=not differences,
    )


def read_translation(path: Path) -> AccessRecord:
    """Return the translation that a file holds.

    :raises SpecError: it holds none.
    """
    try:
        return AccessRecord.model_validate(read_documents(path))
    except ValidationError as error:
        raise unusable(
            str(path),
            f"{error.error_count()} fields that do not fit",
            "a translation",
            "give what --out wrote",
        ) from error


def _difference(kind: Any, each: Held, remedy: str) -> AccessDifference:
    return AccessDifference(
        kind=kind,
        identity=each.identity,
        permission=each.permission,
        scope=each.scope,
        condition=each.condition,
        remedy=remedy,
    )


def held(platform: str, bundle: Document) -> set[Held]:
    """Return every permission of every identity of a bundle."""
    return set(_HELD[platform](bundle))


def _aws(bundle: Document) -> Iterator[Held]:
    for identity in bundle["identities"]:
        for missing in identity.get("missing", ()):
            yield Held(identity["id"], missing, "", "")
        for policy in identity.get("policies", ()):
            for each in statements(policy["document"], policy["name"]):
                yield from _statement(identity["id"], each)
        if boundary_levels(identity):
            yield Held(identity["id"], "a boundary", "", "")


def _statement(who: str, given: Mapping[str, Any]) -> Iterator[Held]:
    condition = json.dumps(given["Condition"], sort_keys=True) if given.get("Condition") else ""
    sign = "" if given.get("Effect") == "Allow" else "denied: "
    actions = _list(given.get("Action", given.get("NotAction")))
    names = {name for each in actions for name in expand_action(each)}
    if "NotAction" in given:
        names = set(expand_action("*")) - names
    key = "Resource" if "Resource" in given else "NotResource"
    for resource in _list(given.get(key)):
        scope = resource if key == "Resource" else f"all but {resource}"
        yield from (Held(who, f"{sign}{name}", scope, condition) for name in names)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _gcp(bundle: Document) -> Iterator[Held]:
    every = [*bundle["roles"], *bundle.get("predefinedRoles", ())]
    roles = {each["name"]: each["includedPermissions"] for each in every}
    for policy in bundle["policies"]:
        for binding in policy["policy"].get("bindings", ()):
            names = roles.get(binding["role"], [f"all of {binding['role']}, whose permissions are not known"])
            condition = (binding.get("condition") or {}).get("expression", "")
            for member in binding.get("members", ()):
                yield from (Held(member, name, policy["resource"], condition) for name in names)


def _azure(bundle: Document) -> Iterator[Held]:
    roles = {role_id(each): each for each in bundle["roleDefinitions"]}
    for each in bundle["roleAssignments"]:
        role = roles.get(str(each["roleDefinitionId"]).lower())
        names = [f"all of {each['roleDefinitionId']}, whose permissions are not known"]
        if role is not None:
            names = [
                f"{'all but ' if key.startswith('not') else ''}{name}"
                for permission in role["permissions"]
                for key in ("actions", "notActions", "dataActions", "notDataActions")
                for name in permission.get(key) or ()
            ]
        scope, condition = each["scope"].rstrip("/").lower(), each.get("condition") or ""
        yield from (Held(each["principalId"], name, scope, condition) for name in names)


def _kubernetes(bundle: Document) -> Iterator[Held]:
    bindings = [each for each in bundle["objects"] if each["kind"].endswith("Binding")]
    for who in {who for each in bindings for who in subjects(each)}:
        for space, rule, _ in rules_for(bundle, who):
            for group in rule.get("apiGroups") or ("",):
                for resource in rule.get("resources") or ():
                    for verb in rule.get("verbs") or ():
                        for name in rule.get("resourceNames") or ("",):
                            head = f"{group}/" if group else ""
                            yield Held(who, f"{head}{resource}:{verb}", f"{space}/{name}".rstrip("/"), "")


_HELD: dict[str, Callable[[Document], Iterator[Held]]] = {
    "aws": _aws,
    "gcp": _gcp,
    "azure": _azure,
    "kubernetes": _kubernetes,
}
