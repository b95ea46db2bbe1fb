"""Which components are switched together: slices of the moving order, cut by size, downtime and changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.assess.carrying import changes_per_second
from heavylift.assess.strategy import Choice
from heavylift.evidence.assess_input import Component, Constraints

SYNC_SHARE = 0.25
"""How much of the line the changes of one wave may take while they wait for the switch."""

_LIMITS = ("bytes", "components", "downtime", "changes")


@dataclass
class Slice:
    """One wave while it is filled.

    :param groups: numbers of components; a cycle is one group.
    """

    groups: list[tuple[int, ...]]
    load: tuple[float, ...]
    cut: str = "the end of the list"


def cut_waves(
    order: Sequence[tuple[int, ...]],
    components: Sequence[Component],
    choices: Sequence[Choice],
    constraints: Constraints,
    bytes_per_second: float,
) -> list[Slice]:
    """Return the waves: as few as the order allows, each within the limits.

    A slice of the moving order never needs what a later one holds. A group that is too large for any
    wave has one for itself, and its wave says so.
    """
    limits = (
        float(constraints.wave_bytes),
        float(constraints.wave_components),
        max(constraints.downtime_seconds, 1e-9),
        bytes_per_second * SYNC_SHARE,
    )
    waves: list[Slice] = []
    for group in order:
        load = _load(group, components, choices)
        if waves and not (over := _over(_sum(waves[-1].load, load), limits)):
            waves[-1].groups.append(group)
            waves[-1].load = _sum(waves[-1].load, load)
            continue
        if waves:
            waves[-1].cut = f"the next would go beyond its {over}"
        waves.append(Slice([group], load))
    return waves


def _load(
    group: tuple[int, ...], components: Sequence[Component], choices: Sequence[Choice]
) -> tuple[float, ...]:
    changes = (changes_per_second(components[n]) for n in group if choices[n].syncs)
    freeze = (choices[n].way.downtime_seconds for n in group if choices[n].way.strategy != "none")
    return (
        float(sum(components[n].size_bytes for n in group)),
        float(len(group)),
        sum(freeze),
        sum(changes),
    )


def _sum(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _over(load: tuple[float, ...], limits: tuple[float, ...]) -> str:
    return next((word for word, got, most in zip(_LIMITS, load, limits, strict=True) if got > most), "")
