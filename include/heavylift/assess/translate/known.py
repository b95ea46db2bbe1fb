"""What people know of components that no platform tells: the spec's entries, looked up by id or name."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from heavylift.evidence.assess_input import AcceleratorUse
from heavylift.spec.sections_assess import AssessComponent

_FIELDS = {
    "owner": "owner",
    "service": "service",
    "size": "size_bytes",
    "objects": "objects",
    "largest_object": "largest_object_bytes",
    "change_per_day": "change_bytes_per_day",
    "downtime": "downtime_seconds",
    "rpo": "rpo_seconds",
    "rto": "rto_seconds",
    "reverse_sync": "reverse_sync",
    "sync_key": "sync_key",
    "hard_deletes": "hard_deletes",
    "log_access": "log_access",
    "log_retention": "log_retention_seconds",
    "partitions": "partitions",
    "replicas": "replicas",
    "monthly_usd": "monthly_usd",
}
"""Field of an entry → field of a plan's component."""


class Known:
    """Finds entries; most name one component, so only those with a pattern are tried one by one."""

    def __init__(self, entries: Iterable[AssessComponent]) -> None:
        self._exact: dict[str, list[tuple[int, AssessComponent]]] = {}
        self._patterns: list[tuple[int, AssessComponent]] = []
        self._met: set[int] = set()
        self._all = list(entries)
        for number, entry in enumerate(self._all):
            if any(sign in entry.match for sign in "*?["):
                self._patterns.append((number, entry))
            else:
                self._exact.setdefault(entry.match, []).append((number, entry))

    def of(self, id: str, name: str) -> dict[str, Any]:
        """Return what is known of one component; of two entries that name one field, the later one's."""
        found = [*self._exact.get(id, ()), *(self._exact.get(name, ()) if name != id else ())]
        found += [
            pair
            for pair in self._patterns
            if fnmatchcase(id, pair[1].match) or fnmatchcase(name, pair[1].match)
        ]
        known: dict[str, Any] = {}
        for number, entry in sorted(found, key=lambda pair: pair[0]):
            self._met.add(number)
            known |= _fields(entry)
        return known

    @property
    def unmet(self) -> tuple[str, ...]:
        """Entries that have met no component."""
        return tuple(entry.match for number, entry in enumerate(self._all) if number not in self._met)


def _fields(entry: AssessComponent) -> dict[str, Any]:
    known = {field: value for name, field in _FIELDS.items() if (value := getattr(entry, name)) is not None}
    known |= {name: getattr(entry, name) for name in ("residency", "formats") if getattr(entry, name)}
    if entry.instance_type or entry.memory_gib:
        known["accelerator"] = AcceleratorUse(
            instance_type=entry.instance_type or "", memory_gib_each=entry.memory_gib
        )
    return known
