"""How many cores, how much memory and which accelerators a machine has, so that its use becomes a share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from heavylift.facts.accelerators import load_accelerators

GIB = 2**30
_AWS = re.compile(
    r"^(?:ml\.|db\.|cache\.)?([mcrt])(\d+)[a-z-]*\.(nano|micro|small|medium|large|(\d*)xlarge)$"
)
_FROM = {"m": 4, "c": 5, "r": 5, "t": 2}
"""The first generation of a family whose memory for each core is that of all later ones."""
_GIB_A_CORE = {"m": 4.0, "c": 2.0, "r": 8.0}
_SMALL_GIB = {"nano": 0.5, "micro": 1.0, "small": 2.0, "medium": 4.0, "large": 8.0}


@dataclass(frozen=True)
class Machine:
    """What one machine has; None where nobody knows."""

    vcpu: float | None = None
    memory_bytes: float | None = None
    gpus: int = 0
    gpu_memory_bytes: float | None = None


def machine_of(platform: str, name: str) -> Machine:
    """Return what a type of machine has: by the table of accelerators, else by the rule of its family."""
    return _known(platform, name.lower())


@cache
def _known(platform: str, name: str) -> Machine:
    listed = load_accelerators().find(platform, name) if name else None
    if listed is not None:
        return Machine(
            listed.vcpu,
            None if listed.ram_gib is None else listed.ram_gib * GIB,
            listed.count,
            None if listed.memory_gib_each is None else listed.memory_gib_each * GIB,
        )
    return _of_family(name) if platform == "aws" else Machine()


def _of_family(name: str) -> Machine:
    """Return what AWS's general, compute, memory and burstable families have: cores double with the size."""
    found = _AWS.match(name)
    if found is None or int(found[2]) < _FROM[found[1]]:
        return Machine()
    family, size, times = found[1], found[3], found[4]
    if times is not None:
        vcpu = 4.0 * int(times or 1)
        return Machine(vcpu, vcpu * _GIB_A_CORE.get(family, 4.0) * GIB)
    if family == "t":
        one = found[2] == "2" and size in ("nano", "micro", "small")
        return Machine(1.0 if one else 2.0, _SMALL_GIB[size] * GIB)
    return Machine(2.0, 2.0 * _GIB_A_CORE[family] * GIB) if size == "large" else Machine()
