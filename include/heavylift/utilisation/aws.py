"""Use of AWS's machines by CloudWatch: endpoints, jobs, instances and databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.evidence.utilisation_records import Use
from heavylift.utilisation.aws_wanted import DATA, LISTING, Metrics, Wanted, is_job, is_machine, wanted_of
from heavylift.utilisation.model import Point, Read, Told, Window, moment

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.platforms.control import Answer, ControlPlane

_MOST_QUERIES = 500
_MOST_VALUES = 100_800
"""What one request of GetMetricData may ask for, and what it answers at most."""
_DAY = 86_400
_KEPT = ((15 * _DAY, 60), (63 * _DAY, 300))
"""How long CloudWatch keeps values of which resolution; beyond, hours."""
Values = dict[float, tuple[list[float], list[float]]]


@dataclass(frozen=True)
class _Query:
    wanted: Wanted
    peak: bool


class CloudWatch:
    """Reads CloudWatch of one account."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return self._plane.requests

    def wants(self, component: Component) -> bool:
        """Tell whether CloudWatch may know of its machines."""
        return is_machine(component.native_type)

    def is_job(self, component: Component) -> bool:
        """Tell whether a component has machines only while it runs."""
        return is_job(component.native_type)

    def close(self) -> None:
        """Close what is open."""
        self._plane.close()

    def read(
        self, components: Sequence[Component], listed: Sequence[Component], window: Window, told: Told
    ) -> Iterator[Read]:
        """Yield the series of those components that have any."""
        configs = {
            (each.region, each.name): each.attributes
            for each in listed
            if each.native_type == "AWS::SageMaker::EndpointConfig"
        }
        # Of older values only coarser ones are kept.
        window = window.finer(max(window.step, _kept_step(window)))
        by_region: dict[str, list[Component]] = defaultdict(list)
        for each in components:
            by_region[each.region].append(each)
        for region in sorted(by_region):
            here = by_region[region]
            metrics = self._listed(region, here, told)
            together: list[Wanted] = []
            for component in here:
                wanted = wanted_of(component, configs, metrics, window, told)
                if not is_job(component.native_type):
                    together += wanted
                elif wanted:
                    # A job has a time of its own, and often a short one: it is asked for finely.
                    yield from self._asked(region, wanted, _finest(wanted[0].window), told)
            if together:
                yield from self._asked(region, together, window, told)

    def _listed(self, region: str, components: Sequence[Component], told: Told) -> Metrics:
        """Return what was published lately in namespaces whose dimensions can't be told beforehand."""
        found: Metrics = {}
        for namespace, types, dimension in LISTING:
            about = [each.id for each in components if each.native_type in types]
            if not about:
                continue
            ask = partial(self._metrics, region, namespace, dimension)
            permission = self._plane.permission("cloudwatch", "ListMetrics")
            found |= told.tried(ask, f"cloudwatch:ListMetrics in {region}", permission, about) or {}
        return found

    def _metrics(self, region: str, namespace: str, dimension: str) -> Metrics:
        found: Metrics = {}
        for page in self._plane.pages("cloudwatch", "ListMetrics", region, {"Namespace": namespace}):
            for metric in page.get("Metrics", ()):
                names = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
                if dimension in names:
                    whose = names[dimension].partition("/")[0]
                    found.setdefault((namespace, whose, metric["MetricName"]), []).append(names)
        return found

    def _asked(self, region: str, wanted: Sequence[Wanted], window: Window, told: Told) -> Iterator[Read]:
        room = max(1, _MOST_VALUES // max(1, int((window.end - window.start) // window.step)))
        at_once = max(1, min(_MOST_QUERIES, room) // 2)
        ordered = sorted(wanted, key=lambda each: (each.component, each.use))
        found: dict[tuple[str, Use], tuple[Wanted, Values]] = {}
        for first in range(0, len(ordered), at_once):
            part = ordered[first : first + at_once]
            queries = {f"q{n}": _Query(each, peak) for n, (each, peak) in enumerate(_both(part))}
            about = sorted({each.component for each in part})
            ask = partial(self._data, region, queries, window)
            answered = told.tried(
                ask, f"cloudwatch:GetMetricData in {region}",
                self._plane.permission("cloudwatch", DATA), about,
            )  # fmt: skip
            for query_id, values, status in answered or ():
                query = queries[query_id]
                if status in ("Forbidden", "InternalError"):
                    _refused(told, region, query.wanted, status, self._plane.permission("cloudwatch", DATA))
                _, kept = found.setdefault((query.wanted.component, query.wanted.use), (query.wanted, {}))
                _added(kept, values, query)
        for (component, use), (first_wanted, merged) in found.items():
            points = [_point(at, *merged[at]) for at in sorted(merged) if merged[at][0]]
            if points:
                name = f"{first_wanted.namespace} {first_wanted.metric}"
                seen = replace(first_wanted.window, step=window.step)
                yield Read(component, use, first_wanted.unit, name, seen, points, first_wanted.instance_type)

    def _data(
        self, region: str, queries: Mapping[str, _Query], window: Window
    ) -> list[tuple[str, list[tuple[float, float]], str]]:
        asked: Answer = {
            "StartTime": datetime.fromtimestamp(window.start, UTC),
            "EndTime": datetime.fromtimestamp(window.end, UTC),
            "ScanBy": "TimestampAscending",
            "MetricDataQueries": [_statement(name, each, window.step) for name, each in queries.items()],
        }
        found = []
        for page in self._plane.pages("cloudwatch", DATA, region, asked):
            for each in page.get("MetricDataResults", ()):
                moments = (moment(at) for at in each.get("Timestamps", ()))
                pairs = [(at, float(v)) for at, v in zip(moments, each.get("Values", ()), strict=True) if at]
                found.append((str(each["Id"]), pairs, str(each.get("StatusCode", ""))))
        return found


def _both(wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, bool]]:
    for each in wanted:
        yield each, False
        yield each, True


def _statement(name: str, query: _Query, step: int) -> dict[str, Any]:
    wanted = query.wanted
    # Of what is free the least is the most that is used.
    peak = "Minimum" if wanted.free else "Maximum"
    dimensions = [{"Name": key, "Value": value} for key, value in wanted.dimensions]
    metric = {"Namespace": wanted.namespace, "MetricName": wanted.metric, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": step, "Stat": peak if query.peak else "Average"}
    return {"Id": name, "MetricStat": stat, "ReturnData": True}


def _added(kept: Values, values: Sequence[tuple[float, float]], query: _Query) -> None:
    for at, value in values:
        means, peaks = kept.setdefault(at, ([], []))
        (peaks if query.peak else means).append(query.wanted.share(value))


def _point(at: float, means: Sequence[float], peaks: Sequence[float]) -> Point:
    return at, sum(means) / len(means), max(peaks, default=None)


def _refused(told: Told, region: str, wanted: Wanted, status: str, permission: str) -> None:
    subject = f"{wanted.namespace} in {region}"
    if status == "Forbidden":
        told.note(
            "permission_missing", subject, "CloudWatch does not give these values", f"grant {permission}",
            components=[wanted.component], permission=permission,
        )  # fmt: skip
    else:
        told.note(
            "no_answer", subject, "CloudWatch answers with a fault", "run it again",
            components=[wanted.component],
        )  # fmt: skip


def _finest(window: Window) -> Window:
    """Return the window with the finest resolution that CloudWatch still has of it."""
    return window.finer(max(_kept_step(window), 60 * round((window.end - window.start) / 1000 / 60)))


def _kept_step(window: Window) -> int:
    """Return the finest step of which CloudWatch still has values of a window's beginning."""
    age = datetime.now(UTC).timestamp() - window.start
    return next((each for kept, each in _KEPT if age <= kept), 3600)
