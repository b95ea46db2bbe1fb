"""Use of Azure's machines by Azure Monitor: deployments, jobs, virtual machines and databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.errors import PermanentError
from heavylift.evidence.utilisation_records import Use
from heavylift.utilisation.figures import utc
from heavylift.utilisation.model import Point, Read, Told, Window, first_moment, moment

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.platforms.control import ControlPlane

_METRICS = "GET {+resource}/providers/Microsoft.Insights/metrics?api-version=2023-10-01"
_DEPLOYMENTS = "GET {+resource}/deployments?api-version=2025-12-01"
PERMISSION = "Microsoft.Insights/metrics/read"
_DEPLOYMENT_PERMISSION = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read"
_GRAINS = {
    60: "PT1M", 300: "PT5M", 900: "PT15M", 1800: "PT30M", 3600: "PT1H", 21_600: "PT6H", 43_200: "PT12H",
    86_400: "P1D",
}  # fmt: skip
_ENDPOINT, _JOB = "Azure::MachineLearning::OnlineEndpoint", "Azure::MachineLearning::Job"
_COMPUTE = "Azure::MachineLearning::Compute"
_JOB_STEP = 300


@dataclass(frozen=True)
class Metric:
    """One metric, in percent; with ``free`` it tells what is left."""

    use: Use
    name: str
    free: bool = False


_ML = (
    Metric("cpu", "CpuUtilizationPercentage"), Metric("memory", "CpuMemoryUtilizationPercentage"),
    Metric("gpu", "GpuUtilizationPercentage"), Metric("gpu_memory", "GpuMemoryUtilizationPercentage"),
)  # fmt: skip
_VM = (Metric("cpu", "Percentage CPU"), Metric("memory", "Available Memory Percentage", free=True))
_SERVER = (Metric("cpu", "cpu_percent"), Metric("memory", "memory_percent"))
METRICS: Mapping[str, tuple[Metric, ...]] = {
    _ENDPOINT: _ML,
    _JOB: _ML,
    _COMPUTE: (),
    "Azure::Compute::VirtualMachine": _VM,
    "Azure::Compute::ScaleSet": _VM,
    "Azure::PostgreSQL::Server": _SERVER,
    "Azure::MySQL::Server": _SERVER,
    "Azure::SQL::Database": (Metric("cpu", "cpu_percent"),),
}


class AzureMonitor:
    """Reads Azure Monitor of one subscription."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return self._plane.requests

    def wants(self, component: Component) -> bool:
        """Tell whether Azure Monitor may know of its machines."""
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
        del listed
        for component in components:
            if component.native_type == _COMPUTE:
                told.note(
                    "not_published", _COMPUTE, "Azure publishes the use of its jobs, not of it",
                    "name a series of your own (assess.utilisation.queries)", components=[component.id],
                )  # fmt: skip
                continue
            seen = _window(component, window)
            if seen is None:
                continue
            for part, resource, condition in self._parts(component, told):
                for metric in METRICS[component.native_type]:
                    points = self._points(resource, condition, metric, seen, component.id, told)
                    if points:
                        yield Read(part, metric.use, "share", metric.name, seen, points)

    def _parts(self, component: Component, told: Told) -> list[tuple[str, str, str]]:
        """Return what is asked: id of the part, the resource whose metrics tell it, and a condition."""
        if component.native_type == _JOB:
            workspace, _, name = component.id.rpartition("/jobs/")
            quoted = name.replace("'", "''")
            return [(component.id, workspace.strip("/"), f"RunId eq '{quoted}'")]
        resource = component.id.strip("/")
        if component.native_type != _ENDPOINT:
            return [(component.id, resource, "")]
        ask = partial(self._deployments, resource)
        names = told.tried(ask, "deployments of endpoints", _DEPLOYMENT_PERMISSION, [component.id]) or []
        if len(names) == 1:
            return [(component.id, f"{resource}/deployments/{names[0]}", "")]
        return [(f"{component.id}#{name}", f"{resource}/deployments/{name}", "") for name in names]

    def _deployments(self, resource: str) -> list[str]:
        pages = self._plane.pages(
            "Microsoft.MachineLearningServices", _DEPLOYMENTS, "", {"resource": resource}
        )
        return sorted(str(each["name"]) for page in pages for each in page.get("value") or ())

    def _points(
        self, resource: str, condition: str, metric: Metric, window: Window, component: str, told: Told
    ) -> list[Point]:
        asked = {
            "resource": resource,
            "metricnames": metric.name,
            "timespan": f"{_time(window.start)}/{_time(window.end)}",
            "interval": _GRAINS[window.step],
            "aggregation": "Average,Minimum" if metric.free else "Average,Maximum",
            **({"$filter": condition} if condition else {}),
        }
        ask = partial(self._plane.call, "Microsoft.Insights", _METRICS, "", asked)
        try:
            answer = told.tried(ask, "metrics of Azure Monitor", PERMISSION, [component])
        except PermanentError as error:
            told.note("not_published", metric.name, error.got, "look it up by hand", components=[component])
            return []
        return points_of(answer or {}, metric, window)


def points_of(answer: Mapping[str, Any], metric: Metric, window: Window) -> list[Point]:
    """Return the points of an answer; several series of one metric come to their mean and their peak."""
    means: dict[float, list[float]] = {}
    peaks: dict[float, list[float]] = {}
    for value in answer.get("value") or ():
        for series in value.get("timeseries") or ():
            for each in series.get("data") or ():
                at = moment(each.get("timeStamp"))
                if at is None or each.get("average") is None:
                    continue
                means.setdefault(at, []).append(_share(each["average"], metric))
                peak = each.get("minimum" if metric.free else "maximum")
                if peak is not None:
                    peaks.setdefault(at, []).append(_share(peak, metric))
    return [
        (at, sum(values) / len(values), max(peaks.get(at, ()), default=None))
        for at, values in sorted(means.items())
        if window.start <= at < window.end
    ]


def _share(percent: float, metric: Metric) -> float:
    return max(0.0, (100.0 - percent if metric.free else percent) / 100.0)


def _window(component: Component, window: Window) -> Window | None:
    told = {**(component.attributes.get("properties") or {}), "_created": component.created_at}
    if component.native_type == _JOB:
        start = first_moment(told, "startTimeUtc", "startTime", "_created")
        return window.finer(_JOB_STEP).within(start, first_moment(told, "endTimeUtc", "endTime"))
    # Azure knows only some steps: the next finer one is taken.
    step = max(each for each in _GRAINS if each <= window.step)
    return window.finer(step).since(first_moment(told, "_created"))


def _time(at: float) -> str:
    return utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")
