"""Azure ML: model version, environment version, online endpoint, online deployments, traffic.

Everything is put under a name chosen here; what is put twice is the same thing. Tags say whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.endpoints.ports import (
    ENDPOINT,
    OWNER,
    Seen,
    Thing,
    WantedDeployment,
    WantedEndpoint,
    differing,
)
from heavylift.errors import ConnectionConfigError, IntegrityError, NotFoundError, PreconditionError
from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.platforms.azure.changing import azure_changes
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.tokens import may_carry_tokens

API_VERSION = "2025-12-01"
_EPOCH = "heavylift"
"""The tag that the traffic adapter of a cutover writes."""
_VERSION = "1"
_ALL = 100
_SETTLED, _FAILED = "Succeeded", frozenset({"Failed", "Canceled"})
_KEPT = ("location", "tags", "identity", "kind", "sku")
_KEPT_PROPERTIES = (
    "authMode",
    "compute",
    "description",
    "properties",
    "publicNetworkAccess",
    "mirrorTraffic",
)
Raw = Mapping[str, Any]


class AzureMlServing:
    """One workspace.

    :param connection: type ``azure`` with ``subscription_id``, ``resource_group`` and ``workspace``.
    """

    product = "azure_ml"

    def __init__(self, connection: Connection, location: str) -> None:
        self._api, subscription = azure_changes(connection, API_VERSION)
        group, workspace = connection.text("resource_group"), connection.text("workspace")
        if not group or not workspace:
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for endpoints of Azure ML",
                got=f"resource_group {group!r} and workspace {workspace!r}",
                expected="both, as extra fields",
                state="nothing was touched",
                remedy=f"complete connection {connection.conn_id!r}",
                code="9285",
            )
        self._location = location
        self._parent = (
            f"subscriptions/{subscription}/resourceGroups/{group}/providers"
            f"/Microsoft.MachineLearningServices/workspaces/{workspace}"
        )

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    def gaps(self, wanted: WantedEndpoint) -> Sequence[EndpointGap]:
        """Name what needs autoscaling rules: a deployment itself has one number of machines."""
        return [
            EndpointGap(
                subject=f"{each.name}: max_replicas {each.max_replicas}",
                what=f"a deployment of Azure ML has a fixed number of machines: {each.min_replicas}",
                remedy="translate the policy by the section autoscaling, apply its rules, and accept this",
            )
            for each in wanted.deployments
            if each.max_replicas != each.min_replicas
        ]

    async def things(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return models, environments, endpoint, deployments and traffic."""
        before, deployed = [], []
        for each in wanted.deployments:
            model, made = await self._model(wanted, each)
            environment, put = self._environment(wanted, each)
            before += [*made, *put]
            path = f"{self._endpoint(wanted)}/deployments/{each.name}"
            deployed.append(Thing("deployment", each.name, _deployment(each, model, environment), path))
        traffic = {each.name: each.traffic for each in wanted.deployments if each.traffic}
        path = self._endpoint(wanted)
        endpoint = Thing("endpoint", wanted.endpoint, {} if wanted.existing else _endpoint(wanted), path)
        split = Thing("traffic", wanted.endpoint, {"properties": {"traffic": traffic}}, path)
        return [*before, endpoint, *deployed, split]

    async def leftovers(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return deployments with our tags, and what was made for them."""
        try:
            listed = (await self._api.get(f"{self._endpoint(wanted)}/deployments")).get("value") or ()
        except NotFoundError:
            return []
        names = [str(each["name"]) for each in listed if _ours(each, wanted)]
        found = []
        for name in names:
            found.append(Thing("deployment", name, {}, f"{self._endpoint(wanted)}/deployments/{name}"))
            for kind in ("model", "environment"):
                own = f"{wanted.endpoint}-{name}"
                found.append(Thing(kind, own, {}, f"{self._parent}/{kind}s/{own}/versions/{_VERSION}"))
        return found

    async def see(self, wanted: WantedEndpoint, thing: Thing) -> Seen:
        """Look at one thing and at its provisioning."""
        found = await self._got(thing.path)
        if found is None:
            return Seen("absent")
        shared = wanted.existing and thing.kind in {"endpoint", "traffic"}
        if not (shared or _ours(found, wanted)):
            return Seen("foreign")
        state = str((found.get("properties") or {}).get("provisioningState") or _SETTLED)
        if state in _FAILED:
            return Seen("failed", f"the provisioning state {state}; its log in the studio says why")
        if state != _SETTLED:
            return Seen("under_way")
        if thing.kind == "traffic":
            return _traffic_seen(thing, found)
        differs = differing(thing.body, found)
        return Seen("different", differs=tuple(differs)) if differs else Seen("ready")

    async def make(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Put a thing; of the traffic alone the endpoint by itself, with another split."""
        if thing.kind == "traffic":
            endpoint = await self._api.get(thing.path)
            properties = _only(endpoint["properties"], _KEPT_PROPERTIES) | thing.body["properties"]
            await self._put(thing.path, {**_only(endpoint, _KEPT), "properties": properties})
        elif thing.kind in {"model", "environment"}:
            await self._put(thing.path, {"properties": {**thing.body["properties"], "tags": wanted.marks}})
        else:
            await self._put(thing.path, {**thing.body, "location": self._location, "tags": wanted.marks})

    async def remove(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Delete a thing; a deployment first loses its traffic, which Azure ML demands."""
        if thing.kind == "traffic":
            return
        if thing.kind == "deployment":
            endpoint = await self._api.get(self._endpoint(wanted))
            traffic = (endpoint.get("properties") or {}).get("traffic") or {}
            if traffic.get(thing.name):
                left = {name: share for name, share in traffic.items() if share and name != thing.name}
                properties = _only(endpoint["properties"], _KEPT_PROPERTIES)
                properties |= {"mirrorTraffic": {}, "traffic": _filled(left)}
                await self._put(self._endpoint(wanted), {**_only(endpoint, _KEPT), "properties": properties})
                return
        path = await self._whole(thing) if thing.kind in {"model", "environment"} else thing.path
        try:
            await self._api.change("DELETE", path, None)
        except (NotFoundError, PreconditionError):
            # Gone already, or something is under way there, which will be seen.
            return

    async def ask(self, wanted: WantedEndpoint, body: Any) -> Any:
        """Ask the scoring URI, with the endpoint's key."""
        endpoint = await self._api.get(self._endpoint(wanted))
        uri = str((endpoint.get("properties") or {}).get("scoringUri") or "")
        keys = await self._api.change("POST", f"{self._endpoint(wanted)}/listKeys", {})
        return await _scored(uri, str(keys.get("primaryKey") or ""), body)

    def _endpoint(self, wanted: WantedEndpoint) -> str:
        return f"{self._parent}/onlineEndpoints/{wanted.endpoint}"

    async def _model(self, wanted: WantedEndpoint, each: WantedDeployment) -> tuple[str, list[Thing]]:
        model = each.model
        if model.registered:
            path = f"{self._parent}/models/{model.registered}/versions/{model.version}"
            if not wanted.leaving and await self._got(path) is None:
                raise NotFoundError(
                    f"looking for model {model.registered} version {model.version} in the workspace",
                    got="no such version",
                    expected="a version that the phase registry has brought, or that was registered",
                    state="nothing was made",
                    remedy="run the phase registry first, or correct the model's name and version",
                    code="9286",
                )
            return f"/{path}", []
        name = f"{wanted.endpoint}-{each.name}"
        path = f"{self._parent}/models/{name}/versions/{_VERSION}"
        body = {"properties": {"modelUri": model.artifact, "modelType": model.form}}
        return f"/{path}", [Thing("model", name, body, path)]

    def _environment(self, wanted: WantedEndpoint, each: WantedDeployment) -> tuple[str, list[Thing]]:
        if not each.image:
            return each.environment, []
        name = f"{wanted.endpoint}-{each.name}"
        path = f"{self._parent}/environments/{name}/versions/{_VERSION}"
        health = {"path": each.health_route, "port": each.port}
        routes = {
            "livenessRoute": health,
            "readinessRoute": health,
            "scoringRoute": {"path": each.predict_route, "port": each.port},
        }
        body = {"properties": {"image": each.image, "inferenceConfig": routes, "osType": "Linux"}}
        return f"/{path}", [Thing("environment", name, body, path)]

    async def _whole(self, thing: Thing) -> str:
        """Return the container of a version that has no other one, so that not even its name is left."""
        container = thing.path.rpartition("/versions/")[0]
        listed = (await self._api.get(f"{container}/versions")).get("value") or ()
        alone = [str(each.get("name")) for each in listed] == [_VERSION]
        return container if alone else thing.path

    async def _got(self, path: str) -> dict[str, Any] | None:
        try:
            return await self._api.get(path)
        except NotFoundError:
            return None

    async def _put(self, path: str, body: Mapping[str, Any]) -> None:
        try:
            await self._api.change("PUT", path, body)
        except PreconditionError:
            # Something is under way there; what it is will be seen.
            return


def _endpoint(wanted: WantedEndpoint) -> dict[str, Any]:
    identity: dict[str, Any] = {"type": "SystemAssigned"}
    if wanted.role:
        identity = {"type": "UserAssigned", "userAssignedIdentities": {wanted.role: {}}}
    properties: dict[str, Any] = {"authMode": "Key"}
    if wanted.description:
        properties["description"] = wanted.description
    return {"kind": "Managed", "identity": identity, "properties": properties}


def _deployment(each: WantedDeployment, model: str, environment: str) -> dict[str, Any]:
    references = {name: f"${{{{keyvault:{where}}}}}" for name, where in each.references.items()}
    properties: dict[str, Any] = {
        "endpointComputeType": "Managed",
        "model": model,
        "instanceType": each.machine,
        "scaleSettings": {"scaleType": "Default"},
    }
    if environment:
        properties["environmentId"] = environment
    variables = {**each.variables, **references}
    if variables:
        properties["environmentVariables"] = variables
    return {
        "kind": "Managed",
        "sku": {"name": "Default", "capacity": each.min_replicas},
        "properties": properties,
    }


def _traffic_seen(thing: Thing, found: Raw) -> Seen:
    if _EPOCH in _tags(found):
        return Seen("ready", "the split is the cutover's")
    there = {str(k): int(v) for k, v in (found["properties"].get("traffic") or {}).items() if v}
    same = there == thing.body["properties"]["traffic"]
    return Seen("ready") if same else Seen("stale", differs=("traffic",))


def _filled(left: Mapping[str, int]) -> dict[str, int]:
    """Return 100 % among what is left; nothing where nothing is."""
    total = sum(left.values())
    split = {name: _ALL * share // total for name, share in left.items()}
    for name in list(split)[:1]:
        split[name] += _ALL - sum(split.values())
    return split


def _ours(found: Raw, wanted: WantedEndpoint) -> bool:
    tags = _tags(found)
    return (tags.get(OWNER), tags.get(ENDPOINT)) == (wanted.migration, wanted.endpoint)


def _tags(found: Raw) -> dict[str, str]:
    own = found.get("tags") or (found.get("properties") or {}).get("tags") or {}
    return {str(name): str(text) for name, text in own.items()}


def _only(value: Raw, names: Sequence[str]) -> dict[str, Any]:
    return {name: value[name] for name in names if value.get(name) is not None}


async def _scored(uri: str, key: str, body: Any) -> Any:
    parts = urlsplit(uri)
    if not may_carry_tokens(uri):
        raise IntegrityError(
            "asking the endpoint",
            got=f"the scoring address {parts.scheme}://{parts.netloc}",
            expected="https://, since the key is sent along",
            state="nothing was sent",
            remedy="look at the endpoint's scoring address in the studio",
            code="9287",
        )

    async def sign(request: Request) -> Mapping[str, str]:
        return {**request.headers, "Authorization": f"Bearer {key}"}

    def told(request: Request, status: int, _headers: Mapping[str, str], _body: bytes) -> Any:
        return error_for_status(request.what, status, "")

    client = HttpClient(sign, told, settings=HttpSettings(connections=1, attempts=2))
    try:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = Request("POST", uri, "asking the endpoint", headers, json.dumps(body).encode())
        answer = await client.send(request)
    finally:
        await client.close()
    return json.loads(bytes(answer.body) or b"null")
