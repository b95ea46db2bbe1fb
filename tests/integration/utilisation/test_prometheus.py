"""What a cluster's workloads use, by a real Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import PermanentError
from heavylift.evidence.inventory_records import Component, Kind
from heavylift.evidence.utilisation_records import UseSeries
from heavylift.platforms.prometheus import MOST_POINTS, Prometheus
from heavylift.spec.sections_assess import UtilisationQuery
from heavylift.utilisation.figures import figures_of
from heavylift.utilisation.model import Read, Told, Window
from heavylift.utilisation.prometheus import Cluster, Own
from tests.support.prometheus_server import prometheus

START = 1_790_000_400.0 - 1_790_000_400.0 % 3600
HOURS, MINUTE, GIB = 8, 60, 2**30
END = START + HOURS * 3600
GAP = range(3 * 60, 5 * 60)
"""Minutes without a value: the fourth and fifth hour."""


def at(minute: int) -> float:
    return START + minute * MINUTE


def minutes() -> list[int]:
    return [each for each in range(-10, HOURS * 60 + 1) if each not in GAP]


def samples() -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}

    def put(name: str, labels: str, value: Any) -> None:
        found[f"{name}{{{labels}}}"] = [(at(n), float(value(n))) for n in minutes()]

    for pod, cores in (("score-5d9c7b-xkcd2", 0.5), ("score-5d9c7b-zzt4q", 1.5), ("score-other-0", 9.0)):
        where = f'namespace="serving",pod="{pod}",container="main"'
        put("container_cpu_usage_seconds_total", where, lambda n, c=cores: 1000 + (n + 10) * MINUTE * c)
        put("container_memory_working_set_bytes", where, lambda _n: GIB)
        if pod != "score-other-0":
            put("container_spec_cpu_quota", where, lambda _n: 200_000)
            put("container_spec_cpu_period", where, lambda _n: 100_000)
            put("container_spec_memory_limit_bytes", where, lambda _n: 4 * GIB)
    free = 'namespace="serving",pod="free-0",container="main"'
    put("container_memory_working_set_bytes", free.replace("free-0", "free-x2k4d"), lambda _n: 3 * GIB)
    put("container_cpu_usage_seconds_total", free, lambda n: 50 + (n + 10) * MINUTE * 0.25)
    put("container_memory_working_set_bytes", free, lambda _n: 2 * GIB)
    for gpu, busy in (("0", 90), ("1", 30)):
        whose = 'exported_namespace="serving",exported_pod="score-5d9c7b-xkcd2"'
        where = f'gpu="{gpu}",{whose},namespace="gpu",pod="dcgm-x"'
        put("DCGM_FI_DEV_GPU_UTIL", where, lambda n, b=busy: b if n % 60 != 30 else 100)
        put("DCGM_FI_DEV_FB_USED", where, lambda _n: 4000)
        put("DCGM_FI_DEV_FB_FREE", where, lambda _n: 12_000)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("prometheus") / "it", samples()) as url:
        made = Prometheus(Connection(conn_id="prom", conn_type="http", host=url))
        yield made
        made.close()


def workload(kind: str, name: str, **more: Any) -> Component:
    attributes = json.dumps(more.pop("attributes", {}))
    return Component(
        id=f"kubernetes://c/apps/{kind}/serving/{name}", platform="kubernetes", service="apps",
        kind=Kind.WORKLOAD, native_type=f"Kubernetes::{kind}", name=name, region="serving",
        attributes_json=attributes, **more,
    )  # fmt: skip


def read(reader: Any, *components: Component) -> tuple[dict[str, UseSeries], list[Read], Told]:
    told = Told()
    found = list(reader.read(components, components, Window(START, END, 3600), told))
    return {each.use: figures_of(each) for each in found}, found, told


def test_shares_of_limits_of_the_workloads_own_pods_with_its_gap_told(server: Prometheus) -> None:
    """The pods of score-other are not those of score, and two hours have no value."""
    uses, reads, told = read(Cluster(server), workload("Deployment", "score"))
    assert not told.findings
    # 0.5 and 1.5 of 2 cores each; 2 of 8 GiB.
    assert (uses["cpu"].unit, uses["cpu"].p50) == ("share", pytest.approx(0.5, abs=0.01))
    assert uses["memory"].p50 == pytest.approx(0.25)
    # The mean of two devices is 0.6; each was at 100 once an hour, which only the peak shows.
    assert uses["gpu"].p50 == pytest.approx(0.63, abs=0.05)
    assert uses["gpu"].peak == pytest.approx(1.0)
    assert uses["gpu_memory"].p50 == pytest.approx(0.25)
    gaps = [(gap.start.timestamp(), gap.end.timestamp()) for gap in uses["memory"].gaps]
    # Prometheus repeats a value for five minutes; what is asked for more rarely has the hour begin with it.
    assert gaps == [(START + 4 * 3600, START + 5 * 3600)]
    assert (uses["memory"].points, uses["memory"].expected) == (HOURS - 1, HOURS)
    assert all(START <= moment < END for each in reads for moment, _, _ in each.points)


def test_amounts_where_a_container_has_no_limit(server: Prometheus) -> None:
    uses, _, told = read(Cluster(server), workload("StatefulSet", "free"))
    assert not told.findings
    assert (uses["cpu"].unit, uses["cpu"].p50) == ("cores", pytest.approx(0.25, abs=0.01))
    assert (uses["memory"].unit, uses["memory"].p50) == ("bytes", 2 * GIB)
    assert set(uses) == {"cpu", "memory"}


def test_a_job_has_the_time_of_its_own(server: Prometheus) -> None:
    status = {"startTime": _iso(at(30)), "completionTime": _iso(at(60))}
    job = workload("Job", "free", attributes={"status": status})
    uses, _, _ = read(Cluster(server), job)
    assert uses["memory"].p50 == 3 * GIB
    assert (uses["memory"].resolution_seconds, uses["memory"].points) == (60, 30)
    assert not uses["memory"].gaps


def test_hostile_names_ask_for_nothing_else(server: Prometheus) -> None:
    uses, _, told = read(Cluster(server), workload("Deployment", 'x"} or up{a="'))
    assert (uses, told.findings) == ({}, ())


def test_queries_of_ones_own(server: Prometheus) -> None:
    component = workload("Pod", "a-notebook")
    wanted = [
        UtilisationQuery.model_validate(
            {"component": component.id, "use": "gpu", "query": "avg(DCGM_FI_DEV_GPU_UTIL)", "unit": "percent"}
        ),
        UtilisationQuery.model_validate({"component": "nowhere", "use": "cpu", "query": "up"}),
        UtilisationQuery.model_validate({"component": component.id, "use": "cpu", "query": "no((query"}),
    ]
    uses, _, told = read(Own(server, wanted), component)
    assert uses["gpu"].p50 == pytest.approx(0.63, abs=0.05)
    rules = {(each.rule, each.first) for each in told.findings}
    assert rules == {("no_values", "nowhere"), ("no_values", component.id)}
    assert any("parse" in each.detail for each in told.findings)


def test_a_long_range_comes_in_parts_and_a_wrong_query_is_told(server: Prometheus) -> None:
    before = server.requests
    [series] = server.ranged("vector(1)", START, START + (MOST_POINTS + 99) * 15, 15)
    assert server.requests - before == 2
    moments = [moment for moment, _ in series.points]
    assert len(moments) == MOST_POINTS + 100
    assert all(later - earlier == 15 for earlier, later in pairwise(moments))
    with pytest.raises(PermanentError, match="parse"):
        server.ranged("sum(", START, END, 3600)


def _iso(moment: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).isoformat()
