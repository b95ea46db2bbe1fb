"""Which metrics of CloudWatch tell the use of which component of AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.evidence.utilisation_records import Unit, Use
from heavylift.utilisation.machines import Machine, machine_of
from heavylift.utilisation.model import Told, Window, first_moment

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component

DATA = "GetMetricData"
ENDPOINTS, TRAINING = "/aws/sagemaker/Endpoints", "/aws/sagemaker/TrainingJobs"
PROCESSING, TRANSFORM = "/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TransformJobs"
EC2, RDS, AGENT = "AWS/EC2", "AWS/RDS", "CWAgent"
_MIB = 2.0**20
_ENDPOINT, _NOTEBOOK = "AWS::SageMaker::Endpoint", "AWS::SageMaker::NotebookInstance"
_INSTANCE, _DATABASE = "AWS::EC2::Instance", "AWS::RDS::DBInstance"
_JOBS = {
    "AWS::SageMaker::TrainingJob": (TRAINING, "TrainingStartTime", "TrainingEndTime", "ResourceConfig"),
    "AWS::SageMaker::ProcessingJob": (
        PROCESSING, "ProcessingStartTime", "ProcessingEndTime", "ProcessingResources.ClusterConfig",
    ),
    "AWS::SageMaker::TransformJob": (
        TRANSFORM, "TransformStartTime", "TransformEndTime", "TransformResources",
    ),
}  # fmt: skip
"""Type → namespace, when it began and ended, and which attribute names its machines."""

_SAGEMAKER: tuple[tuple[str, Use], ...] = (
    ("CPUUtilization", "cpu"), ("MemoryUtilization", "memory"),
    ("GPUUtilization", "gpu"), ("GPUMemoryUtilization", "gpu_memory"),
)  # fmt: skip
LISTING = (
    (TRANSFORM, frozenset({"AWS::SageMaker::TransformJob"}), "Host"),
    (AGENT, frozenset({_INSTANCE}), "InstanceId"),
)
"""Namespaces that have to be listed, whose components they tell of, and by which dimension."""

Metrics = dict[tuple[str, str, str], list[dict[str, str]]]
"""Namespace, whose, and metric → its dimensions."""


@dataclass(frozen=True)
class Wanted:
    """One metric of one component.

    :param factor: makes a value a share (or what ``unit`` says); with ``free`` it is what is left of 1.
    """

    component: str
    use: Use
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    window: Window
    factor: float = 0.01
    unit: Unit = "share"
    free: bool = False
    instance_type: str = ""

    def share(self, value: float) -> float:
        """Return what a value means."""
        return max(0.0, 1.0 - value * self.factor if self.free else value * self.factor)


def is_machine(native_type: str) -> bool:
    """Tell whether a type has machines."""
    return native_type in {_ENDPOINT, _NOTEBOOK, _INSTANCE, _DATABASE} or is_job(native_type)


def is_job(native_type: str) -> bool:
    """Tell whether a type has machines only while it runs."""
    return native_type in _JOBS


def instances_of(component: Component, configs: Mapping[tuple[str, str], Any]) -> dict[str, str]:
    """Return the instance types of a component, by its parts (the variants of an endpoint)."""
    told = component.attributes
    if component.native_type == _ENDPOINT:
        name = str(told.get("EndpointConfigName") or "")
        config = configs.get((component.region, name)) or {}
        return {
            str(each.get("VariantName") or ""): str(each.get("InstanceType") or "")
            for each in config.get("ProductionVariants") or told.get("ProductionVariants") or ()
        }
    if component.native_type in _JOBS:
        where: Any = told
        for name in _JOBS[component.native_type][3].split("."):
            where = where.get(name) or {}
        return {"": str(where.get("InstanceType") or "")}
    return {"": str(told.get("DBInstanceClass") or told.get("InstanceType") or "")}


def wanted_of(
    component: Component,
    configs: Mapping[tuple[str, str], Any],
    listed: Metrics,
    window: Window,
    told: Told,
) -> list[Wanted]:
    """Return what is asked for of one component; what nobody publishes becomes a finding."""
    types = instances_of(component, configs)
    if component.native_type == _ENDPOINT:
        return [
            each for part in types.items() for each in _endpoint(component, *part, len(types), window, told)
        ]
    machine = machine_of("aws", types.get("", ""))
    if component.native_type in _JOBS:
        return list(_job(component, machine, listed, window, told))
    if component.native_type == _INSTANCE:
        return list(_instance(component, machine, listed, window))
    if component.native_type == _DATABASE:
        return list(_database(component, machine, window, told))
    told.note(
        "not_published", _NOTEBOOK, "SageMaker publishes no use of notebook instances",
        "run an agent on them, and name its series (assess.utilisation.queries)", components=[component.id],
    )  # fmt: skip
    return []


def _endpoint(
    component: Component, variant: str, instance: str, variants: int, window: Window, told: Told
) -> Iterator[Wanted]:
    part = component.id if variants == 1 else f"{component.id}#{variant}"
    seen = window.since(first_moment({"at": component.created_at}, "at"))
    dimensions = (("EndpointName", component.name), ("VariantName", variant))
    yield from _sagemaker(part, ENDPOINTS, dimensions, machine_of("aws", instance), instance, seen, told)


def _job(
    component: Component, machine: Machine, listed: Metrics, window: Window, told: Told
) -> Iterator[Wanted]:
    namespace, began, ended, where = _JOBS[component.native_type]
    attributes = component.attributes
    start = first_moment(attributes, began)
    seen = window.within(start, first_moment(attributes, ended)) if start is not None else None
    if seen is None:
        return
    resources: Any = attributes
    for name in where.split("."):
        resources = resources.get(name) or {}
    instance = str(resources.get("InstanceType") or "")
    hosts = [f"{component.name}/algo-{n}" for n in range(1, 1 + int(resources.get("InstanceCount") or 1))]
    if namespace == TRANSFORM:
        found = listed.get((namespace, component.name, "CPUUtilization"), [])
        hosts = sorted({each["Host"] for each in found})
    for host in hosts:
        yield from _sagemaker(component.id, namespace, (("Host", host),), machine, instance, seen, told)


def _sagemaker(
    part: str,
    namespace: str,
    dimensions: tuple[tuple[str, str], ...],
    machine: Machine,
    instance: str,
    window: Window,
    told: Told,
) -> Iterator[Wanted]:
    for metric, use in _SAGEMAKER:
        if use.startswith("gpu") and machine.vcpu is not None and not machine.gpus:
            continue
        # Cores and devices are added up: four of them go up to 400.
        many = {"cpu": machine.vcpu, "memory": 1.0}.get(use, float(machine.gpus) or None)
        if many is None and use == "cpu":
            told.note(
                "unknown_size", instance or "unknown instance type", "its cores are in no table",
                "read the use as percent of one core", components=[part],
            )  # fmt: skip
        unit: Unit = "share" if many else "percent of one"
        factor = 0.01 / many if many else 1.0
        yield Wanted(part, use, namespace, metric, dimensions, window, factor, unit, instance_type=instance)


def _instance(component: Component, machine: Machine, listed: Metrics, window: Window) -> Iterator[Wanted]:
    whose, instance = component.name, str(component.attributes.get("InstanceType") or "")
    launched = window.since(first_moment(component.attributes, "LaunchTime"))
    dimension = (("InstanceId", whose),)
    yield Wanted(component.id, "cpu", EC2, "CPUUtilization", dimension, launched, instance_type=instance)
    agents: tuple[tuple[str, Use, float | None], ...] = (
        ("mem_used_percent", "memory", 0.01),
        ("nvidia_smi_utilization_gpu", "gpu", 0.01),
        ("nvidia_smi_memory_used", "gpu_memory", None),
    )
    for metric, use, factor in agents:
        for names in listed.get((AGENT, whose, metric), []):
            dimensions = tuple(sorted(names.items()))
            if factor is None and machine.gpu_memory_bytes:
                factor = _MIB / machine.gpu_memory_bytes
            unit: Unit = "share" if factor else "bytes"
            yield Wanted(component.id, use, AGENT, metric, dimensions, launched, factor or _MIB, unit)


def _database(component: Component, machine: Machine, window: Window, told: Told) -> Iterator[Wanted]:
    whose = (("DBInstanceIdentifier", component.name),)
    seen = window.since(first_moment(component.attributes, "InstanceCreateTime"))
    class_ = str(component.attributes.get("DBInstanceClass") or "")
    yield Wanted(component.id, "cpu", RDS, "CPUUtilization", whose, seen, instance_type=class_)
    if machine.memory_bytes is None:
        told.note(
            "unknown_size", class_ or "unknown class",
            "its memory is in no table, so that what is free of it tells no share",
            "look up FreeableMemory by hand", components=[component.id],
        )  # fmt: skip
        return
    factor = 1.0 / machine.memory_bytes
    yield Wanted(component.id, "memory", RDS, "FreeableMemory", whose, seen, factor, free=True)
