"""What every platform's writer has in common: spots, refusals, and names that were mapped."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from heavylift.access.model import Document, Names
from heavylift.access.regions import Clause, Literal
from heavylift.access.table import Kind, Table


@dataclass(frozen=True, order=True)
class Spot:
    """A scope on the target, and the conditions under which permissions are granted there.

    :param terms: in the target's language; all must hold.
    """

    scope: str
    terms: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """Why a clause has no spot on the target."""

    reason: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class Grant:
    """Permissions that one identity gets at one spot.

    :param operations: what they are for.
    :param excess: what they allow beyond that; empty unless an excess was asked for.
    :param role: a predefined role in place of a custom one; empty for a custom one.
    """

    identity: str
    spot: Spot
    permissions: frozenset[str]
    operations: frozenset[str]
    excess: frozenset[str] = frozenset()
    role: str = ""
    where: tuple[str, ...] = ()


class Writer(Protocol):
    """Writes for one platform."""

    platform: str

    def spot(self, kind: Kind, clause: Clause) -> Spot | Refusal:
        """Return where on the target a clause holds."""
        ...

    def identity(self, source: str) -> str:
        """Return the target's name of an identity."""
        ...

    def above(self, scope: str, other: str) -> bool:
        """Tell whether what is granted at ``scope`` is granted at ``other``, too."""
        ...

    def condition(self, grant: Grant) -> str:
        """Return the whole condition of a grant in the target's language; empty where there is none."""
        ...

    def permissions(self, grant: Grant) -> tuple[str, ...]:
        """Return the permissions of a grant as the target calls them."""
        ...

    def role_name(self, grant: Grant) -> str:
        """Return the name of a grant's custom role."""
        ...

    def documents(self, grants: Sequence[Grant]) -> Document:
        """Return the target's own documents, in the form that its evaluator takes."""
        ...

    def native(self, kind: Kind, name: str) -> str | None:
        """Return the target's name of the one resource that a neutral name means, or None."""
        ...

    def allows(self, bundle: Document, who: str, permission: str, resource: str, context: Context) -> bool:
        """Ask the target's evaluator."""
        ...


Context = dict[str, list[str]]


@dataclass
class Mapped:
    """The names that the user mapped, by neutral names.

    :param buckets: names of buckets, source to target.
    :param others: (kind, neutral name) to the target's full name.
    """

    buckets: dict[str, str] = field(default_factory=dict)
    others: dict[tuple[str, str], str] = field(default_factory=dict)

    def bucket(self, name: str) -> str:
        """Return the target's name of a bucket."""
        return self.buckets.get(name, name)


def split_clause(clause: Clause) -> tuple[list[str], list[str], list[Literal]]:
    """Return the patterns that must match, those that must not, and the tests."""
    wanted = sorted(each.atom.pattern for each in clause if each.atom.operator == "match" and each.holds)
    barred = sorted(each.atom.pattern for each in clause if each.atom.operator == "match" and not each.holds)
    return wanted, barred, sorted(each for each in clause if each.atom.operator != "match")


class Plain:
    """What most platforms do alike: permissions have the table's names, terms are joined by ``&&``."""

    def condition(self, grant: Grant) -> str:
        """Return the whole condition of a grant."""
        return " && ".join(sorted(grant.spot.terms))

    def permissions(self, grant: Grant) -> tuple[str, ...]:
        """Return the permissions of a grant as the target calls them."""
        return tuple(sorted(grant.permissions))

    def role_name(self, grant: Grant) -> str:
        """Return the name of a grant's custom role: the same permissions make the same role."""
        return name_of(grant.permissions)


def plain_name(source: str, longest: int = 30) -> str:
    """Return a name for the counterpart of an identity: lower-case letters, digits and hyphens.

    Where something had to be changed, a digest keeps two identities apart.
    """
    last = re.split(r"[/:]", source.split("@", maxsplit=1)[0])[-1]
    made = re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")
    if made == last and 6 <= len(made) <= longest and made[0].isalpha():
        return made
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"hl-{made[: longest - 10]}-{digest}".replace("--", "-")


def name_of(permissions: Iterable[str], apart: str = "") -> str:
    """Return the name of the role with these permissions: whoever needs the same gets the same role.

    :param apart: what else tells roles with the same permissions apart.
    """
    text = "\n".join([apart, *sorted(permissions)])
    return f"heavylift_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def unconditional(literal: Literal) -> Refusal:
    """Return the refusal for a test that the target cannot make."""
    test = literal.atom
    words = f"{'' if literal.holds else 'not '}{test.operator} {test.key} {', '.join(test.values)[:120]}"
    return Refusal(
        "condition",
        f"the target has no such condition: {words}",
        "grant it by hand under a condition that is as narrow, or drop the condition on the source",
    )


def too_narrow(kind: Kind, pattern: str) -> Refusal:
    """Return the refusal for a scope that the target cannot grant on."""
    return Refusal(
        "scope",
        f"the target grants nothing on {kind.name} {pattern!r} alone, and a wider scope would allow more",
        "name its counterpart in the map of names (identities or resources), or grant it by hand",
    )


def single_region(names: Names, pattern: str) -> str | None:
    """Return the name without its region, or None where that would reach into other regions.

    Two regions may each have a resource of one name; on the target there is one.
    """
    region, slash, name = pattern.partition("/")
    if not slash or names.source.platform != "aws":
        return pattern
    return name if region in ("*", names.source.region) else None


def identity_named(names: Names, name: str) -> str | None:
    """Return the counterpart of the identity with a neutral name, None where nobody named it."""
    return next((target for source, target in names.identities.items() if role_name(source) == name), None)


def role_name(identity: str) -> str:
    """Return the neutral name of an identity as a resource."""
    head, found, name = identity.partition(":role/")
    return name if found else head.partition(":")[2] or head


def make_mapped(names: Names, table: Table) -> Mapped:
    """Return the map of resources by neutral names; both sides are in their platforms' own."""
    from heavylift.access.naming import neutral_names

    mapped = Mapped()
    for source, target in names.resources.items():
        for kind, name in neutral_names(table, source, names.source):
            if kind == "bucket":
                mapped.buckets[name] = target.rstrip("/").rpartition("/")[2]
            mapped.others[kind, name] = target
    return mapped
