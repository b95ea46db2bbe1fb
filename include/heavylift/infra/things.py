"""What infrastructure is generated from: the plan's components, with what the inventory tells of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.evidence.assess_records import ComponentPlan, Plan
from heavylift.evidence.inventory_records import Component
from heavylift.infra.reading.table import capability_of, settings_of
from heavylift.infra.within import part_of_something

_LAST = re.compile(r"[^/:]+(?=[/:]*\Z)")


@dataclass(frozen=True)
class Thing:
    """One component that gets infrastructure on the target.

    :param apart: why it gets none of its own, and what to do; None where it gets some.
    :param settings: what the source says of it, in neutral words (:mod:`heavylift.infra.reading`).
    """

    id: str
    name: str
    capability: str
    native_type: str
    wave: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    apart: tuple[str, str] | None = None


@dataclass(frozen=True)
class Wanted:
    """All that is to be generated.

    :param digest: the plan's; what was approved.
    """

    migration: str
    source: str
    target: str
    region: str
    digest: str
    things: tuple[Thing, ...]


def wanted_of(
    plan: Plan,
    digest: str,
    components: Iterable[Component],
    instance_types: Mapping[str, str] | None = None,
) -> Wanted:
    """Return what a plan demands, with the settings that the inventory has.

    :param components: of the source's inventory; may be none.
    :param instance_types: chosen by hand: the source's type to the target's.
    """
    known = {each.id: each for each in components}
    chosen = instance_types or {}
    needs: dict[str, set[str]] = defaultdict(set)
    for component, needed in plan.dependencies:
        needs[component].add(needed)
    things = [_thing(each, known.get(each.id), chosen, needs[each.id]) for each in plan.components]
    return Wanted(
        plan.migration, plan.source, plan.target.platform, plan.target.region, digest, tuple(things)
    )


def _thing(
    planned: ComponentPlan, known: Component | None, chosen: Mapping[str, str], needs: Collection[str]
) -> Thing:
    found = dict(settings_of(known)) if known else {}
    instance = chosen.get(str(found.get("instance_type")), "") or planned.accelerator
    if instance:
        found["target_instance"] = instance
    return Thing(
        planned.id,
        (known.name if known else "") or _name_in(planned.id),
        capability_of(planned.capability, known.native_type if known else ""),
        known.native_type if known else "",
        planned.wave,
        found,
        part_of_something(planned.id, known.native_type if known else "", needs),
    )


def _name_in(component: str) -> str:
    last = _LAST.search(component)
    return last[0] if last else component
