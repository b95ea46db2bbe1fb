"""Use of a cluster's workloads by Prometheus: cAdvisor for cores and memory, DCGM for accelerators."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from heavylift.errors import PermanentError
from heavylift.evidence.utilisation_records import Unit, Use
from heavylift.spec.sections_assess import UseUnit
from heavylift.utilisation.model import Point, Read, Told, Window, first_moment

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.platforms.prometheus import Prometheus
    from heavylift.spec.sections_assess import UtilisationQuery

_RATE_SECONDS = 300
_SAFE = "[bcdfghjklmnpqrstvwxz2-9]"
"""The letters and digits of which Kubernetes makes the ends of names: no vowels, so that words are none."""
_END = _SAFE + "{5}"
_PODS = {
    "Kubernetes::Deployment": f"-{_SAFE}{{1,10}}-{_END}",
    "Kubernetes::ReplicaSet": f"-{_END}",
    "Kubernetes::StatefulSet": "-[0-9]+",
    "Kubernetes::DaemonSet": f"-{_END}",
    "Kubernetes::Pod": "",
    "Kubernetes::Job": f"-([0-9]+-)?{_END}",
    "Kubernetes::Notebook": "-0",
    "Kubernetes::InferenceService": "-(predictor|transformer|explainer)-.+",
    "Kubernetes::PyTorchJob": "-(master|worker)-[0-9]+",
    "Kubernetes::TFJob": "-(chief|ps|worker|master|evaluator)-[0-9]+",
}
"""Kind → how the names of its pods go on after its own."""
_NODE = "Kubernetes::Node"
_JOBS = frozenset({"Kubernetes::Job", "Kubernetes::PyTorchJob", "Kubernetes::TFJob"})
_JOB_STEP = 60


@dataclass(frozen=True)
class Expression:
    """What tells one use: ``peak`` is the same of the busiest; ``amount`` without a limit to divide by."""

    use: Use
    mean: str
    peak: str
    amount: str = ""
    unit: Unit = "share"


class Cluster:
    """Reads the workloads of one cluster."""

    def __init__(self, server: Prometheus) -> None:
        self._server = server

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return self._server.requests

    def wants(self, component: Component) -> bool:
        """Tell whether a component has pods, or is a node."""
        return component.native_type in _PODS or component.native_type == _NODE

    def is_job(self, component: Component) -> bool:
        """Tell whether a component has pods only while it runs."""
        return component.native_type in _JOBS

    def close(self) -> None:
        """Close all connections."""
        self._server.close()

    def read(
        self, components: Sequence[Component], listed: Sequence[Component], window: Window, told: Told
    ) -> Iterator[Read]:
        """Yield the series of those components that have any."""
        del listed
        for component in components:
            seen: Window | None = window
            if self.is_job(component):
                status = component.attributes.get("status") or {}
                start = first_moment({**status, "created": component.created_at}, "startTime", "created")
                seen = window.finer(_JOB_STEP).within(start, first_moment(status, "completionTime"))
            if seen is None:
                continue
            for each in expressions_of(component):
                points = self._points(each.mean, each.peak, seen, component.id, told)
                unit, metric = each.unit, each.mean
                if not points and each.amount:
                    points = self._points(each.amount, each.amount, seen, component.id, told)
                    unit, metric = ("cores" if each.use == "cpu" else "bytes"), each.amount
                if points:
                    yield Read(component.id, each.use, unit, _named(metric), seen, points)

    def _points(self, mean: str, peak: str, window: Window, component: str, told: Told) -> list[Point]:
        return asked(self._server, mean, peak, window, [component], told)


class Own:
    """Asks what the spec itself asks of Prometheus."""

    def __init__(
        self, server: Prometheus, queries: Sequence[UtilisationQuery], *, counts: bool = True
    ) -> None:
        self._server, self._queries, self._counts = server, tuple(queries), counts
        self._named = {each.component for each in queries}

    @property
    def requests(self) -> int:
        """Requests sent up to now, unless another reader counts those of the same server."""
        return self._server.requests if self._counts else 0

    def wants(self, component: Component) -> bool:
        """Tell whether a query names the component."""
        return component.id in self._named

    def is_job(self, component: Component) -> bool:
        """Tell that it is asked for over the whole time."""
        return False

    def close(self) -> None:
        """Close all connections."""
        self._server.close()

    def read(
        self, components: Sequence[Component], listed: Sequence[Component], window: Window, told: Told
    ) -> Iterator[Read]:
        """Yield the series of those components that have any."""
        known = {each.id for each in listed}
        missing = sorted(self._named - known)
        if missing:
            told.note(
                "no_values", "assess.utilisation.queries", "the inventory has no such component",
                "correct the id", components=missing,
            )  # fmt: skip
        there = {each.id for each in components}
        for query in self._queries:
            if query.component not in there:
                continue
            factor = 0.01 if query.unit is UseUnit.PERCENT else 1.0
            points = asked(self._server, query.query, query.query, window, [query.component], told)
            scaled = [
                (at, mean * factor, None if peak is None else peak * factor) for at, mean, peak in points
            ]
            if scaled:
                yield Read(query.component, query.use.value, "share", query.query, window, scaled)


def asked(
    server: Prometheus, mean: str, peak: str, window: Window, about: Sequence[str], told: Told
) -> list[Point]:
    """Return mean and peak of an expression for each step; the moment is the step's beginning."""
    step = window.step
    fine = min(_RATE_SECONDS, step)
    over = {
        "avg": f"avg_over_time(({mean})[{step}s:{fine}s])",
        "max": f"max_over_time(({peak})[{step}s:{fine}s])",
    }
    found: dict[str, dict[float, list[float]]] = {}
    for name, query in over.items():
        # A second before the step ends: the value at its end is the next step's.
        ask = partial(server.ranged, query, window.start + step - 1, window.end - 1, step)
        try:
            answered = told.tried(ask, "Prometheus", "to read it", about) or []
        except PermanentError as error:
            told.note("no_values", mean[:200], error.got, "correct the query", components=about)
            return []
        values: dict[float, list[float]] = defaultdict(list)
        for series in answered:
            for at, value in series.points:
                values[at + 1 - step].append(max(0.0, value))
        found[name] = values
    return [
        (at, sum(values) / len(values), max(found["max"].get(at, ()), default=None))
        for at, values in sorted(found["avg"].items())
    ]


def expressions_of(component: Component) -> list[Expression]:
    """Return what tells the use of one component."""
    if component.native_type == _NODE:
        return _of_node(component.name)
    pods = re.escape(component.name).replace("\\-", "-") + _PODS[component.native_type]
    namespace, pod = json.dumps(component.region), json.dumps(pods)
    where = f'namespace={namespace},pod=~{pod},container!="",container!="POD"'
    cores = f"rate(container_cpu_usage_seconds_total{{{where}}}[{_RATE_SECONDS}s])"
    quota = f"container_spec_cpu_quota{{{where}}} / container_spec_cpu_period{{{where}}}"
    memory = f"container_memory_working_set_bytes{{{where}}}"
    limit = f"container_spec_memory_limit_bytes{{{where}}} > 0"
    return [
        _divided("cpu", cores, quota),
        _divided("memory", memory, limit),
        *_devices(f"exported_namespace={namespace},exported_pod=~{pod}", f"namespace={namespace},pod=~{pod}"),
    ]


def _divided(use: Use, used: str, limit: str) -> Expression:
    """Return the share of the limits, where each container has one; without them it would mean nothing."""
    some = f"unless on() (count({used}) != count({limit}))"
    share = f"(sum({used}) / sum({limit})) {some}"
    return Expression(use, share, share, amount=f"sum({used})")


def _devices(exported: str, honoured: str) -> list[Expression]:
    def of(name: str) -> str:
        return f"({name}{{{exported}}} or {name}{{{honoured}}})"

    busy, used, free = (of(f"DCGM_FI_DEV_{each}") for each in ("GPU_UTIL", "FB_USED", "FB_FREE"))
    full = f"{used} / ({used} + {free})"
    return [
        Expression("gpu", f"avg({busy}) / 100", f"max({busy}) / 100"),
        Expression("gpu_memory", f"avg({full})", f"max({full})"),
    ]


def _of_node(name: str) -> list[Expression]:
    node = f"node={json.dumps(name)}"
    instance = f"instance=~{json.dumps(re.escape(name).replace(chr(92) + '-', '-') + '(:[0-9]+)?')}"

    def of(metric: str, more: str = "", over: str = "") -> str:
        found = [f"{metric}{{{more}{label}}}{over}" for label in (node, instance)]
        return f"({' or '.join(f'rate({each})' if over else each for each in found)})"

    cores = of("container_cpu_usage_seconds_total", 'id="/",', f"[{_RATE_SECONDS}s]")
    memory = of("container_memory_working_set_bytes", 'id="/",')
    cpu = f"sum({cores}) / sum({of('machine_cpu_cores')})"
    held = f"sum({memory}) / sum({of('machine_memory_bytes')})"
    host = f"Hostname={json.dumps(name)}"
    return [Expression("cpu", cpu, cpu), Expression("memory", held, held), *_devices(host, host)]


def _named(query: str) -> str:
    """Return the first metric of a query, for people."""
    known: Mapping[str, str] = {"container_cpu": "cAdvisor", "container_memory": "cAdvisor", "DCGM": "DCGM"}
    found = re.search(r"(container_\w+|DCGM_\w+)", query)
    if found is None:
        return query[:100]
    return (
        f"{next((by for start, by in known.items() if found[1].startswith(start)), 'Prometheus')} {found[1]}"
    )
