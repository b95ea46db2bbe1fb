"""A small Azure ML: checks every request by the shapes that azure-ai-ml publishes, and keeps models.

``azure_ml_shapes.json`` holds those: paths, parameters, and which fields a client may write.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from tests.support.json_server import JsonServer

_PYTHON = {"string": str, "boolean": bool, "object": dict, "array": list}
_MADE = {
    "createdAt": "2026-11-01T00:00:00Z",
    "createdBy": "somebody",
    "lastModifiedAt": "2026-11-02T00:00:00Z",
}


@cache
def shapes() -> dict[str, Any]:
    """Return the published shapes."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("azure_ml_shapes.json").read_text())
    return found


@dataclass
class AzureMlServer:
    """The service, on a port of its own.

    :param place: ``workspaces`` or ``registries``; a registry says ``Creating`` first.
    :param models: by name, each with ``container`` and ``versions``.
    """

    place: str = "workspaces"
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
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
            "subscription_id": "s",
            "resource_group": "g",
            self.place.replace("workspaces", "workspace").replace("registries", "registry"): "w",
            "datastore_container": "models",
            "anonymous": True,
            "endpoint_url": self._server.url,
        }
        return Connection("azure_ml", "azure", extra=extra)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if each.endswith("create_or_update")]

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request; one that is not of the published form is refused and noted."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        with self._lock:
            for method in shapes()["methods"]:
                path = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(method["path"]))
                match = re.fullmatch(path, split.path)
                if match and method["method"] == http:
                    break
            else:
                return self._refused(f"{http} {split.path}: no such method")
            wrong = _wrong(method, query, body)
            if wrong:
                return self._refused(f"{method['id']}: {wrong}")
            self.requests.append(method["id"])
            names = [urllib.parse.unquote(each) for each in match.groups()[3:]]
            return self._act(method["id"].removeprefix("registry_"), names, query, body, split.path)

    def _refused(self, why: str) -> tuple[int, dict[str, Any]]:
        self.rejected.append(why)
        return 400, {"error": {"code": "BadRequest", "message": why}}

    def _act(
        self, method: str, names: list[str], query: dict[str, str], body: Any, path: str
    ) -> tuple[int, dict[str, Any]]:
        if method == "model_containers_list":
            return 200, _page([each["container"] for each in self.models.values()], query, path)
        model = self.models.get(names[0])
        if method == "model_containers_create_or_update":
            model = self.models.setdefault(names[0], {"container": {}, "versions": {}})
            return self._put(model["container"], names[0], body)
        if model is None:
            return 404, {"error": {"code": "NotFound", "message": names[0]}}
        if method == "model_containers_get":
            return self._got(model["container"])
        if method == "model_versions_list":
            return 200, _page(list(model["versions"].values()), query, path)
        if method == "model_versions_get":
            return self._got(model["versions"][names[1]])
        there = model["versions"].setdefault(names[1], {})
        for fixed in ("modelUri", "modelType"):
            if there and there["properties"].get(fixed) != body["properties"].get(fixed):
                return self._refused(f"{fixed} cannot be changed")
        return self._put(there, names[1], body)

    def _put(self, thing: dict[str, Any], name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        state = "Creating" if self.place == "registries" else "Succeeded"
        thing |= {"name": name, "systemData": _MADE, "properties": {**body["properties"]}}
        thing["properties"]["provisioningState"] = state
        return (202, {}) if state == "Creating" else (200, thing)

    def _got(self, thing: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        told = json.loads(json.dumps(thing))
        thing["properties"]["provisioningState"] = "Succeeded"
        return 200, told


def _wrong(method: dict[str, Any], query: dict[str, str], body: Any) -> str:
    if "api-version" not in query or set(query) - set(method["query"]):
        return f"the parameters {sorted(query)}"
    if method["method"] == "GET":
        return "" if body is None else "a body"
    schema = shapes()["schemas"]["version" if "versions" in method["id"] else "container"]
    if set(body) != {"properties"}:
        return f"the fields {sorted(body)}"
    for name, value in body["properties"].items():
        known = schema.get(name)
        if known is None or not known["writable"] or not isinstance(value, _PYTHON[known["type"]]):
            return f"the field {name}"
    tags = body["properties"].get("tags", {})
    return "" if all(isinstance(each, str) for each in tags.values()) else "a tag that is no text"


def _page(things: list[dict[str, Any]], query: dict[str, str], path: str) -> dict[str, Any]:
    start = int(query.get("$skip") or 0)
    more = f"https://management.azure.com{path}?api-version=x&$skip={start + 2}&listViewType=All"
    return {"value": things[start : start + 2]} | ({"nextLink": more} if len(things) > start + 2 else {})
