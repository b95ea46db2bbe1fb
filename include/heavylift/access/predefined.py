"""Predefined roles of the target in the place of a custom one, within a stated excess."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.access.documents import mapping, read_documents, several, texts, unusable


@dataclass(frozen=True)
class Predefined:
    """A role that the platform defines."""

    name: str
    permissions: frozenset[str]


def read_predefined(path: Path | None) -> tuple[Predefined, ...]:
    """Return the roles of a file: what ``gcloud iam roles list`` or ``describe`` prints as JSON.

    :raises SpecError: it is none.
    """
    if path is None:
        return ()
    found = []
    for each in several(read_documents(path), str(path)):
        role: Any = mapping(each, str(path), "a role")
        if "name" not in role or "includedPermissions" not in role:
            raise unusable(
                str(path), "a role without name or includedPermissions", "roles with both",
                "list them with their permissions: gcloud iam roles describe NAME --format=json",
            )  # fmt: skip
        names = texts([role["name"], *several(role["includedPermissions"], str(path))], str(path))
        found.append(Predefined(names[0], frozenset(names[1:])))
    return tuple(found)


def cover(
    roles: Iterable[Predefined], permissions: frozenset[str], max_excess: int
) -> tuple[Predefined, ...]:
    """Return roles that together have ``permissions``, with few others; none where that takes more excess.

    Greedy: at each step the role with the fewest new excess permissions for each that it newly covers.
    Excess is counted in permissions, whether the table knows them or not.
    """
    chosen: list[Predefined] = []
    left, beyond = set(permissions), set[str]()
    candidates = [each for each in roles if each.permissions & permissions]
    while left:
        useful = [each for each in candidates if each.permissions & left]
        if not useful:
            return ()
        best = min(useful, key=lambda each: _price(each, permissions, left, beyond))
        chosen.append(best)
        left -= best.permissions
        beyond |= best.permissions - permissions
        if len(beyond) > max_excess:
            return ()
    return tuple(chosen)


def _price(
    role: Predefined, permissions: frozenset[str], left: set[str], beyond: set[str]
) -> tuple[float, str]:
    return len(role.permissions - permissions - beyond) / len(role.permissions & left), role.name
