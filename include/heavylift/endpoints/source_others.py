"""Endpoints of Vertex AI and of Azure ML as the source."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.endpoints.azure_ml import API_VERSION
from heavylift.endpoints.opening import location_of
from heavylift.endpoints.source import (
    SourceDeployment,
    SourceEndpoint,
    gap,
    split_variables,
    told_fields,
)
from heavylift.endpoints.source_aws import read_sagemaker
from heavylift.errors import NotFoundError
from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.platforms.azure.changing import azure_changes
from heavylift.platforms.gcp.changing import google_changes
from heavylift.platforms.rest_changes import RestChanges
from heavylift.spec.sections_endpoints import EndpointKind, EndpointSource

Raw = Mapping[str, Any]
_BY_HAND = "accept it, or set it up on the target by hand"
_MONITOR = "use the section monitor, and accept this"
_SCALING = "use the section autoscaling, and accept this"
_NETWORK = "set target.network, and accept this"
_VERTEX = {
    "predictRequestResponseLoggingConfig": (
        "logged requests are not carried over", "use the section monitor, and accept this",
    ),
    "modelDeploymentMonitoringJob": ("its monitoring is not carried over", _MONITOR),
    "privateServiceConnectConfig": ("private connections are the source's", _NETWORK),
    "network": ("its network is the source's", "set target.network, and accept this"),
    "dedicatedEndpointEnabled": ("a name of its own is not made", _BY_HAND),
    "clientConnectionConfig": ("the target has its own time-out", _BY_HAND),
}  # fmt: skip
_DEPLOYED = {
    "automaticResources": ("the product chooses its machines", "name a machine, and accept this"),
    "sharedResources": ("machines that several models share", "name a machine, and accept this"),
    "explanationSpec": ("explanations are not carried over", _BY_HAND),
    "speculativeDecodingSpec": ("speculative decoding is not carried over", _BY_HAND),
    "enableAccessLogging": ("access logs are not carried over", _BY_HAND),
}
_DEDICATED = {
    "autoscalingMetricSpecs": (
        "its scaling is not carried over",
        "use the section autoscaling, and accept this",
    ),
    "spot": ("machines that may be taken away are not asked for", _BY_HAND),
}
_AZURE = {
    "dataCollector": ("collected requests are not carried over", "use the section monitor, and accept this"),
    "codeConfiguration": (
        "a scoring script in a folder of the workspace", "put it into the image, and accept this",
    ),
    "modelMountPath": ("the path of the model in the container is the target's own", _BY_HAND),
    "requestSettings": ("time-outs and queues are the target's own", _BY_HAND),
}  # fmt: skip


async def read_source(source: EndpointSource, connection: Connection) -> SourceEndpoint | None:
    """Return the source's endpoint; None of a product that is not read. Only reads.

    :raises NotFoundError: there is none of that name.
    """
    if source.kind is EndpointKind.SAGEMAKER:
        return await asyncio.to_thread(read_sagemaker, connection, source.endpoint)
    if source.kind is EndpointKind.VERTEX:
        return await _read_vertex(connection, source.endpoint)
    if source.kind is EndpointKind.AZURE_ML:
        return await _read_azure(connection, source.endpoint)
    return None


async def _read_vertex(connection: Connection, name: str) -> SourceEndpoint:
    location = location_of(connection, None, "")
    api, project = google_changes(connection, f"https://{location}-aiplatform.googleapis.com")
    try:
        path = f"v1/projects/{project}/locations/{location}/endpoints/{name}"
        endpoint = await api.get(path)
        gaps = list(told_fields("endpoint", endpoint, _VERTEX))
        split = {str(key): int(value) for key, value in (endpoint.get("trafficSplit") or {}).items()}
        found = []
        for each in endpoint.get("deployedModels") or ():
            one, more = await _deployed(api, each, split)
            found.append(one)
            gaps += more
    finally:
        await api.close()
    return SourceEndpoint("gcp", tuple(found), tuple(gaps))


async def _deployed(
    api: RestChanges, each: Raw, split: Mapping[str, int]
) -> tuple[SourceDeployment, list[EndpointGap]]:
    ident = str(each["id"])
    name = str(each.get("displayName") or ident)
    resources = each.get("dedicatedResources") or {}
    gaps = [*told_fields(name, each, _DEPLOYED), *told_fields(name, resources, _DEDICATED)]
    version = f"@{each['modelVersionId']}" if each.get("modelVersionId") else ""
    try:
        model = await api.get(f"v1/{each['model']}{version}")
    except NotFoundError:
        model = {}
        gaps.append(gap(f"{name}: model", "its model is gone from the registry", "say all in the spec"))
    container = model.get("containerSpec") or {}
    variables = {str(e["name"]): str(e.get("value") or "") for e in container.get("env") or ()}
    kept, hidden = split_variables(name, variables)
    ports: list[Raw] = container.get("ports") or []
    port = ports[0].get("containerPort") if ports else None
    found = SourceDeployment(
        name,
        str((resources.get("machineSpec") or {}).get("machineType") or ""),
        resources.get("minReplicaCount"),
        resources.get("maxReplicaCount") or resources.get("minReplicaCount"),
        split.get(ident, 0),
        port,
        str(container.get("predictRoute") or ""),
        str(container.get("healthRoute") or ""),
        kept,
    )
    return found, gaps + hidden


async def _read_azure(connection: Connection, name: str) -> SourceEndpoint:
    api, subscription = azure_changes(connection, API_VERSION)
    group, workspace = connection.text("resource_group"), connection.text("workspace")
    path = (
        f"subscriptions/{subscription}/resourceGroups/{group}/providers"
        f"/Microsoft.MachineLearningServices/workspaces/{workspace}/onlineEndpoints/{name}"
    )
    try:
        properties = (await api.get(path)).get("properties") or {}
        listed = (await api.get(f"{path}/deployments")).get("value") or ()
    finally:
        await api.close()
    traffic = properties.get("traffic") or {}
    gaps = []
    if properties.get("mirrorTraffic"):
        gaps.append(gap("endpoint: mirrorTraffic", "mirrored requests are the cutover's", "accept this"))
    if properties.get("publicNetworkAccess") == "Disabled":
        gaps.append(gap("endpoint: publicNetworkAccess", "it is private on the source", _BY_HAND))
    found = []
    for each in listed:
        here = each.get("properties") or {}
        own = str(each["name"])
        gaps += told_fields(own, here, _AZURE)
        kept, hidden = split_variables(own, here.get("environmentVariables") or {})
        gaps += hidden
        count = (each.get("sku") or {}).get("capacity")
        machine, share = str(here.get("instanceType") or ""), int(traffic.get(own) or 0)
        found.append(SourceDeployment(own, machine, count, count, share, variables=kept))
    return SourceEndpoint("azure", tuple(found), tuple(gaps))
