"""The assess phase on Google Cloud, Azure and Kubernetes: their real readers, from inventory to gate."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from heavylift.errors import IncompleteError
from heavylift.platforms.http import HttpClient, Request, Response
from heavylift_airflow.operators.assess import MakeGraphOperator, MakePlanOperator, TakeInventoryOperator
from heavylift_airflow.operators.assess_closing import BuildPlanReportOperator, EvaluatePlanGateOperator
from tests.plugins.world import World, context_of
from tests.support import kubernetes_server, seeded_cluster, seeded_project, seeded_subscription
from tests.support.rest_server import Api

URL = "http://127.0.0.1:9"
"""Nobody listens there: what is asked is answered in this process."""

ASSESS = {"connection": "account", "start": "2026-12-01", "lines": [{"name": "a", "bandwidth": "125MB/s"}]}
Answers = Callable[[Request], tuple[int, Mapping[str, Any]]]
Served = tuple[dict[str, Any], set[str], Answers]
"""How the platform is reached, the ids of what it holds, and what it answers."""


def listings(made: Api) -> Answers:
    made.url = URL
    return lambda request: made.answer(request.url.removeprefix(URL))


def google() -> Served:
    made = seeded_project.api()
    truth = seeded_project.seed(made)
    extra = {"project": seeded_project.PROJECT, "endpoint_url": URL, "anonymous": True}
    return {"conn_type": "google_cloud_platform", "extra": extra}, set(truth.components), listings(made)


def azure() -> Served:
    made = seeded_subscription.api()
    truth = seeded_subscription.seed(made)
    extra = {"subscriptionId": seeded_subscription.SUB, "endpoint_url": URL, "anonymous": True}
    return {"conn_type": "azure", "extra": extra}, set(truth.components), listings(made)


def kubernetes() -> Served:
    made = kubernetes_server.Cluster()
    truth = seeded_cluster.seed(made)

    def answer(request: Request) -> tuple[int, Mapping[str, Any]]:
        parts = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return made.answer(parts.path.strip("/"), query, request.headers["Accept"])

    extra = {"token": kubernetes_server.TOKEN, "cluster_name": seeded_cluster.NAME}
    connection = {"conn_type": "kubernetes", "host": URL, "extra": extra}
    return connection, set(truth.components), answer


SOURCES = {"gcp": google, "azure": azure, "kubernetes": kubernetes}
ACCELERATED = {
    "gcp": {"instances/gpu": ("a2-highgpu-1g", None)},
    "azure": {"managedclusters/prod": ("Standard_NC24ads_A100_v4", None)},
    "kubernetes": {"fraud/serve": ("", 2), "search/serve": ("", 2), "Node/gpu-1": ("", 8)},
}
"""Ends of the ids of what needs accelerators → instance type and devices, as the accounts were seeded."""

UNKNOWN = {
    "gcp": {"repositories/serving", "instances/features", "storage.googleapis.com/ml-raw"},
    "azure": {"registries/images", "flexibleservers/features", "containers/raw", "containers/models"},
    "kubernetes": set[str](),
}
"""Ends of the ids of what holds data whose size nobody tells."""


def run(world: World, kind: type, **more: Any) -> Any:
    made = kind(task_id="task", spec_path=world.spec_path, phase="assess", **more)
    return made.execute(context_of(made))


def planned(world: World) -> dict[str, Any]:
    [path] = world.evidence.glob("**/~assess/input-1.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def end(component: Mapping[str, Any]) -> str:
    return "/".join(component["id"].rsplit("/", 2)[1:])


@pytest.mark.parametrize("platform", list(SOURCES))
def test_a_source_is_listed_planned_and_judged(
    platform: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, ids, answers = SOURCES[platform]()

    async def send(client: HttpClient, request: Request) -> Response:
        status, answer = answers(request)
        body = json.dumps(answer).encode()
        if status >= 400:
            error = client._read_error(request, status, {}, body)
            assert error is not None
            raise error
        return Response(status, {}, body)

    monkeypatch.setattr(HttpClient, "send", send)
    monkeypatch.setenv("AIRFLOW_CONN_ACCOUNT", json.dumps(connection))
    target = {"platform": "aws", "connection": "there", "region": "eu-west-1"}
    source = {"platform": platform, "connection": "account"}
    world.save(source=source, target=target, datasets=[], gates=[], assess=ASSESS)
    taken = run(world, TakeInventoryOperator)
    assert (taken["components"], taken["complete"]) == (len(ids), True)
    assert run(world, MakeGraphOperator)["edges"] > 0
    plan = run(world, MakePlanOperator)
    run(world, BuildPlanReportOperator)
    given = planned(world)
    assert {each["id"] for each in given["components"]} == ids
    uses = {end(each): each["accelerator"] for each in given["components"] if each.get("accelerator")}
    assert {id: (use["instance_type"], use["count"]) for id, use in uses.items()} == ACCELERATED[platform]
    # Nobody tells how large they are: that holds the gate, and nothing is made up.
    unknown = {end(each) for each in given["components"] if "size_bytes" in each.get("unknown", ())}
    assert unknown == UNKNOWN[platform]
    assert plan["unknown_sizes"] == len(unknown) == plan["open_blockers"]
    with pytest.raises(IncompleteError, match="AS-242" if unknown else "in no list"):
        run(world, EvaluatePlanGateOperator, gate="plan-approved")
