"""What terraform is about to do: read from its saved plan, with a digest that an approval binds to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.evidence.canonical import canonical_json


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    :param act: create, update, replace, delete, or forget.
    :param fields: names of attributes that change; values are never kept, for some are secret.
    """

    address: str
    type: str
    act: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """A plan of terraform's for one root.

    :param digest: over everything that it would do, values included; the same plan has the same digest.
    :param outputs: values that other roots ask for are not in the state yet, or are others.
    :param drifted: what is on the platform other than the state says.
    """

    root: str
    digest: str
    destroy: bool
    changes: tuple[Change, ...]
    drifted: tuple[Change, ...]
    outputs: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing would be done on the platform."""
        return not self.changes

    def count(self, act: str) -> int:
        """Return how many resources an act is for."""
        return sum(each.act == act for each in self.changes)

    @property
    def counts(self) -> dict[str, int]:
        """Changes by act; they add up to all changes."""
        return {
            act: n for act in ("create", "update", "replace", "delete", "forget") if (n := self.count(act))
        }


def planned_of(root: str, document: Mapping[str, Any], *, destroy: bool) -> Planned:
    """Return the plan that ``terraform show -json`` tells of."""
    changes = [each for each in document.get("resource_changes", ()) if _act(each)]
    drifted = [each for each in document.get("resource_drift", ()) if _act(each)]
    told = {
        "root": root,
        "destroy": destroy,
        "changes": [{"address": each["address"], **each["change"]} for each in changes],
        "outputs": document.get("output_changes", {}),
    }
    return Planned(
        root,
        hashlib.sha256(canonical_json(told)).hexdigest(),
        destroy,
        tuple(_change(each) for each in changes),
        tuple(_change(each) for each in drifted),
        any(each["actions"] != ["no-op"] for each in document.get("output_changes", {}).values()),
    )


def _act(each: Mapping[str, Any]) -> str:
    actions = each["change"]["actions"]
    if len(actions) == 2:
        return "replace"
    return "" if actions[0] in {"no-op", "read"} else str(actions[0])


def _change(each: Mapping[str, Any]) -> Change:
    before, after = each["change"].get("before") or {}, each["change"].get("after") or {}
    fields = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    act = _act(each)
    return Change(each["address"], each["type"], act, tuple(fields) if act == "update" else ())
