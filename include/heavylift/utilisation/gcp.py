"""Use of Google Cloud's machines by Cloud Monitoring: one query for a metric of many components."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.errors import PermanentError
from heavylift.evidence.utilisation_records import Unit, Use
from heavylift.utilisation.figures import utc
from heavylift.utilisation.machines import GIB, Machine, machine_of
from heavylift.utilisation.model import Point, Read, Told, Window, first_moment, moment

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.platforms.control import ControlPlane

_LIST = "GET v3/projects/{project}/timeSeries"
PERMISSION = "monitoring.timeSeries.list"
_AT_ONCE = 50
_JOB_STEP = 300
_ENDPOINT, _JOB = "GCP::VertexAI::Endpoint", "GCP::VertexAI::CustomJob"
_INSTANCE, _SQL, _NOTEBOOK = "GCP::Compute::Instance", "GCP::SQL::Instance", "GCP::Notebooks::Instance"
_MACHINE = re.compile(r"^(n1|n2d?|n4|e2|c3d?|c4a?|t2d)-(standard|highmem|highcpu)-(\d+)$")
_GIB_A_CORE = {
    ("n1", "standard"): 3.75, ("n1", "highmem"): 6.5, ("n1", "highcpu"): 0.9,
}  # fmt: skip
_LATER_GIB = {"standard": 4.0, "highmem": 8.0}


@dataclass(frozen=True)
class Metric:
    """One metric of Cloud Monitoring.

    :param resource: of which type of monitored resource, and which of its labels tells whose it is.
    :param where: what else the filter says.
    :param divisor: what there is in one machine, None where nobody knows; values then stay as they are.
    """

    use: Use
    name: str
    resource: str
    label: str
    where: str = ""
    scale: float = 1.0
    divisor: Callable[[Machine], float | None] = lambda _machine: 1.0
    other: tuple[Unit, float] = ("bytes", 1.0)


def _cores(machine: Machine) -> float | None:
    return machine.vcpu


def _memory(machine: Machine) -> float | None:
    return machine.memory_bytes


def _device_memory(machine: Machine) -> float | None:
    return machine.gpu_memory_bytes


_ONLINE, _TRAINING = "aiplatform.googleapis.com/prediction/online", "ml.googleapis.com/training"
_ON_ENDPOINT = ("aiplatform.googleapis.com/Endpoint", "endpoint_id")
_ON_JOB, _ON_INSTANCE = ("cloudml_job", "job_id"), ("gce_instance", "instance_id")
_ON_SQL = ("cloudsql_database", "database_id")
_AGENT, _CLOUD_SQL = "agent.googleapis.com", "cloudsql.googleapis.com/database"
_OF_INSTANCE = (
    Metric("cpu", "compute.googleapis.com/instance/cpu/utilization", *_ON_INSTANCE),
    Metric("memory", f"{_AGENT}/memory/percent_used", *_ON_INSTANCE, 'metric.labels.state = "used"', 0.01),
    Metric("gpu", f"{_AGENT}/gpu/utilization", *_ON_INSTANCE),
    Metric(
        "gpu_memory", f"{_AGENT}/gpu/memory/bytes_used", *_ON_INSTANCE,
        'metric.labels.memory_state = "used"', divisor=_device_memory,
    ),
)  # fmt: skip
METRICS: dict[str, tuple[Metric, ...]] = {
    # The documentation says of cores that the fraction may be above 1 where there are several.
    _ENDPOINT: (
        Metric("cpu", f"{_ONLINE}/cpu/utilization", *_ON_ENDPOINT, divisor=_cores,
               other=("percent of one", 100.0)),
        Metric("memory", f"{_ONLINE}/memory/bytes_used", *_ON_ENDPOINT, divisor=_memory),
        Metric("gpu", f"{_ONLINE}/accelerator/duty_cycle", *_ON_ENDPOINT),
        Metric("gpu_memory", f"{_ONLINE}/accelerator/memory/bytes_used", *_ON_ENDPOINT,
               divisor=_device_memory),
    ),
    _JOB: (
        Metric("cpu", f"{_TRAINING}/cpu/utilization", *_ON_JOB),
        Metric("memory", f"{_TRAINING}/memory/utilization", *_ON_JOB),
        Metric("gpu", f"{_TRAINING}/accelerator/utilization", *_ON_JOB),
        Metric("gpu_memory", f"{_TRAINING}/accelerator/memory/utilization", *_ON_JOB),
    ),
    _INSTANCE: _OF_INSTANCE,
    _NOTEBOOK: _OF_INSTANCE,
    _SQL: (
        Metric("cpu", f"{_CLOUD_SQL}/cpu/utilization", *_ON_SQL),
        Metric("memory", f"{_CLOUD_SQL}/memory/utilization", *_ON_SQL),
    ),
}  # fmt: skip


class CloudMonitoring:
    """Reads Cloud Monitoring of one project."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return self._plane.requests

    def wants(self, component: Component) -> bool:
        """Tell whether Cloud Monitoring may know of its machines."""
        return component.native_type in METRICS

    def is_job(self, component: Component) -> bool:
        """Tell whether a component has machines only while it runs."""
        return component.native_type == _JOB

    def close(self) -> None:
        """Close all connections."""
        self._plane.close()

    def read(
        self, components: Sequence[Component], listed: Sequence[Component], window: Window, told: Told
    ) -> Iterator[Read]:
        """Yield the series of those components that have any."""
        project = self._plane.account().id
        machines = {each.name: each for each in listed if each.native_type == _INSTANCE}
        by_type: dict[str, list[tuple[str, Component]]] = defaultdict(list)
        for component in components:
            key = key_of(component, project, machines)
            if key:
                by_type[component.native_type].append((key, component))
            else:
                told.note(
                    "not_published", component.native_type, "its machine is not in the inventory",
                    "let instances of Compute Engine be listed, too", components=[component.id],
                )  # fmt: skip
        for native_type, keyed in sorted(by_type.items()):
            for first in range(0, len(keyed), _AT_ONCE):
                part = dict(keyed[first : first + _AT_ONCE])
                for metric in METRICS[native_type]:
                    yield from self._read(metric, part, window, told)

    def _read(
        self, metric: Metric, keyed: dict[str, Component], window: Window, told: Told
    ) -> Iterator[Read]:
        job = any(self.is_job(each) for each in keyed.values())
        window = window.finer(_JOB_STEP) if job else window
        about = [each.id for each in keyed.values()]
        found: dict[str, dict[str, dict[float, float]]] = {}
        for name in ("MEAN", "MAX"):
            ask = partial(self._series, metric, sorted(keyed), name, window)
            try:
                answered = told.tried(ask, f"monitoring {metric.name}", PERMISSION, about)
            except PermanentError as error:
                # A metric that no agent ever wrote is not known, which is an error of the request here.
                told.note(
                    "not_published", metric.name, error.got, "install the Ops Agent, where it is the agent's",
                    components=about,
                )  # fmt: skip
                return
            if answered is None:
                return
            found[name] = answered
        for key, means in found["MEAN"].items():
            component = keyed.get(key)
            seen = window if component is None else _window(component, window, job=job)
            if component is None or seen is None:
                continue
            unit, factor = _unit(metric, component)
            peaks = found["MAX"].get(key, {})
            points: list[Point] = [
                (at, value * factor, peaks[at] * factor if at in peaks else None)
                for at, value in sorted(means.items())
                if seen.start - window.step < at < seen.end
            ]
            if points:
                machine = machine_type_of(component)
                yield Read(component.id, metric.use, unit, metric.name, seen, points, machine)

    def _series(
        self, metric: Metric, keys: Sequence[str], name: str, window: Window
    ) -> dict[str, dict[float, float]]:
        whose = ", ".join(json.dumps(key) for key in keys)
        parts = [
            f'metric.type = "{metric.name}"', f'resource.type = "{metric.resource}"',
            f"resource.labels.{metric.label} = one_of({whose})", *([metric.where] if metric.where else []),
        ]  # fmt: skip
        asked = {
            "filter": " AND ".join(parts),
            "interval.startTime": utc(window.start).isoformat().replace("+00:00", "Z"),
            "interval.endTime": utc(window.end).isoformat().replace("+00:00", "Z"),
            "aggregation.alignmentPeriod": f"{window.step}s",
            "aggregation.perSeriesAligner": f"ALIGN_{name}",
            "aggregation.crossSeriesReducer": f"REDUCE_{name}",
            "aggregation.groupByFields": f"resource.labels.{metric.label}",
            "view": "FULL",
            "pageSize": "50000",
        }
        found: dict[str, dict[float, float]] = defaultdict(dict)
        for page in self._plane.pages("monitoring", _LIST, "", asked):
            for series in page.get("timeSeries") or ():
                key = str((series.get("resource") or {}).get("labels", {}).get(metric.label, ""))
                for point in series.get("points") or ():
                    at, value = moment(point["interval"]["endTime"]), _value(point.get("value") or {})
                    if at is not None and value is not None:
                        # An aligned value stands at the end of its time.
                        found[key][at - window.step] = max(0.0, value)
        return found


def key_of(component: Component, project: str, machines: dict[str, Component]) -> str:
    """Return what Cloud Monitoring calls a component; empty where that is not known."""
    native_type, last = component.native_type, component.id.rpartition("/")[2]
    if native_type == _SQL:
        return f"{project}:{last}"
    if native_type in (_INSTANCE, _NOTEBOOK):
        machine = component if native_type == _INSTANCE else machines.get(last)
        return str(machine.attributes.get("id") or "") if machine else ""
    return last


def machine_type_of(component: Component) -> str:
    """Return the machine type that a component runs on; empty where it is not known or there are several."""
    told = component.attributes
    found = {str(told["machineType"]).rpartition("/")[2]} if told.get("machineType") else set()
    for each in told.get("deployedModels") or ():
        spec = (each.get("dedicatedResources") or {}).get("machineSpec") or {}
        found.add(str(spec.get("machineType") or ""))
    return found.pop() if len(found) == 1 else ""


def _machine(component: Component) -> Machine:
    name = machine_type_of(component)
    known = machine_of("gcp", name)
    found = _MACHINE.match(name)
    if known.vcpu is not None or found is None:
        return known
    family, shape, cores = found[1], found[2], float(found[3])
    each = _GIB_A_CORE.get((family, shape)) or (None if family == "n1" else _LATER_GIB.get(shape))
    return Machine(cores, None if each is None else cores * each * GIB)


def _unit(metric: Metric, component: Component) -> tuple[Unit, float]:
    there = metric.divisor(_machine(component))
    return ("share", metric.scale / there) if there else metric.other


def _window(component: Component, window: Window, *, job: bool) -> Window | None:
    told: dict[str, Any] = {**component.attributes, "_created": component.created_at}
    if job:
        start = first_moment(told, "startTime", "_created")
        return window.within(start, first_moment(told, "endTime"))
    return window.since(first_moment(told, "createTime", "creationTimestamp", "_created"))


def _value(told: dict[str, Any]) -> float | None:
    for name in ("doubleValue", "int64Value"):
        if name in told:
            return float(told[name])
    return None
