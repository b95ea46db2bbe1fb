"""Which machine of the target takes the place of a job's, by the table of accelerators, with the reason."""

from __future__ import annotations

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
from heavylift.facts.vertex_names import vertex_knows
from heavylift.training.model import Form, Job, Machine
from heavylift.training.notes import Findings

OWN_DEVICES = {"aws": "Trainium or Inferentia, whose programs are compiled by Neuron", "google": "a TPU"}


@dataclass(frozen=True)
class Choice:
    """A machine of the target, or why there is none.

    :param family: of the instance type, by which its fabric is known.
    :param rejected: the nearest types that fall short, each with its reason.
    """

    machine: Machine
    family: str
    reason: str
    problem: str = ""
    rejected: tuple[tuple[str, str], ...] = ()


def choose(job: Job, form: Form, provider: str, by_hand: str, findings: Findings) -> Choice:
    """Return the machine of ``provider`` for a job.

    :param by_hand: an instance type that the map names.
    """
    facts = accelerators()
    today = facts.find(job.provider, job.machine.instance) if job.machine.instance else None
    if today is not None and today.vendor in OWN_DEVICES and provider != job.provider:
        what = OWN_DEVICES[today.vendor]
        why = f"{job.machine.instance} has {what}; nothing of {provider or 'another cluster'} runs it"
        findings.block("machine", why, "build the program anew for GPUs, then translate that job")
        return Choice(job.machine, "", "", why)
    if by_hand:
        return _by_hand(job, provider, by_hand, today, findings)
    if not job.machine.devices:
        return Choice(
            replace(job.machine, instance=""), "", "no accelerator: named by hand or left to the cluster"
        )
    if provider in {"", job.provider} and (today is not None or not job.machine.instance or not provider):
        return Choice(
            replace(job.machine, instance=_bare(job.machine.instance) if provider else ""),
            family_of(today),
            "the source's own",
        )
    return _matched(job, form, provider, today, findings)


def _by_hand(job: Job, provider: str, name: str, today: InstanceType | None, findings: Findings) -> Choice:
    found = accelerators().find(provider, name)
    if found is None:
        findings.need(
            "machine",
            f"{name} is in no table: its devices and memory were not checked",
            "look that it has enough",
        )
        return Choice(replace(job.machine, instance=_bare(name)), "", f"{name}, as the map says")
    if today and (found.memory_gib_each or 0) < 0.9 * (today.memory_gib_each or 0):
        why = f"{name} has {found.memory_gib_each:g} GiB a device, {today.name} has {today.memory_gib_each:g}"
        findings.block("machine", why, "name a type with as much memory for each device")
    made = Machine(found.name, job.machine.nodes, found.count, found.model)
    return Choice(made, family_of(found), f"{name}, as the map says")


def _matched(job: Job, form: Form, provider: str, today: InstanceType | None, findings: Findings) -> Choice:
    need = need_of(today) if today else _stated(job, findings)
    if job.machine.nodes == 1:
        # Within one machine, what joins several does not matter.
        need = replace(need, network_gbps=0.0, rdma=False)
    # A job needs the devices that it uses, not all that its machine has.
    need = replace(need, count=job.machine.devices)
    known = [
        each
        for each in accelerators().types
        if each.provider == provider and (form is not Form.VERTEX or vertex_knows(each.model))
    ]
    match = AcceleratorMap(known).match(need, provider)
    if match.instance is None:
        findings.block(
            "machine",
            f"no machine of {provider} for {job.machine.devices} x {need.model or 'device'}: {match.reason}",
            "name a type in the map's section machines, or another target; a type with a slower fabric keeps"
            " the result and loses speed",
        )
        return Choice(job.machine, "", "", match.reason, match.rejected)
    found = match.instance
    made = Machine(found.name, job.machine.nodes, found.count, found.model)
    return Choice(made, family_of(found), match.reason, rejected=match.rejected)


def _stated(job: Job, findings: Findings) -> Need:
    known = [t.memory_gib_each for t in accelerators().types if t.base_model == base_of(job.machine.device)]
    memory = max((gib for gib in known if gib is not None), default=None)
    if memory is None:
        findings.block(
            "machine",
            f"the job asks for {job.machine.devices} devices and does not say which",
            "name the target's type in the map's section machines, under the name *",
        )
    return Need(model=base_of(job.machine.device), count=job.machine.devices, memory_gib_each=memory)


def _bare(name: str) -> str:
    return name.removeprefix("ml.")


def describe(provider: str, instance: str) -> InstanceType | None:
    """Return what the table knows of an instance type."""
    return accelerators().find(provider, instance)


def family_of(found: InstanceType | None) -> str:
    """Return the family of an instance type, empty where it is not known."""
    return _families().get((found.provider, found.name), "") if found else ""


@cache
def accelerators() -> AcceleratorMap:
    """Return the built-in table."""
    return load_accelerators()


@cache
def _families() -> dict[tuple[str, str], str]:
    return {(row["provider"], row["instance_type"]): row["family"] for row in table("gpu_instances.csv")}
