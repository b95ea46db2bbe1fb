"""What a new inventory has that the previous one had not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from heavylift.evidence.inventory_records import Change, Component, InventoryDiff
from heavylift.evidence.records import MAX_LISTED

_FIELDS = tuple(
    field.name
    for field in dataclasses.fields(Component)
    # Use moves it in every run; attributes are compared one by one.
    if field.name not in ("id", "last_used_at", "attributes_json")
)
_RESTLESS = frozenset(
    {
        "LastModifiedTime",
        "LatestRestorableTime",
        "EarliestRestorableTime",
        "EarliestBacktrackTime",
        "LastAccessedDate",
        "RoleLastUsed",
        "LastAccessTime",
        "StateTransitionReason",
        "LastInvokedTime",
        "lastUsedAt",
        "StateUpdatedTimestamp",
        "StateTransitionedTimestamp",
    }
)
"""Attributes that move by themselves."""


def compared(before: Sequence[Component], now: Sequence[Component], previous: str) -> InventoryDiff:
    """Return what appeared, went and changed, by id.

    :param previous: path of the previous record.
    """
    old = {component.id: component for component in before}
    new = {component.id: component for component in now}
    appeared = sorted(new.keys() - old.keys())
    gone = sorted(old.keys() - new.keys())
    both = sorted(new.keys() & old.keys())
    changes = [
        Change(id=id, kind=new[id].kind, fields=fields)
        for id in both
        if new[id] != old[id] and (fields := _changed(old[id], new[id]))
    ]
    return InventoryDiff(
        previous=previous,
        appeared=len(appeared),
        gone=len(gone),
        changed=len(changes),
        unchanged=len(both) - len(changes),
        appeared_ids=tuple(appeared[:MAX_LISTED]),
        gone_ids=tuple(gone[:MAX_LISTED]),
        changes=tuple(changes[:MAX_LISTED]),
    )


def _changed(old: Component, new: Component) -> tuple[str, ...]:
    fields = [name.removesuffix("_json") for name in _FIELDS if getattr(old, name) != getattr(new, name)]
    if old.attributes_json != new.attributes_json:
        fields += _attributes(old.attributes, new.attributes)
    return tuple(fields)


def _attributes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    names = sorted((old.keys() | new.keys()) - _RESTLESS)
    return [f"attributes.{name}" for name in names if old.get(name) != new.get(name)]
