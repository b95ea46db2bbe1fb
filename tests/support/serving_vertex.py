"""A small Vertex AI that serves: checks every request by the discovery document, keeps models and endpoints.

What takes long there is an operation that ends after some looks; a quota may refuse a deployment.
"""

from __future__ import annotations

import copy
import itertools
import threading
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.json_server import JsonServer

Reply = tuple[int, dict[str, Any]]
PARENT = "projects/p/locations/europe-west4"


class ServingVertex:
    """The service, on a port of its own.

    :ivar polls: how often an operation says that it runs.
    :ivar loses: so many answers to writes are lost, though the writes are carried out.
    :ivar quota: machines of which there are none left; ``sync`` tells whether the request itself is refused.
    """

    def __init__(self) -> None:
        self.polls = 0
        self.loses = 0
        self.quota: set[str] = set()
        self.sync = False
        self.models: dict[str, list[dict[str, Any]]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.rejected: list[str] = []
        self.asked: list[Any] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._server = JsonServer(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    def close(self) -> None:
        self._server.close()

    @property
    def connection(self) -> Connection:
        extra = {"project": "p", "location": "europe-west4", "endpoint_url": self.url, "anonymous": True}
        return Connection("there", "google_cloud_platform", extra=extra)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if not each.endswith((".list", ".get", ".predict"))]

    def registered(self, name: str, version: str = "1", **more: Any) -> None:
        """Have a model in the registry."""
        resource = f"{PARENT}/models/{name}"
        made = {"name": resource, "displayName": name, "versionId": version, **more}
        self.models.setdefault(resource, []).append(made)

    def _answer(self, http: str, target: str, body: Any) -> Reply:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path.strip("/"))
        with self._lock:
            document = load("aiplatform.v1")
            method = document.find(http, path)
            try:
                if method is None:
                    raise BadRequestError("no such method")
                # What an instance is, the document leaves to the model ("any").
                asked = body if not path.endswith(":predict") else {**body, "instances": []}
                document.check(method, query, asked)
                self.requests.append(method.id.rpartition("locations.")[2])
                status, found = self._act(self.requests[-1], path.removeprefix("v1/"), query, body)
            except BadRequestError as error:
                self.rejected.append(f"{http} {path}: {error}")
                return 400, _error("INVALID_ARGUMENT", str(error))
            if http != "GET" and status == 200 and self.loses:
                self.loses -= 1
                return 0, {}
            return status, copy.deepcopy(found)

    def _act(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        name, _, _verb = path.partition(":")
        if method.endswith("operations.list"):
            mine = [each for each in self.operations.values() if each["name"].startswith(name)]
            for each in mine:
                self._step(each)
            return 200, {"operations": [_shown(each) for each in mine]}
        if method == "models.list":
            listed = [versions[0] for versions in self.models.values() if _fits(versions[0], query)]
            return 200, {"models": listed}
        if method == "models.upload":
            return self._upload(body)
        if method.startswith("models"):
            return self._of_model(method, name)
        if method == "endpoints.create":
            return self._create(f"{name}/{query['endpointId']}", body)
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            return 404, _error("NOT_FOUND", name)
        if method == "endpoints.get":
            return 200, endpoint
        return self._of_endpoint(method, name, endpoint, query, body)

    def _of_model(self, method: str, name: str) -> Reply:
        resource, _, version = name.partition("@")
        found = [e for e in self.models.get(resource, ()) if not version or e["versionId"] == version]
        if not found:
            return 404, _error("NOT_FOUND", name)
        if method == "models.get":
            return 200, found[0]
        used = [e for one in self.endpoints.values() for e in one.get("deployedModels", ())]
        if any(each["model"] == resource for each in used):
            return 400, _error("FAILED_PRECONDITION", "the model is deployed")
        return self._begin(resource, lambda: self.models.pop(resource))

    def _upload(self, body: dict[str, Any]) -> Reply:
        resource = f"{PARENT}/models/{body['modelId']}"
        if resource in self.models or self._running(resource):
            return 409, _error("ALREADY_EXISTS", resource)
        if not body["model"].get("containerSpec", {}).get("imageUri"):
            raise BadRequestError("containerSpec.imageUri")
        if not body["model"].get("artifactUri", "gs://b/x").startswith("gs://"):
            raise BadRequestError("artifactUri")
        _labels(body["model"])
        made = {**body["model"], "name": resource, "versionId": "1"}
        return self._begin(resource, lambda: self.models.update({resource: [made]}))

    def _create(self, name: str, body: dict[str, Any]) -> Reply:
        if name in self.endpoints or self._running(name):
            return 409, _error("ALREADY_EXISTS", name)
        _labels(body)
        made = {**body, "name": name, "etag": f"e{next(self._numbers)}"}
        return self._begin(name, lambda: self.endpoints.update({name: made}))

    def _of_endpoint(
        self, method: str, name: str, endpoint: dict[str, Any], query: dict[str, str], body: Any
    ) -> Reply:
        if method == "endpoints.predict":
            self.asked.append(body)
            return 200, {"predictions": [sum(row) for row in body["instances"]], "model": "m"}
        if method == "endpoints.patch":
            return self._patch(endpoint, query, body)
        if self._running(name):
            return 400, _error("FAILED_PRECONDITION", "another operation runs on this endpoint")
        if method == "endpoints.deployModel":
            return self._deploy(name, endpoint, body)
        if method == "endpoints.undeployModel":
            ident = body["deployedModelId"]
            left = [each for each in endpoint["deployedModels"] if each["id"] != ident]
            split = body.get("trafficSplit", {})
            if left and (sum(split.values()) != 100 or set(split) - {each["id"] for each in left}):
                raise BadRequestError(f"the split {split} among {len(left)}")
            return self._begin(name, lambda: endpoint.update(deployedModels=left, trafficSplit=split))
        if endpoint.get("deployedModels"):
            return 400, _error("FAILED_PRECONDITION", "models are deployed")
        return self._begin(name, lambda: self.endpoints.pop(name))

    def _patch(self, endpoint: dict[str, Any], query: dict[str, str], body: Any) -> Reply:
        if query != {"updateMask": "trafficSplit"} or sum(body["trafficSplit"].values()) != 100:
            raise BadRequestError(f"the mask {query}, or the split")
        if body["etag"] != endpoint["etag"]:
            return 409, _error("ABORTED", "another etag")
        endpoint |= {"trafficSplit": body["trafficSplit"], "etag": f"e{next(self._numbers)}"}
        return 200, endpoint

    def _deploy(self, name: str, endpoint: dict[str, Any], body: dict[str, Any]) -> Reply:
        wanted = body["deployedModel"]
        there = endpoint.setdefault("deployedModels", [])
        resource, _, version = wanted["model"].partition("@")
        if not [each for each in self.models.get(resource, ()) if each["versionId"] == version]:
            return 404, _error("NOT_FOUND", wanted["model"])
        if not (wanted["id"].isdecimal() and len(wanted["id"]) <= 10):
            raise BadRequestError("deployedModel.id")
        if any(each["id"] == wanted["id"] for each in there):
            return 409, _error("ALREADY_EXISTS", wanted["id"])
        split = body["trafficSplit"]
        if sum(split.values()) != 100 or set(split) - {"0", *(each["id"] for each in there)}:
            raise BadRequestError(f"the split {split}")
        machine = wanted["dedicatedResources"]["machineSpec"]["machineType"]
        message = (
            f"The following quotas are exceeded: CustomModelServingL4GPUsPerProjectPerRegion ({machine})"
        )
        if machine in self.quota and self.sync:
            return 429, _error("RESOURCE_EXHAUSTED", message)
        error = {"code": 8, "message": message} if machine in self.quota else None

        def ended() -> None:
            there.append({**wanted, "model": resource, "modelVersionId": version, "createTime": "2026"})
            kept = {key if key != "0" else wanted["id"]: share for key, share in split.items() if share}
            endpoint["trafficSplit"] = kept

        return self._begin(name, ended, error)

    def _begin(self, parent: str, ended: Any, error: dict[str, Any] | None = None) -> Reply:
        number = next(self._numbers)
        name = f"{parent}/operations/{number}"
        made = {"genericMetadata": {"createTime": f"2026-11-01T00:00:00.{number:06}Z"}}
        self.operations[name] = {
            "name": name, "polls": self.polls, "ended": ended, "error": error,
            "metadata": made, "done": False,
        }  # fmt: skip
        if not self.polls:
            self._step(self.operations[name])
        return 200, _shown(self.operations[name])

    def _step(self, operation: dict[str, Any]) -> None:
        if operation["done"]:
            return
        operation["polls"] -= 1
        if operation["polls"] < 0:
            operation["done"] = True
            if not operation["error"]:
                operation["ended"]()

    def _running(self, parent: str) -> bool:
        return any(
            not each["done"]
            for name, each in self.operations.items()
            if name.startswith(f"{parent}/operations/")
        )


def _shown(operation: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "metadata", "done", "error")
    return {name: operation[name] for name in names if operation.get(name)}


def _fits(model: dict[str, Any], query: dict[str, str]) -> bool:
    field, _, value = query.get("filter", "").partition("=")
    if field == "display_name":
        return bool(f'"{model["displayName"]}"' == value)
    label = field.removeprefix("labels.")
    return not field or model.get("labels", {}).get(label) == value


def _labels(thing: dict[str, Any]) -> None:
    for text in (*thing.get("labels", {}), *thing.get("labels", {}).values()):
        if len(text) > 63 or any(not (c.islower() or c.isdigit() or c in "-_") for c in text):
            raise BadRequestError(f"the label {text!r}")


def _error(status: str, message: str) -> dict[str, Any]:
    return {"error": {"status": status, "message": message}}
