"""Which machine of the target takes the place of a step's; never with less memory than it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from heavylift.facts.accelerators import (
    AcceleratorMap,
    InstanceType,
    Need,
    base_of,
    load_accelerators,
    need_of,
)
from heavylift.facts.tables import table
from heavylift.facts.vertex_names import vertex_knows, vertex_name
from heavylift.pipelines.model import Machine

CLOUD = {
    "sagemaker": "aws",
    "stepfunctions": "aws",
    "vertex": "gcp",
    "kfp": "gcp",
    "azureml": "azure",
    "airflow": "kubernetes",
}
"""Whose machines a system's steps run on."""

_AWS = re.compile(r"(?:ml\.)?([a-z]+)\d*\w*\.(\d*)(nano|micro|small|medium|large|xlarge|metal)\Z")
_AZURE = re.compile(r"Standard_([A-Z]+)(\d+)\w*\Z", re.IGNORECASE)
_GCP = re.compile(r"\w+-(standard|highmem|highcpu)-(\d+)\Z")
_PER_CPU = {
    "t": 4, "m": 4, "c": 2, "r": 8, "x": 16, "d": 4, "ds": 4, "e": 8, "f": 2,
    "standard": 4, "highmem": 8, "highcpu": 1,
}  # fmt: skip
_SMALL = {"nano": 0.5, "micro": 1.0, "small": 2.0, "medium": 4.0, "large": 8.0}
_SIZES = {
    "aws": (
        (2, "ml.c5.{}", (2, 4, 8, 16, 36, 72)),
        (4, "ml.m5.{}", (2, 4, 8, 16, 48, 96)),
        (8, "ml.r5.{}", (2, 4, 8, 16, 48, 96)),
    ),
    "azure": (
        (2, "Standard_F{}s_v2", (2, 4, 8, 16, 32, 48, 64, 72)),
        (4, "Standard_D{}s_v5", (2, 4, 8, 16, 32, 48, 64, 96)),
        (8, "Standard_E{}s_v5", (2, 4, 8, 16, 20, 32, 48, 64, 96)),
    ),
}


@dataclass(frozen=True)
class Choice:
    """A machine of the target with the reason; ``problem`` where there is none."""

    machine: Machine
    reason: str = ""
    problem: str = ""

    @property
    def accelerator_type(self) -> str:
        """The accelerator as Vertex AI names it."""
        return vertex_name(self.machine.accelerator)


def choose(machine: Machine, cloud: str, by_hand: str = "") -> Choice:
    """Return the machine of ``cloud`` for a step.

    :param by_hand: an instance type that the mapping names.
    """
    known = describe(machine)
    if by_hand:
        made = describe(Machine(cloud, by_hand, machine.count, disk_gib=machine.disk_gib))
        return Choice(made, f"{by_hand}, as the mapping says", _less(known, made))
    if machine.cloud == cloud:
        return Choice(known, "the source's own")
    if not machine.instance and machine.cpus is None and not machine.accelerators:
        return Choice(replace(machine, cloud=cloud), "nothing is said of its machine: the target's default")
    if known.cpus is None and not known.accelerators:
        return Choice(known, problem=f"{machine.instance} is in no table")
    if known.accelerators:
        return _accelerated(known, cloud)
    if cloud in {"gcp", "kubernetes"}:
        made = replace(known, cloud=cloud, instance="")
        return Choice(
            made, f"{known.cpus:g} CPUs and {known.memory_gib or 0:g} GiB, as {_named(machine)} has"
        )
    return _plain(known, cloud)


def _named(machine: Machine) -> str:
    return machine.instance or "the step"


def _less(known: Machine, made: Machine) -> str:
    for what, before, after in (
        ("GiB of memory", known.memory_gib, made.memory_gib),
        ("accelerators", known.accelerators, made.accelerators),
    ):
        if before and after is not None and after < before:
            return f"{made.instance} has {after:g} {what}, {_named(known)} has {before:g}"
    return ""


def _plain(known: Machine, cloud: str) -> Choice:
    cpus, memory = known.cpus or 1.0, known.memory_gib or 0.0
    fitting = [
        (size * per_cpu, size, _type_name(form, size))
        for per_cpu, form, sizes in _SIZES[cloud]
        for size in sizes
        if size >= cpus and size * per_cpu >= memory
    ]
    if not fitting:
        return Choice(known, problem=f"no type of {cloud} has {cpus:g} CPUs and {memory:g} GiB")
    gib, size, name = min(fitting)
    made = Machine(cloud, name, known.count, float(size), float(gib), disk_gib=known.disk_gib)
    return Choice(made, f"{size} CPUs and {gib:g} GiB for {cpus:g} and {memory:g} of {_named(known)}")


def _type_name(form: str, size: int) -> str:
    if form.startswith("Standard"):
        return form.format(size)
    return form.format({2: "large", 4: "xlarge"}.get(size, f"{size // 4}xlarge"))


def _accelerated(known: Machine, cloud: str) -> Choice:
    facts, hosts = _accelerators(), _hosts()
    today = facts.find(known.cloud, known.instance)
    need = need_of(today) if today else _need(known, facts)
    if today and known.count == 1:
        # Within one machine, what joins several does not matter.
        need = replace(need, network_gbps=0.0, rdma=False)
    if cloud == "kubernetes":
        return Choice(replace(known, cloud=cloud, instance=""), f"{known.accelerators} x {known.accelerator}")
    roomy = [
        each
        for each in facts.types
        if each.provider == cloud and (hosts[cloud, each.name][1] or 0) >= (known.memory_gib or 0)
        and (cloud != "gcp" or vertex_knows(each.model))
    ]  # fmt: skip
    match = AcceleratorMap(roomy).match(need, cloud)
    if match.instance is None:
        return Choice(
            known, problem=f"no machine for {known.accelerators} x {known.accelerator}: {match.reason}"
        )
    return Choice(_of_instance(match.instance, known), f"{match.instance.name}: {match.reason}")


def _need(known: Machine, facts: AcceleratorMap) -> Need:
    memory = facts.memory_of(known.cloud, known.accelerator)
    if memory is None:
        some = [t.memory_gib_each for t in facts.types if t.base_model == base_of(known.accelerator)]
        memory = max((gib for gib in some if gib is not None), default=None)
    return Need(model=base_of(known.accelerator), count=known.accelerators, memory_gib_each=memory)


def _of_instance(found: InstanceType, known: Machine) -> Machine:
    cpus, memory = _hosts()[found.provider, found.name]
    name = f"ml.{found.name}" if found.provider == "aws" else found.name
    return Machine(found.provider, name, known.count, cpus, memory, found.model, found.count, known.disk_gib)


def describe(machine: Machine) -> Machine:
    """Return the machine with CPUs, memory and accelerators as its instance type has them."""
    if not machine.instance:
        return machine
    found = _accelerators().find(machine.cloud, machine.instance)
    if found:
        cpus, memory = _hosts()[found.provider, found.name]
        return replace(
            machine, cpus=cpus, memory_gib=memory, accelerator=found.model, accelerators=found.count
        )
    cpus, memory = _by_name(machine.cloud, machine.instance)
    return replace(machine, cpus=cpus or machine.cpus, memory_gib=memory or machine.memory_gib)


def _by_name(cloud: str, name: str) -> tuple[float | None, float | None]:
    if cloud == "aws" and (found := _AWS.match(name)):
        family, times, size = found[1], int(found[2] or 1), found[3]
        if family not in _PER_CPU or size == "metal":
            return None, None
        if family == "t" and size in _SMALL:
            return 2.0, _SMALL[size]
        cpus = {"medium": 1.0, "large": 2.0}.get(size, 4.0 * times)
        return cpus, cpus * _PER_CPU[family]
    pattern = _AZURE if cloud == "azure" else _GCP
    if found := pattern.match(name):
        family, cpus = found[1].lower(), float(found[2])
        if cloud == "gcp" or (family in _PER_CPU and "_v" in name):
            return cpus, cpus * _PER_CPU[family]
    return None, None


@cache
def _accelerators() -> AcceleratorMap:
    return load_accelerators()


@cache
def _hosts() -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """Return CPUs and memory of the machines around the accelerators."""

    def number(text: str) -> float | None:
        return float(text) if text.replace(".", "", 1).isdigit() else None

    return {
        (row["provider"], row["instance_type"]): (number(row["vcpu"]), number(row["ram_gib"]))
        for row in table("gpu_instances.csv")
    }
