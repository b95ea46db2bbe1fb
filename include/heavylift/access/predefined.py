"""Predefined roles of the target in the place of a custom one, within a stated excess."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.access.documents import mapping, read_documents, several, texts, unusable
from heavylift.access.table import Table


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


def cheapest(
    roles: Iterable[Predefined],
    permissions: frozenset[str],
    here: Collection[str],
    table: Table,
    platform: str,
    max_excess: int,
) -> Predefined | None:
    """Return the role that covers ``permissions`` with the least excess, None where none is within the bound.

    Excess is counted in permissions: those beyond what is needed, whether the table knows them or not.
    """
    found = [
        (len(role.permissions - permissions), role.name, role)
        for role in roles
        if permissions <= role.permissions and len(role.permissions - permissions) <= max_excess
    ]
    return min(found)[2] if found else None
