"""A Google project of known content, over HTTP: nothing overlooked, nothing invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.inventory.systems import take, take_graph
from tests.support.rest_server import Api, serving
from tests.support.seeded_project import HERE, PROJECT, REGION, SECRET, api, seed


def connection(made: Api) -> dict[str, Any]:
    extra = {"project": PROJECT, "endpoint_url": made.url, "anonymous": True}
    return {"conn_type": "google_cloud_platform", "extra": extra}


def test_components_and_edges_are_those_of_the_truth(tmp_path: Path) -> None:
    made = api()
    truth = seed(made)
    with serving(made):
        found = take("gcp", connection(made), tmp_path)
    assert found.ids == truth.components
    assert found.record.complete, found.record.findings
    graph = take_graph(tmp_path, "gcp").graph
    assert {(edge.source, edge.target) for edge in graph.edges if edge.explicit} == truth.explicit
    assert {(edge.source, edge.target) for edge in graph.edges if not edge.explicit} == truth.inferred
    assert {each.reference.target for each in graph.outside} == truth.outside
    assert not any(SECRET in each.attributes_json for each in found.components)
    assert any("pageToken=1" in each for each in made.asked)


def test_what_is_refused_off_or_partly_there_is_told(tmp_path: Path) -> None:
    made = api()
    seed(made)
    reason = {"reason": "SERVICE_DISABLED", "domain": "googleapis.com"}
    off = {"error": {"code": 403, "message": "not used", "status": "PERMISSION_DENIED", "details": [reason]}}
    denied = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}
    made.refused = {
        "redis": (403, off),
        f"aiplatform/v1/{HERE}/models": (403, denied),
    }
    made.listings[f"workflows/v1/projects/{PROJECT}/locations/-/workflows"] = [
        {"workflows": [], "unreachable": [f"projects/{PROJECT}/locations/{REGION}"]}
    ]
    with serving(made):
        record = take("gcp", connection(made), tmp_path).record
    told = {each.native_type: (each.rule, each.severity.value) for each in record.findings}
    assert told == {
        "GCP::Redis::Instance": ("not_supported", "warning"),
        "GCP::VertexAI::Model": ("permission_missing", "blocker"),
        "GCP::Workflows::Workflow": ("no_answer", "blocker"),
    }
    assert [each.permission for each in record.findings if each.permission] == ["aiplatform.models.list"]
    assert not record.complete
