"""Which instance type of a platform can take over what an accelerator does; never with less than it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from heavylift.facts.services import Level
from heavylift.facts.tables import Row, overridden

_RESERVED = 0.9
"""The same device is listed with its nominal memory by one platform and with what programs get by another."""

_JOINED_GBPS = 400
_MEMORY = re.compile(r"-(\d+)GB$")

_ARM = ("T4G", "GB200", "GB300")
"""Models whose hosts have ARM processors."""

PORTABLE = {"nvidia": "CUDA", "amd": "ROCm"}
"""Vendors whose devices several platforms have, and what programs for them are written in."""


@dataclass(frozen=True)
class InstanceType:
    """One instance type with accelerators; None where the table does not know."""

    provider: str
    name: str
    vendor: str
    model: str
    count: int
    memory_gib_each: float | None
    network_gbps: float | None
    rdma: bool
    usd_per_hour: float | None
    source: str
    verified: str
    date: str
    vcpu: float | None = None
    ram_gib: float | None = None

    @property
    def base_model(self) -> str:
        """The model without the memory that some tables add to its name."""
        return base_of(self.model)

    @property
    def arm(self) -> bool:
        """Whether the host's processor is ARM."""
        return self.model.startswith(_ARM)


@dataclass(frozen=True)
class Need:
    """What a workload needs of its accelerators.

    :param memory_gib_each: None where nobody said; ``stated`` tells whether a person or measurement said
        it, or only the instance type that is used today.
    :param network_gbps: between instances; 0 where the work stays within one.
    """

    vendor: str = "nvidia"
    model: str = ""
    count: int = 1
    memory_gib_each: float | None = None
    stated: bool = False
    network_gbps: float = 0.0
    rdma: bool = False
    arm: bool = False


@dataclass(frozen=True)
class AcceleratorMatch:
    """What takes the place of an accelerator, or why nothing can.

    :param missing: the first thing that no type has: ``memory``, ``interconnect``, ``count``, ``vendor``.
    :param rejected: the nearest types that fall short, each with its reason.
    """

    level: Level
    reason: str
    instance: InstanceType | None = None
    missing: str = ""
    rejected: tuple[tuple[str, str], ...] = ()


class AcceleratorMap:
    """All instance types, as data."""

    def __init__(self, types: Iterable[InstanceType]) -> None:
        self.types = tuple(types)
        self._by_name = {(each.provider, each.name.lower()): each for each in self.types}
        self._known: dict[tuple[Need, str], AcceleratorMatch] = {}

    def find(self, provider: str, name: str) -> InstanceType | None:
        """Return an instance type; SageMaker's ``ml.`` prefix is looked through."""
        return self._by_name.get((provider, name.lower().removeprefix("ml.")))

    def memory_of(self, provider: str, model: str) -> float | None:
        """Return the memory of a device by its name, or as all of a provider's types with it have it."""
        named = _MEMORY.search(model)
        if named:
            return float(named[1])
        theirs = {
            each.memory_gib_each for each in self.types if (each.provider, each.model) == (provider, model)
        }
        return theirs.pop() if len(theirs) == 1 else None

    def match(self, need: Need, target: str) -> AcceleratorMatch:
        """Return the type of ``target`` that takes over what ``need`` tells."""
        if (need, target) not in self._known:
            self._known[need, target] = _match(need, [t for t in self.types if t.provider == target], target)
        return self._known[need, target]


def base_of(model: str) -> str:
    """Return a model's name without the memory that some tables add to it."""
    return re.sub(r"-(?:NVL-)?\d+GB$", "", model)


def load_accelerators(folder: Path | None = None) -> AcceleratorMap:
    """Return the map of accelerators, with the rows of ``folder`` in their place."""
    return AcceleratorMap(_instance(row) for row in overridden("gpu_instances.csv", folder))


def need_of(instance: InstanceType) -> Need:
    """Return what a workload may need that runs on ``instance`` today: all that it has.

    Its network counts only where it was made for work across machines: RDMA and 400 Gbit/s or more.
    """
    joined = instance.rdma and (instance.network_gbps or 0.0) >= _JOINED_GBPS
    return Need(
        vendor=instance.vendor,
        model=instance.base_model,
        count=instance.count,
        memory_gib_each=instance.memory_gib_each,
        network_gbps=(instance.network_gbps or 0.0) if joined else 0.0,
        rdma=joined,
        arm=instance.arm,
    )


def _match(need: Need, types: list[InstanceType], target: str) -> AcceleratorMatch:
    if not types:
        return AcceleratorMatch(
            "none", f"no instance type of {target} is in gpu_instances.csv", None, "table"
        )
    kin = [each for each in types if each.vendor == need.vendor]
    if not kin:
        what = PORTABLE.get(need.vendor, f"{need.vendor}'s own compiler")
        return AcceleratorMatch(
            "none",
            f"{target} has no {need.vendor} device; programs for {what} must be built anew",
            None,
            "vendor",
        )
    judged = [(each, _short_of(need, each)) for each in kin]
    fitting = [each for each, (missing, _) in judged if not missing]
    rejected = tuple((each.name, why) for each, (missing, why) in sorted(judged, key=_nearness) if missing)[
        :3
    ]
    if not fitting:
        return AcceleratorMatch(
            "none", f"no type of {target} fits: {_shortfall(judged)}", None, _first_missing(judged), rejected
        )
    best = min(fitting, key=lambda each: _preference(need, each))
    same = best.base_model == need.model
    memory = "unknown" if best.memory_gib_each is None else f"{best.memory_gib_each:g} GiB"
    asked = "no stated memory" if need.memory_gib_each is None else f"{need.memory_gib_each:g} GiB"
    reason = f"{best.count} x {best.model} with {memory} each for {need.count} with {asked} each" + (
        f", {best.network_gbps:g} Gbit/s for {need.network_gbps:g}" if need.network_gbps else ""
    )
    if not same:
        reason += f"; another model than {need.model or 'today'}: measure before relying on its speed"
    return AcceleratorMatch("equivalent" if same else "partial", reason, best, "", rejected)


def _short_of(need: Need, each: InstanceType) -> tuple[str, str]:
    """Return what ``each`` lacks and in words; empty where it lacks nothing."""
    if each.arm != need.arm:
        return "processor", f"its host has {'an ARM' if each.arm else 'an x86'} processor"
    if need.memory_gib_each is not None:
        least = need.memory_gib_each
        if not need.stated and each.base_model == need.model:
            least *= _RESERVED
        if each.memory_gib_each is None:
            return "memory", "its memory is not known"
        if each.memory_gib_each < least:
            return "memory", f"{each.memory_gib_each:g} GiB each, {need.memory_gib_each:g} GiB needed"
    if each.count < need.count:
        return "count", f"{each.count} devices, {need.count} needed in one machine"
    if need.rdma and not each.rdma:
        return "interconnect", "no RDMA"
    if need.network_gbps and (each.network_gbps or 0.0) < need.network_gbps:
        got = "an unknown rate" if each.network_gbps is None else f"{each.network_gbps:g} Gbit/s"
        return "interconnect", f"{got} between machines, {need.network_gbps:g} needed"
    return "", ""


_ORDER = {"interconnect": 0, "count": 1, "memory": 2, "processor": 3, "": 4}


def _nearness(judged: tuple[InstanceType, tuple[str, str]]) -> tuple[int, float, str]:
    each, (missing, _) = judged
    return _ORDER[missing], -(each.memory_gib_each or 0.0) * each.count, each.name


def _first_missing(judged: list[tuple[InstanceType, tuple[str, str]]]) -> str:
    return min((missing for _, (missing, _) in judged), key=lambda word: _ORDER[word])


def _shortfall(judged: list[tuple[InstanceType, tuple[str, str]]]) -> str:
    each, (_, why) = min(judged, key=_nearness)
    return f"the nearest, {each.name}, has {why}"


def _preference(need: Need, each: InstanceType) -> tuple[bool, float, float, str]:
    """Order fitting types: the same model, then the lower price, then the least beyond what is needed."""
    price = each.usd_per_hour if each.usd_per_hour is not None else float("inf")
    beyond = (each.memory_gib_each or 0.0) * each.count - (need.memory_gib_each or 0.0) * need.count
    return each.base_model != need.model, price, beyond, each.name


def _instance(row: Row) -> InstanceType:
    return InstanceType(
        provider=row["provider"],
        name=row["instance_type"],
        vendor=row["accel_vendor"],
        model=row["accel_model"],
        # A share of a device, such as 1/6, is one device to a program, with the share's memory.
        count=1 if "/" in row["accel_count"] else int(_number(row["accel_count"]) or 0),
        memory_gib_each=_number(row["accel_mem_gib_each"]),
        network_gbps=_between_machines(row),
        rdma=bool(row["rdma"]) and row["rdma"].lower() != "no",
        usd_per_hour=_number(row["ondemand_usd_h"]),
        source=row["source"],
        verified=row["verified"],
        date=row["price_date"],
        vcpu=_number(row["vcpu"]),
        ram_gib=_number(row["ram_gib"]),
    )


def _between_machines(row: Row) -> float | None:
    """Return the rate between machines; some pages tell InfiniBand apart from the network."""
    joined = re.search(r"(\d+)x(\d+)Gb", row["rdma"])
    network = _number(row["network_gbps"])
    if joined is None:
        return network
    return max(network or 0.0, float(joined[1]) * float(joined[2]))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
