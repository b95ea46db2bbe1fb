"""Vertex AI: a model uploaded, an endpoint, models deployed on it, and the split between them.

Every id is chosen here (of a deployed model nine digits of a digest), so that whatever is sent twice is
refused the second time. Operations under way are found by their parent's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from heavylift.connections import Connection
from heavylift.endpoints.ports import (
    ENDPOINT,
    EPOCH,
    OWNER,
    Seen,
    Thing,
    WantedDeployment,
    WantedEndpoint,
    differing,
)
from heavylift.errors import NotFoundError, PreconditionError
from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.platforms.gcp.changing import google_changes

_PAGE = "100"
_ALL = 100
Raw = Mapping[str, Any]


class VertexServing:
    """One project and location.

    :param connection: type ``google_cloud_platform`` with ``project``.
    """

    product = "vertex"

    def __init__(self, connection: Connection, location: str) -> None:
        self._api, project = google_changes(connection, f"https://{location}-aiplatform.googleapis.com")
        self._parent = f"projects/{project}/locations/{location}"

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    def gaps(self, wanted: WantedEndpoint) -> Sequence[EndpointGap]:
        """Name the variables whose secret the program has to read by itself."""
        return [
            EndpointGap(
                subject=f"{each.name}: variable {name}",
                what="Vertex AI puts no secret in place of a reference: the container gets the reference",
                remedy="let the program read the secret there, and accept this",
            )
            for each in wanted.deployments
            for name in each.references
        ]

    async def things(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return models, endpoint, deployments and split."""
        models, deployed, split = [], [], {}
        for each in wanted.deployments:
            resource, uploaded = await self._model(wanted, each)
            if uploaded:
                models.append(uploaded)
            ident = deployed_id(wanted.endpoint, each.name)
            split[ident] = each.traffic
            body = {"id": ident, "displayName": each.name, "model": resource, **_resources(wanted, each)}
            deployed.append(Thing("deployment", each.name, body, ident))
        path = f"{self._parent}/endpoints/{wanted.endpoint}"
        endpoint = Thing("endpoint", wanted.endpoint, _endpoint(wanted), path)
        shares = {ident: share for ident, share in split.items() if share}
        return [
            *models,
            endpoint,
            *deployed,
            Thing("traffic", wanted.endpoint, {"trafficSplit": shares}, path),
        ]

    async def leftovers(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return models with our labels, and deployed ones whose id comes of their name."""
        endpoint = await self._got(f"{self._parent}/endpoints/{wanted.endpoint}") or {}
        found = [
            Thing("deployment", str(each["displayName"]), {}, str(each["id"]))
            for each in endpoint.get("deployedModels") or ()
            if each["id"] == deployed_id(wanted.endpoint, str(each.get("displayName") or ""))
        ]
        query = {"filter": f"labels.{ENDPOINT}={wanted.endpoint}", "pageSize": _PAGE}
        listed = (await self._api.get(f"v1/{self._parent}/models", query)).get("models") or ()
        for each in listed:
            if _is_ours(each, wanted):
                path = str(each["name"]).partition("@")[0]
                found.append(Thing("model", path.rpartition("/")[2], {}, path))
        return found

    async def see(self, wanted: WantedEndpoint, thing: Thing) -> Seen:
        """Look at one thing, and at what is under way for it."""
        if thing.kind == "model":
            return await self._see_model(wanted, thing)
        path = f"{self._parent}/endpoints/{wanted.endpoint}"
        endpoint = await self._got(path)
        going = await self._under_way(path)
        if going and going.state == "under_way":
            return going
        if endpoint is None:
            return going if going and thing.kind == "endpoint" else Seen("absent")
        if thing.kind == "endpoint":
            ours = wanted.existing or _is_ours(endpoint, wanted)
            return _compared(thing.body, endpoint) if ours else Seen("foreign")
        if thing.kind == "traffic":
            return _split_seen(thing, endpoint)
        deployed = endpoint.get("deployedModels") or ()
        found = next((each for each in deployed if each["id"] == thing.path), None)
        if found is None:
            return going or Seen("absent")
        return _compared(thing.body, {**found, "model": _versioned(found)})

    async def make(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Upload, create, deploy or split."""
        path = f"v1/{self._parent}/endpoints/{wanted.endpoint}"
        if thing.kind == "model":
            body = {"modelId": thing.name, "model": {**thing.body, "labels": wanted.marks}}
            await self._begun("POST", f"v1/{self._parent}/models:upload", body)
        elif thing.kind == "endpoint":
            body = {**thing.body, "labels": wanted.marks}
            await self._begun("POST", f"v1/{self._parent}/endpoints", body, {"endpointId": wanted.endpoint})
        elif thing.kind == "deployment":
            there = (await self._got(path.removeprefix("v1/")) or {}).get("trafficSplit") or {}
            # 0 stands for the model that is deployed. What serves goes on; the first one has to take all.
            split = {**there, "0": 0} if there else {"0": _ALL}
            await self._begun(
                "POST", f"{path}:deployModel", {"deployedModel": thing.body, "trafficSplit": split}
            )
        else:
            endpoint = await self._api.get(path)
            body = {**thing.body, "etag": str(endpoint.get("etag") or "")}
            await self._begun("PATCH", path, body, {"updateMask": "trafficSplit"})

    async def remove(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Undeploy or delete; the split goes with what it splits."""
        path = f"v1/{self._parent}/endpoints/{wanted.endpoint}"
        if thing.kind == "model":
            await self._begun("DELETE", f"v1/{thing.path}", None)
        elif thing.kind == "endpoint":
            await self._begun("DELETE", path, None)
        elif thing.kind == "deployment":
            endpoint = await self._api.get(path)
            left = [str(e["id"]) for e in endpoint.get("deployedModels") or () if e["id"] != thing.path]
            there = {
                k: int(v) for k, v in (endpoint.get("trafficSplit") or {}).items() if v and k != thing.path
            }
            body = {"deployedModelId": thing.path, "trafficSplit": _without(there, left)}
            await self._begun("POST", f"{path}:undeployModel", body)

    async def ask(self, wanted: WantedEndpoint, body: Any) -> Any:
        """Ask by ``:predict``."""
        path = f"v1/{self._parent}/endpoints/{wanted.endpoint}:predict"
        found = await self._api.change("POST", path, body)
        return {"predictions": found.get("predictions")}

    async def _model(self, wanted: WantedEndpoint, each: WantedDeployment) -> tuple[str, Thing | None]:
        if each.model.registered and not each.image:
            return await self._registered(wanted, each), None
        artifact = each.model.artifact
        if each.model.registered:
            version = await self._got(await self._registered(wanted, each)) or {}
            artifact = str(version.get("artifactUri") or "")
        name = f"{wanted.endpoint}-{each.name}"[:63].rstrip("-")
        path = f"{self._parent}/models/{name}"
        container = {
            "imageUri": each.image,
            "ports": [{"containerPort": each.port}],
            "predictRoute": each.predict_route,
            "healthRoute": each.health_route,
            **({"command": list(each.command)} if each.command else {}),
            **({"args": list(each.args)} if each.args else {}),
        }
        variables = {**each.variables, **each.references}
        if variables:
            container["env"] = [{"name": key, "value": value} for key, value in sorted(variables.items())]
        body: dict[str, Any] = {"displayName": name, "containerSpec": container}
        if artifact:
            body["artifactUri"] = artifact
        if wanted.key:
            body["encryptionSpec"] = {"kmsKeyName": wanted.key}
        return f"{path}@1", Thing("model", name, body, path)

    async def _registered(self, wanted: WantedEndpoint, each: WantedDeployment) -> str:
        """Return the resource of a registered version; a name is an id, or one that is shown."""
        if wanted.leaving:
            return ""
        name, version = each.model.registered, each.model.version
        candidates = [f"{self._parent}/models/{name}"]
        query = {"filter": f'display_name="{name}"', "pageSize": _PAGE}
        listed = (await self._api.get(f"v1/{self._parent}/models", query)).get("models") or ()
        candidates += [
            str(found["name"]).partition("@")[0] for found in listed if found.get("displayName") == name
        ]
        for resource in dict.fromkeys(candidates):
            found = await self._got(f"{resource}@{version}")
            if found is not None:
                return f"{resource}@{found.get('versionId') or version}"
        raise NotFoundError(
            f"looking for model {name} version {version} in {self._parent}",
            got="no such version",
            expected="a version that the phase registry has brought, or that was uploaded",
            state="nothing was made",
            remedy="run the phase registry first, or correct the model's name and version",
            code="9284",
        )

    async def _see_model(self, wanted: WantedEndpoint, thing: Thing) -> Seen:
        found = await self._got(thing.path)
        going = await self._under_way(thing.path)
        if found is None:
            return going or Seen("absent")
        if going and going.state == "under_way":
            return going
        return _compared(thing.body, found) if _is_ours(found, wanted) else Seen("foreign")

    async def _got(self, path: str) -> dict[str, Any] | None:
        try:
            return await self._api.get(f"v1/{quote(path, safe='/@')}")
        except NotFoundError:
            return None

    async def _under_way(self, parent: str) -> Seen | None:
        """Return what the newest operation on a thing says, where it runs or has failed."""
        try:
            answer = await self._api.get(f"v1/{parent}/operations", {"pageSize": _PAGE})
        except NotFoundError:
            return None
        found = list(answer.get("operations") or ())
        if any(not each.get("done") for each in found):
            return Seen("under_way")
        newest = max(found, key=_begun_at, default=None)
        error = (newest or {}).get("error")
        return Seen("failed", f"{error.get('code')}: {error.get('message', '')}") if error else None

    async def _begun(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None = None
    ) -> None:
        """Send what makes or removes; what was sent before is refused, and then looked at."""
        try:
            await self._api.change(method, path, body, query)
        except PreconditionError:
            return
        except NotFoundError:
            if method != "DELETE":
                raise


def deployed_id(endpoint: str, deployment: str) -> str:
    """Return the id of a deployed model: nine digits that come of the two names."""
    digest = hashlib.sha256(f"{endpoint}/{deployment}".encode()).hexdigest()
    return str(10**8 + int(digest[:15], 16) % (9 * 10**8))


def _endpoint(wanted: WantedEndpoint) -> dict[str, Any]:
    if wanted.existing:
        return {}
    body: dict[str, Any] = {"displayName": wanted.endpoint}
    if wanted.description:
        body["description"] = wanted.description
    if wanted.network:
        body["network"] = wanted.network
    if wanted.key:
        body["encryptionSpec"] = {"kmsKeyName": wanted.key}
    return body


def _resources(wanted: WantedEndpoint, each: WantedDeployment) -> dict[str, Any]:
    machine: dict[str, Any] = {"machineType": each.machine}
    if each.accelerator:
        machine |= {"acceleratorType": each.accelerator, "acceleratorCount": each.accelerators or 1}
    resources = {
        "machineSpec": machine,
        "minReplicaCount": each.min_replicas,
        "maxReplicaCount": each.max_replicas,
    }
    account = {"serviceAccount": wanted.role} if wanted.role else {}
    return {"dedicatedResources": resources, **account}


def _is_ours(found: Raw, wanted: WantedEndpoint) -> bool:
    labels = found.get("labels") or {}
    return (labels.get(OWNER), labels.get(ENDPOINT)) == (wanted.migration, wanted.endpoint)


def _compared(wanted: Mapping[str, Any], there: Raw) -> Seen:
    differs = differing(wanted, there)
    return Seen("different", differs=tuple(differs)) if differs else Seen("ready")


def _versioned(found: Raw) -> str:
    model = str(found.get("model") or "")
    return model if "@" in model else f"{model}@{found.get('modelVersionId') or ''}"


def _split_seen(thing: Thing, endpoint: Raw) -> Seen:
    if (endpoint.get("labels") or {}).get(EPOCH):
        return Seen("ready", "the split is the cutover's")
    there = {str(k): int(v) for k, v in (endpoint.get("trafficSplit") or {}).items() if v}
    return Seen("ready") if there == thing.body["trafficSplit"] else Seen("stale", differs=("trafficSplit",))


def _without(there: Mapping[str, int], left: Sequence[str]) -> dict[str, int]:
    """Return a split of 100 % among what is left, in the proportions that it has."""
    total = sum(there.values())
    if not left:
        return {}
    if not total:
        return {left[0]: _ALL}
    split = {name: _ALL * share // total for name, share in there.items()}
    first = max(split, key=lambda name: split[name])
    split[first] += _ALL - sum(split.values())
    return split


def _begun_at(operation: Raw) -> str:
    metadata = (operation.get("metadata") or {}).get("genericMetadata") or {}
    return str(metadata.get("createTime") or "")
