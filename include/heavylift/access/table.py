"""The table of operations: which permissions of each platform allow the same act."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from heavylift.access.globs import matches
from heavylift.facts.tables import overridden

NOTHING_NEEDED = "-"
PLATFORMS = ("aws", "gcp", "azure", "kubernetes")


@dataclass(frozen=True)
class Operation:
    """One act, the kind of resource it is done to, and the permissions that allow it.

    :param ways: for each platform, alternatives; each is a set of permissions that are needed together.
        Absent where the platform has no counterpart.
    :param free: platforms on which nothing is needed for it.
    """

    name: str
    kind: str
    ways: dict[str, tuple[frozenset[str], ...]]
    free: frozenset[str]
    note: str
    verified: bool

    def __hash__(self) -> int:
        return hash(self.name)

    def allowed_by(self, platform: str, permissions: Iterable[str]) -> bool:
        """Tell whether ``permissions`` together allow it."""
        given = frozenset(permissions)
        return any(way <= given for way in self.ways.get(platform, ()))


@dataclass(frozen=True)
class Kind:
    """A kind of resource, and how each platform names it.

    :param bound: Google lets permissions be granted on it alone.
    :param conditional: Google's conditions know its name.
    """

    name: str
    templates: dict[str, str]
    bound: bool
    conditional: bool

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Table:
    """Operations and kinds."""

    operations: tuple[Operation, ...]
    kinds: dict[str, Kind]

    def permissions(self, platform: str) -> frozenset[str]:
        """Return all permissions of a platform that the table knows."""
        return _permissions(self.operations, platform)

    def allowed(self, platform: str, permissions: Iterable[str]) -> frozenset[str]:
        """Return the names of the operations that ``permissions`` together allow."""
        given = frozenset(permissions)
        return frozenset(each.name for each in self.operations if each.allowed_by(platform, given))


@cache
def _permissions(operations: tuple[Operation, ...], platform: str) -> frozenset[str]:
    return frozenset(name for each in operations for way in each.ways.get(platform, ()) for name in way)


@cache
def load_table(folder: Path | None = None) -> Table:
    """Return the built-in table, with the rows of ``folder`` in their place."""
    operations = []
    for row in overridden("access_operations.csv", folder):
        ways, free = {}, set()
        for platform in PLATFORMS:
            cell = row[platform].strip()
            if cell == NOTHING_NEEDED:
                free.add(platform)
            elif cell:
                ways[platform] = tuple(frozenset(way.split("+")) for way in cell.split("|"))
        operations.append(
            Operation(
                row["operation"], row["kind"], ways, frozenset(free), row["note"], row["verified"] == "yes"
            )
        )
    kinds = {
        row["kind"]: Kind(
            row["kind"],
            {name: row[name] for name in ("aws", "gcp", "azure")},
            row["gcp_bind"] == "yes",
            row["gcp_condition"] == "yes",
        )
        for row in overridden("access_kinds.csv", folder)
    }
    return Table(tuple(operations), kinds)


@cache
def aws_actions() -> tuple[str, ...]:
    """Return all actions of AWS, as its service authorization reference lists them."""
    data = files("heavylift.facts").joinpath("data", "aws_actions.txt.gz").read_bytes()
    return tuple(gzip.decompress(data).decode().split())


@cache
def _of_service(service: str) -> tuple[str, ...]:
    return tuple(name for name in aws_actions() if name.partition(":")[0].lower() == service)


@cache
def expand_action(pattern: str) -> frozenset[str]:
    """Return the actions that a pattern of AWS's matches; case does not count."""
    service = pattern.partition(":")[0].lower()
    near = aws_actions() if "*" in service or "?" in service else _of_service(service)
    return frozenset(name for name in near if matches(pattern, name, ignore_case=True))
