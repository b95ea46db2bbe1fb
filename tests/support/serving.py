"""Endpoints as the three products serve them, each against a server that checks requests or plays AWS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.endpoints.api import Acted, apply_endpoints, plan_endpoints, remove_endpoints
from heavylift.endpoints.requests import EndpointsRequest
from heavylift.evidence.endpoint_records import EndpointsRecord
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_endpoints import Endpoint
from tests.support.serving_azure import ServingAzure
from tests.support.serving_vertex import ServingVertex
from tests.support.traffic_moto import MotoSide

RUN = RunKey(migration="fraud", phase="endpoints", run="1")
ROLE = "arn:aws:iam::123456789012:role/serving"
_MACHINES = {"vertex": "g2-standard-8", "azure_ml": "Standard_NC24ads_A100_v4", "sagemaker": "ml.m5.large"}
_ARTIFACTS = {
    "vertex": "gs://models/fraud/1/",
    "azure_ml": "azureml://datastores/models/paths/fraud/1/",
    "sagemaker": "s3://models/fraud/1/model.tar.gz",
}
Server = ServingVertex | ServingAzure | MotoSide


def deployment(product: str, name: str, traffic: int, **more: Any) -> dict[str, Any]:
    """Return a deployment of an artefact in the spec's words."""
    return {
        "name": name, "model": {"artifact": _ARTIFACTS[product]}, "image": "registry.example/score:1",
        "machine": _MACHINES[product], "min_replicas": 1, "traffic": traffic,
        "variables": [{"name": "LEVEL", "value": "info"}], **more,
    }  # fmt: skip


def endpoint(product: str, *deployments: dict[str, Any], **more: Any) -> Endpoint:
    """Return an endpoint; by default of two deployments, 80 % and 20 %."""
    role = {"role": ROLE} if product == "sagemaker" else {}
    target = {"kind": product, "connection": "there", "endpoint": "score", **role, **more.pop("target", {})}
    serving = deployments or (deployment(product, "blue", 80), deployment(product, "green", 20))
    return Endpoint.model_validate({"name": "score", "target": target, "deployments": list(serving), **more})


def request(server: Server, *endpoints: Endpoint, spec_path: Path | None = None) -> EndpointsRequest:
    """Return what is asked for, of a migration called fraud."""
    return EndpointsRequest(
        RUN, endpoints, {"there": connection_of(server)}, "us-east-1", "gcp", str(spec_path or "")
    )


def connection_of(server: Server) -> Connection:
    return server.made() if isinstance(server, MotoSide) else server.connection


async def brought_up(asked: EndpointsRequest, most: int = 60) -> EndpointsRecord:
    """Plan, approve and apply until nothing is under way."""
    plan = await plan_endpoints(asked)
    return (await _until(lambda begun: apply_endpoints(asked, plan.digest, begun), most)).record


async def taken_down(asked: EndpointsRequest, most: int = 60) -> EndpointsRecord:
    """Plan the removal, approve it and remove until nothing is under way."""
    plan = await plan_endpoints(asked, removal=True)
    return (await _until(lambda begun: remove_endpoints(asked, plan, begun), most)).record


async def _until(act: Callable[[Any], Any], most: int) -> Acted:
    begun: Any = None
    for _ in range(most):
        acted: Acted = await act(begun)
        if not acted.waits_for:
            return acted
        # As a deferred task gets it back: through JSON.
        begun = json.loads(json.dumps(acted.begun))
        begun = {name: [tuple(key) for key in keys] for name, keys in begun.items()}
        await asyncio.sleep(0)
    raise AssertionError(f"still under way: {acted.waits_for}")
