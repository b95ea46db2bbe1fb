"""What machines of Google Cloud and Azure use, by servers that hold requests to the published forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from heavylift.connections import connection_from_fields
from heavylift.evidence.inventory_records import Component, Kind
from heavylift.evidence.utilisation_records import UseSeries
from heavylift.platforms.control import Limits
from heavylift.platforms.planes import open_control_plane
from heavylift.utilisation.azure import AzureMonitor
from heavylift.utilisation.figures import figures_of
from heavylift.utilisation.gcp import CloudMonitoring
from heavylift.utilisation.model import Told, Window
from tests.support.discovery import load
from tests.support.google_json_server import google_json
from tests.support.json_server import JsonServer

HOUR, START = 3600, 1_790_000_000.0 // 3600 * 3600
WINDOW = Window(START, START + 6 * HOUR, HOUR)
PROJECT, SUB = "p-1", "11111111-2222-3333-4444-555555555555"


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def component(native_type: str, id_: str, **attributes: Any) -> Component:
    return Component(
        id=id_, platform="x", service="x", kind=Kind.INSTANCE, native_type=native_type,
        name=id_.rpartition("/")[2], attributes_json=json.dumps(attributes),
    )  # fmt: skip


def used(
    platform: str, reader: Any, raw: dict[str, Any], components: Sequence[Component]
) -> tuple[dict[tuple[str, str], UseSeries], Told]:
    plane = open_control_plane(platform, connection_from_fields("c", raw), Limits())
    told = Told()
    try:
        made = reader(plane)
        wanted = [each for each in components if made.wants(each)]
        reads = list(made.read(wanted, components, WINDOW, told))
    finally:
        plane.close()
    names = {each.id: each.name for each in components}
    found = {}
    for each in reads:
        part = each.component.partition("#")
        found[names[part[0]] + "".join(part[1:]), each.use] = figures_of(each)
    return found, told


VERTEX = f"//aiplatform.googleapis.com/projects/{PROJECT}/locations/l"
ZONE = f"//compute.googleapis.com/projects/{PROJECT}/zones/z"
BOOKS = f"//notebooks.googleapis.com/projects/{PROJECT}/locations/z"
MODEL = {"dedicatedResources": {"machineSpec": {"machineType": "g2-standard-4"}}}
GOOGLE = [
    component(
        "GCP::VertexAI::Endpoint", f"{VERTEX}/endpoints/77",
        deployedModels=[MODEL],
    ),
    component(
        "GCP::VertexAI::CustomJob", f"{VERTEX}/customJobs/88",
        startTime=iso(START + HOUR), endTime=iso(START + HOUR + 1800),
    ),
    component("GCP::Compute::Instance", f"{ZONE}/instances/vm", id="991"),
    component("GCP::Notebooks::Instance", f"{BOOKS}/instances/vm"),
    component("GCP::Notebooks::Instance", f"{BOOKS}/instances/lone"),
    component("GCP::SQL::Instance", f"//sqladmin.googleapis.com/projects/{PROJECT}/instances/db"),
    component("GCP::Compute::Disk", f"{ZONE}/disks/no-machine"),
]  # fmt: skip
VALUES = {
    "aiplatform.googleapis.com/prediction/online/cpu/utilization": ("77", 2.0),
    "aiplatform.googleapis.com/prediction/online/memory/bytes_used": ("77", 4.0 * 2**30),
    "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle": ("77", 0.8),
    "ml.googleapis.com/training/accelerator/utilization": ("88", 0.9),
    "compute.googleapis.com/instance/cpu/utilization": ("991", 0.25),
    "agent.googleapis.com/memory/percent_used": ("991", 40.0),
    "cloudsql.googleapis.com/database/cpu/utilization": (f"{PROJECT}:db", 0.1),
}


def time_series(query: dict[str, str]) -> Any:
    """Answer in two pages, the newest value first; a peak is twice the mean; the third hour is missing."""
    assert query["aggregation.perSeriesAligner"].removeprefix("ALIGN_") == query[
        "aggregation.crossSeriesReducer"
    ].removeprefix("REDUCE_")
    name = query["filter"].split('"')[1]
    if name.startswith("agent.googleapis.com/gpu"):
        message = f'Cannot find metric(s) that match type = "{name}"'
        return 404, {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}
    key, value = VALUES.get(name, ("", 0.0))
    if f'"{key}"' not in query["filter"]:
        return {}
    label = query["aggregation.groupByFields"].rpartition(".")[2]
    step = int(query["aggregation.alignmentPeriod"].removesuffix("s"))
    times = 2.0 if query["aggregation.perSeriesAligner"] == "ALIGN_MAX" else 1.0
    ends = [START + step * (n + 1) for n in range(int(6 * HOUR / step))]
    points = [
        {"interval": {"startTime": iso(end), "endTime": iso(end)}, "value": {"doubleValue": value * times}}
        for end in reversed(ends)
        if not START + 2 * HOUR < end <= START + 3 * HOUR
    ]
    half = len(points) // 2
    page = points[half:] if "pageToken" in query else points[:half]
    resource = {"type": query["filter"].split('"')[3], "labels": {label: key}}
    found = {"metric": {"type": name}, "resource": resource, "metricKind": "GAUGE", "valueType": "DOUBLE",
             "points": page}  # fmt: skip
    load("monitoring.v3").check_value("TimeSeries", found, "series")
    return {"timeSeries": [found], **({} if "pageToken" in query else {"nextPageToken": "more"})}


def google(monitoring: Any = time_series) -> tuple[dict[tuple[str, str], UseSeries], Told, list[Any]]:
    methods = {
        ("monitoring.v3", f"v3/projects/{PROJECT}/timeSeries"): monitoring,
        ("cloudresourcemanager.v3", f"v3/projects/{PROJECT}"): lambda _: {"name": "projects/5"},
    }
    with google_json(methods) as (url, asked):
        extra = {"project": PROJECT, "endpoint_url": url, "anonymous": True}
        raw = {"conn_type": "google_cloud_platform", "extra": extra}
        found, told = used("gcp", CloudMonitoring, raw, GOOGLE)
    return found, told, asked


def test_google_endpoints_jobs_machines_and_databases() -> None:
    found, told, asked = google()
    cpu = found["77", "cpu"]
    # Two of the four cores of a g2-standard-4; its 16 GiB.
    assert (cpu.unit, cpu.p50, cpu.peak) == ("share", 0.5, 1.0)
    assert found["77", "memory"].p50 == 0.25
    assert found["77", "gpu"].p50 == 0.8
    assert (cpu.points, cpu.expected, round(cpu.gap_share, 3)) == (5, 6, 0.167)
    [gap] = cpu.gaps
    assert (gap.start.timestamp(), gap.end.timestamp()) == (START + 2 * HOUR, START + 3 * HOUR)
    # The job ran for half an hour, and is read each five minutes.
    job = found["88", "gpu"]
    assert (job.resolution_seconds, job.points, job.gaps) == (300, 6, ())
    # The notebook is the machine of its name.
    assert found["vm", "cpu"].p50 == 0.25
    assert found["vm", "memory"].p50 == 0.4
    assert found["db", "cpu"].p50 == 0.1
    assert not any(name == "no-machine" for name, _ in found)
    rules = {(each.rule, each.subject) for each in told.findings}
    assert rules == {("not_published", "GCP::Notebooks::Instance")}
    assert not told.refused
    assert any("pageToken" in query for _, query in asked)


def test_google_that_refuses_is_told_once_for_each_metric() -> None:
    denied = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}
    found, told, _ = google(lambda _query: (403, denied))
    assert found == {}
    assert told.refused
    assert {each.permission for each in told.findings if each.permission} == {"monitoring.timeSeries.list"}


WORKSPACE = f"/subscriptions/{SUB}/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
AZURE = [
    component("Azure::MachineLearning::OnlineEndpoint", f"{WORKSPACE}/onlineEndpoints/score"),
    component(
        "Azure::MachineLearning::Job", f"{WORKSPACE}/jobs/it's-a-job",
        properties={"startTimeUtc": iso(START + HOUR), "endTimeUtc": iso(START + 2 * HOUR)},
    ),
    component("Azure::MachineLearning::Compute", f"{WORKSPACE}/computes/notebook"),
    component("Azure::Compute::VirtualMachine",
              f"/subscriptions/{SUB}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"),
    component("Azure::PostgreSQL::Server",
              f"/subscriptions/{SUB}/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/db"),
]  # fmt: skip
PERCENT = {
    "CpuUtilizationPercentage": 30.0, "GpuUtilizationPercentage": 60.0, "Percentage CPU": 20.0,
    "Available Memory Percentage": 75.0, "cpu_percent": 10.0, "memory_percent": 50.0,
}  # fmt: skip
_QUERY = {"api-version", "metricnames", "timespan", "interval", "aggregation", "$filter", "metricnamespace"}
"""Parameters that the reference of Metrics - List has, as far as they matter here."""


def azure_answers(_http: str, target: str, _body: Any) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(target)
    path, query = unquote(parts.path), dict(parse_qsl(parts.query))
    assert "api-version" in query
    if path.endswith("/deployments"):
        return 200, {"value": [{"name": "blue"}, {"name": "green"}]}
    if not path.endswith("/providers/Microsoft.Insights/metrics"):
        return 404, {"error": {"code": "ResourceNotFound", "message": path}}
    assert set(query) <= _QUERY
    name, resource = query["metricnames"], path.removesuffix("/providers/Microsoft.Insights/metrics")
    if resource.endswith("deployments/green"):
        return 403, {"error": {"code": "AuthorizationFailed", "message": "no"}}
    if "virtualMachines" not in resource and name in ("Percentage CPU", "Available Memory Percentage"):
        return 400, {"code": "BadRequest", "message": f"Failed to find metric configuration for {name}"}
    if resource == WORKSPACE:
        assert query["$filter"] == "RunId eq 'it''s-a-job'"
    if name not in PERCENT:
        return 200, {"value": [{"name": {"value": name}, "timeseries": []}]}
    step = {"PT1H": HOUR, "PT5M": 300}[query["interval"]]
    begin, end = (datetime.fromisoformat(each).timestamp() for each in query["timespan"].split("/"))
    wanted = query["aggregation"].lower().split(",")
    other = 0.8 if wanted[1] == "minimum" else 1.5
    data = [
        {"timeStamp": iso(at), wanted[0]: PERCENT[name], wanted[1]: PERCENT[name] * other}
        if at != START + 4 * HOUR
        else {"timeStamp": iso(at)}
        for at in range(int(begin), int(end), step)
    ]
    series = [{"metadatavalues": [], "data": data}]
    value = {"id": f"{resource}/x", "type": "Microsoft.Insights/metrics", "unit": "Percent",
             "name": {"value": name, "localizedValue": name}, "timeseries": series}  # fmt: skip
    return 200, {"timespan": query["timespan"], "interval": query["interval"], "value": [value]}


def test_azure_deployments_jobs_machines_and_databases() -> None:
    server = JsonServer(azure_answers)
    extra = {"subscriptionId": SUB, "endpoint_url": server.url, "anonymous": True}
    try:
        found, told = used("azure", AzureMonitor, {"conn_type": "azure", "extra": extra}, AZURE)
    finally:
        server.close()
    cpu = found["score#blue", "cpu"]
    assert (cpu.unit, cpu.p50, round(cpu.peak or 0, 3)) == ("share", 0.3, 0.45)
    assert found["score#blue", "gpu"].p50 == 0.6
    # A moment without a value is a gap.
    assert (cpu.points, cpu.expected, len(cpu.gaps)) == (5, 6, 1)
    job = found["it's-a-job", "gpu"]
    assert (job.resolution_seconds, job.points) == (300, 12)
    memory = found["vm", "memory"]
    # 75 % are free on the mean and 60 % at the least.
    assert (memory.p50, memory.peak) == (0.25, 0.4)
    assert (found["db", "cpu"].p50, found["db", "memory"].p50) == (0.1, 0.5)
    told_of = {(each.rule, each.first.rpartition("/")[2]) for each in told.findings}
    assert told_of == {("permission_missing", "score"), ("not_published", "notebook")}
    assert not any(name == "score#green" for name, _ in found)
