"""Reads AWS's policies: identities with their statements, boundaries, service control policies and trusts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from heavylift.access.aws_names import names_whole_service, neutral_patterns
from heavylift.access.conditions import region_of_conditions
from heavylift.access.documents import known_keys, mapping, several, texts, unusable
from heavylift.access.model import BY_HAND, Document, Identity, Place, Read, Statement, Untranslated
from heavylift.access.regions import ALWAYS, NEVER, Region, atom, union, within
from heavylift.access.table import Table, expand_action

_KEYS = (
    "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal",
    "NotPrincipal",
)  # fmt: skip
_VARIABLE = re.compile(r"\$\{")
_ASSUME = "sts:AssumeRole"
_NAMED = 20
"""Actions without a counterpart that one statement names; the rest is counted."""


@dataclass
class Reader:
    """Turns a bundle into identities, and notes what the table does not know."""

    table: Table
    place: Place
    untranslated: list[Untranslated] = field(default_factory=list)

    def read(self, bundle: Document) -> Read:
        """Return the identities of a bundle (see :func:`heavylift.access.bundles.aws_bundle`)."""
        identities = [self._identity(each) for each in bundle["identities"]]
        return Read(tuple(with_trusts(identities)), tuple(self.untranslated), bundle)

    def _identity(self, given: Mapping[str, Any]) -> Identity:
        who = str(given["id"])
        if given.get("missing"):
            self.untranslated += [_policy_missing(who, each) for each in given["missing"]]
            return Identity(who, trusts=tuple(self._trusts(given.get("trust"), who)))
        allows: list[Statement] = []
        denies: list[Statement] = []
        for policy in given.get("policies", ()):
            for statement, effect in self._policy(policy["document"], f"{who}, {policy['name']}", who):
                (allows if effect == "Allow" else denies).append(statement)
        boundaries = []
        for level in boundary_levels(given):
            allowed: list[Statement] = []
            for document in level:
                for statement, effect in self._policy(document, f"{who}, boundary", ""):
                    (allowed if effect == "Allow" else denies).append(statement)
            boundaries.append(tuple(allowed))
        trusts = tuple(self._trusts(given.get("trust"), who))
        return Identity(who, tuple(allows), tuple(denies), tuple(boundaries), trusts)

    def _policy(self, document: Any, where: str, who: str) -> Iterator[tuple[Statement, str]]:
        for index, given in enumerate(statements(document, where)):
            place = f"{where}, Statement[{index}]"
            effect = check_statement(given, place)
            actions = self._actions(given, place)
            known = actions & self.table.permissions("aws")
            if who and effect == "Allow":
                self._note_unknown(who, actions - self.table.permissions("aws"), place, given)
            kinds = {each.kind for each in self.table.operations if known & _names(each.ways.get("aws", ()))}
            condition = region_of_conditions(given.get("Condition") or {}, place)
            regions = {kind: self._resources(given, kind, place) & condition for kind in kinds}
            yield Statement(known, regions, place), effect

    def _actions(self, given: Mapping[str, Any], where: str) -> frozenset[str]:
        found: set[str] = set()
        for pattern in texts(given.get("Action", given.get("NotAction")), where):
            if ":" not in pattern and pattern.strip("*"):
                raise unusable(where, repr(pattern), "service:Action", "correct the action")
            found |= expand_action(pattern)
        return frozenset(found) if "Action" in given else expand_action("*") - found

    def _resources(self, given: Mapping[str, Any], kind: str, where: str) -> Region:
        key = "Resource" if "Resource" in given else "NotResource"
        bars = (given["Effect"] == "Deny") == (key == "Resource")
        region = union(self._resource(each, kind, bars=bars) for each in texts(given.get(key), where))
        return region if key == "Resource" else ~region

    def _resource(self, arn: str, kind: str, *, bars: bool) -> Region:
        if _VARIABLE.search(arn):
            return atom("ResourceLike", f"aws:{kind}", arn)
        if kind == "account" and bars and names_whole_service(arn):
            return ALWAYS
        patterns = neutral_patterns(self.table.kinds[kind], arn, self.place)
        return union(within(pattern) for pattern in patterns) if patterns else NEVER

    def _note_unknown(self, who: str, unknown: frozenset[str], where: str, given: Mapping[str, Any]) -> None:
        """Note what has no counterpart: a name by itself, what a wildcard matches by its wildcard."""
        if not unknown and "NotAction" in given:
            return
        for pattern in texts(given.get("Action", ["*"]), where):
            matched = sorted(expand_action(pattern) & unknown)
            if not expand_action(pattern):
                self.untranslated.append(_no_action(who, pattern, where))
            elif matched:
                named = pattern if "Action" in given else "NotAction"
                self.untranslated.append(_no_counterpart(who, named, matched, where))

    def _trusts(self, document: Any, who: str) -> Iterator[tuple[str, Region]]:
        if document is None:
            return
        found = list(statements(document, f"{who}, trust policy"))
        denied = any(each.get("Effect") == "Deny" for each in found)
        for index, given in enumerate(found):
            where = f"{who}, trust policy, Statement[{index}]"
            check_statement(given, where, trust=True)
            if given["Effect"] != "Allow":
                continue
            if denied or "NotPrincipal" in given or given.get("Principal") == "*":
                self.untranslated.append(_no_trust(who, "everybody, or with a denial", where))
                continue
            region = region_of_conditions(given.get("Condition") or {}, where)
            for sort, names in mapping(given.get("Principal"), where).items():
                for name in texts(names, where):
                    if sort == "AWS" and name.startswith("arn:"):
                        yield name, region
                    else:
                        self.untranslated.append(_no_trust(who, f"{sort} {name}", where))


def with_trusts(identities: list[Identity]) -> list[Identity]:
    """Return identities that may act as a role only where its trust policy lets them.

    A trust policy that names an identity suffices by itself; one that names the account leaves it to the
    identity's own policies. Roles whose trust policy is not known are left to those, too.
    """
    roles = {each.id.partition(":role/")[2]: each for each in identities if each.trusts}
    if not roles:
        return identities
    unknown = ~union(within(name) for name in roles)
    return [_with_trusts(each, roles, unknown) for each in identities]


def _with_trusts(identity: Identity, roles: Mapping[str, Identity], unknown: Region) -> Identity:
    named, rooted = NEVER, NEVER
    for name, role in roles.items():
        for who, region in role.trusts:
            named |= within(name) & region if who == identity.id else NEVER
            rooted |= within(name) & region if who.endswith(":root") else NEVER
    allows = []
    for each in identity.allows:
        if _ASSUME in each.permissions and "role" in each.regions:
            rest = Statement(each.permissions - {_ASSUME}, each.regions, each.where)
            trusted = each.regions["role"] & (unknown | rooted | named)
            allows += [rest, Statement(frozenset({_ASSUME}), {"role": trusted}, each.where)]
        else:
            allows.append(each)
    if named != NEVER:
        allows.append(Statement(frozenset({_ASSUME}), {"role": named}, "trust policies of roles"))
    return replace(identity, allows=tuple(allows))


def statements(document: Any, where: str) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy.

    :raises SpecError: it is no policy.
    """
    policy = mapping(document, where, "a policy")
    if "Statement" not in policy:
        raise unusable(where, "no Statement", "a policy with Statement", "give the policy's document")
    for index, each in enumerate(several(policy["Statement"], where)):
        yield mapping(each, f"{where}, Statement[{index}]", "a statement")


def check_statement(given: Mapping[str, Any], where: str, *, trust: bool = False) -> str:
    """Return the statement's effect.

    :raises SpecError: it is not what AWS takes, so that what it means is not certain.
    """
    known_keys(given, _KEYS, where)
    if given.get("Effect") not in ("Allow", "Deny"):
        raise unusable(where, repr(given.get("Effect")), "Effect Allow or Deny", "correct Effect")
    pairs = [("Action", "NotAction")] + ([] if trust else [("Resource", "NotResource")])
    for pair in pairs:
        if sum(key in given for key in pair) != 1:
            raise unusable(
                where, f"{sum(key in given for key in pair)} of them", f"exactly one of {' and '.join(pair)}",
                "correct the statement",
            )  # fmt: skip
        for key in pair:
            # Nothing would mean everything in a NotAction; AWS refuses it, too.
            if key in given and not given[key]:
                raise unusable(where, f"{key} {given[key]!r}", "at least one", "correct the statement")
    if "Condition" in given:
        mapping(given["Condition"], f"{where}, Condition", "conditions")
    if not trust and ("Principal" in given or "NotPrincipal" in given):
        raise unusable(
            where,
            "Principal",
            "an identity's policy, which has none",
            "give policies of identities, not of resources",
        )
    return str(given["Effect"])


def boundary_levels(given: Mapping[str, Any]) -> list[list[Any]]:
    """Return what must allow a request, too: at each level at least one document."""
    levels = [[given["boundary"]]] if given.get("boundary") is not None else []
    return [*levels, *(each if isinstance(each, list) else [each] for each in given.get("scps") or ())]


def _names(ways: tuple[frozenset[str], ...]) -> frozenset[str]:
    return frozenset().union(*ways)


def _no_action(who: str, name: str, where: str) -> Untranslated:
    return Untranslated(
        who, name, "unknown_action", "AWS's reference knows no such action", "correct the name", where
    )


def _no_counterpart(who: str, pattern: str, matched: list[str], where: str) -> Untranslated:
    more = f" and {len(matched) - _NAMED:,} more" if len(matched) > _NAMED else ""
    return Untranslated(
        who,
        pattern,
        "no_counterpart",
        f"not in the table of operations: {', '.join(matched[:_NAMED])}{more}",
        BY_HAND,
        where,
    )


def _policy_missing(who: str, what: str) -> Untranslated:
    return Untranslated(
        who,
        "all permissions",
        "policy_missing",
        f"{what} is attached, and its document is not among those given; it may deny, too",
        "give its document: aws iam get-account-authorization-details without --filter has it",
    )


def _no_trust(who: str, principal: str, where: str) -> Untranslated:
    return Untranslated(
        who,
        principal,
        "trust",
        "only named identities of AWS can be carried over as those who may act as it",
        "set up the target's own way: service agents for services, workload identity for other providers",
        where,
    )
