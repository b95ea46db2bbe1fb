"""Ways to get more permissions than one has, before and after; on the target there may not be more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from heavylift.evidence.access_records import AccessEscalation
from heavylift.facts.tables import overridden


def known_permissions(platform: str, facts: Path | None) -> frozenset[str]:
    """Return the permissions that the rules for a platform name."""
    return frozenset(
        name
        for row in overridden("access_escalations.csv", facts)
        for way in _ways(row[platform])
        for name in way
    )


def escalations(
    before: Mapping[str, Collection[str]],
    after: Mapping[str, Collection[str]],
    platforms: tuple[str, str],
    facts: Path | None,
) -> list[AccessEscalation]:
    """Return every rule that one side meets for an identity.

    :param before: the source's permissions of each identity, wherever they hold.
    :param after: the target's, under the same keys.
    """
    found = []
    for row in overridden("access_escalations.csv", facts):
        for who in sorted({*before, *after}):
            old = _met(row[platforms[0]], before.get(who, ()))
            new = _met(row[platforms[1]], after.get(who, ()))
            if old or new:
                found.append(
                    AccessEscalation(identity=who, path=row["id"], title=row["title"], before=old, after=new)
                )
    return found


def _ways(cell: str) -> Iterable[frozenset[str]]:
    return [frozenset(way.split("+")) for way in cell.split("|") if way]


def _met(cell: str, permissions: Collection[str]) -> bool:
    given = frozenset(permissions)
    return any(way <= given for way in _ways(cell))
