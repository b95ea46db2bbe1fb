"""A small Vertex AI Model Registry: checks every request by the discovery document, and keeps models.

Uploads are operations that end after some looks; numbers go up from 1; the first version gets the alias
``default``; labels are a version's.
"""

from __future__ import annotations

import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.json_server import JsonServer

PARENT = "projects/p/locations/europe-west4"
_TIME = "2026-11-01T00:00:00.000000Z"


@dataclass
class VertexServer:
    """The service, on a port of its own.

    :param polls: how often an upload says that it runs.
    :param loses: so many answers to uploads are lost.
    :param models: versions by resource name, oldest first.
    """

    polls: int = 0
    loses: int = 0
    models: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    @property
    def connection(self) -> Connection:
        extra = {
            "project": "p",
            "location": "europe-west4",
            "endpoint_url": self._server.url,
            "anonymous": True,
            "serving_image": "europe-docker.pkg.dev/p/serving/adapter:1",
        }
        return Connection("vertex", "google_cloud_platform", extra=extra)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if not each.endswith((".list", ".get", ".listVersions"))]

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request; one that is not of the published form is refused and noted."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        path = urllib.parse.unquote(split.path.removeprefix("/"))
        with self._lock:
            document = load("aiplatform.v1")
            method = document.find(http, path)
            try:
                if method is None:
                    raise BadRequestError("no such method")
                document.check(method, query, body)
            except BadRequestError as error:
                self.rejected.append(f"{http} {path}: {error}")
                return 400, _error("INVALID_ARGUMENT", str(error))
            self.requests.append(method.id)
            name, _, verb = path.removeprefix("v1/").partition(":")
            return self._act(method.id.rpartition("locations.")[2], name, verb, query, body)

    def _act(
        self, method: str, name: str, verb: str, query: dict[str, str], body: Any
    ) -> tuple[int, dict[str, Any]]:
        del verb
        if method == "models.list":
            return 200, _page([versions[0] for versions in self.models.values()], "models", query)
        if method == "models.upload":
            return self._upload(body)
        if method.endswith("operations.get"):
            return 200, self._look(name)
        if method.endswith("operations.list"):
            found = [each for key, each in self.operations.items() if key.startswith(name)]
            return 200, {"operations": [_shown(each) for each in found]}
        resource, _, version = name.partition("@")
        versions = self.models.get(resource)
        if versions is None:
            return 404, _error("NOT_FOUND", resource)
        if method == "models.listVersions":
            return 200, _page(versions, "models", query)
        found = next(each for each in versions if each["versionId"] == version) if version else versions[0]
        if method == "models.mergeVersionAliases":
            return self._merge(versions, found, body["versionAliases"])
        changed = {key: body[key] for key in query["updateMask"].split(",") if key in body}
        for each in versions if "description" in changed else [found]:
            each.update(changed)
        return 200, found

    def _merge(
        self, versions: list[dict[str, Any]], version: dict[str, Any], aliases: list[str]
    ) -> tuple[int, dict[str, Any]]:
        for alias in aliases:
            held = [each for each in versions if alias.removeprefix("-") in each["versionAliases"]]
            if alias.startswith("-"):
                version["versionAliases"].remove(alias[1:])
            elif held and held != [version]:
                return 400, _error("INVALID_ARGUMENT", f"the alias {alias} is another version's")
            elif not held:
                version["versionAliases"].append(alias)
        return 200, version

    def _upload(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        model = body["model"]
        problem = _wrong(model)
        if problem:
            return 400, _error("INVALID_ARGUMENT", problem)
        resource = body.get("parentModel") or f"{PARENT}/models/{body['modelId']}"
        if "modelId" in body and resource in self.models:
            return 409, _error("ALREADY_EXISTS", resource)
        if "parentModel" in body and resource not in self.models:
            return 404, _error("NOT_FOUND", resource)
        name = f"{resource}/operations/{len(self.operations) + 1}"
        self.operations[name] = {"name": name, "polls": self.polls, "resource": resource, "model": model}
        if "modelId" in body or not self.polls:
            self._end(self.operations[name])
        if self.loses:
            self.loses -= 1
            return 0, {}
        return 200, _shown(self.operations[name])

    def _look(self, name: str) -> dict[str, Any]:
        operation = self.operations[name]
        if not operation.get("done"):
            operation["polls"] -= 1
            if operation["polls"] <= 0:
                self._end(operation)
        return _shown(operation)

    def _end(self, operation: dict[str, Any]) -> None:
        resource, model = operation["resource"], operation["model"]
        versions = self.models.setdefault(resource, [])
        number = str(len(versions) + 1)
        made = {"name": resource, "versionId": number, "versionCreateTime": _TIME, "versionUpdateTime": _TIME}
        made |= {"versionAliases": [] if versions else ["default"], "createTime": _TIME}
        if versions:
            made["description"] = versions[0].get("description", "")
        versions.append({**model, **made})
        operation["done"] = True
        operation["response"] = {"model": resource, "modelVersionId": number}


def _wrong(model: dict[str, Any]) -> str:
    labels = model.get("labels", {})
    if not model.get("displayName") or len(model["displayName"]) > 128:
        return "displayName"
    if not model.get("artifactUri", "gs://b/x").startswith("gs://"):
        return "artifactUri"
    if "imageUri" not in model.get("containerSpec", {}):
        return "containerSpec.imageUri is required"
    for text in (*labels, *labels.values()):
        if len(text) > 63 or any(not (c.islower() or c.isdigit() or c in "-_") for c in text):
            return f"the label {text!r}"
    return "" if len(labels) <= 64 else "too many labels"


def _shown(operation: dict[str, Any]) -> dict[str, Any]:
    return {key: operation[key] for key in ("name", "done", "response") if key in operation}


def _page(things: list[dict[str, Any]], field_name: str, query: dict[str, str]) -> dict[str, Any]:
    start = int(query.get("pageToken") or 0)
    page = {field_name: things[start : start + 2]}
    return page | ({"nextPageToken": str(start + 2)} if len(things) > start + 2 else {})


def _error(status: str, message: str) -> dict[str, Any]:
    return {"error": {"status": status, "message": message}}
