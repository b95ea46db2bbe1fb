"""A small feature store of Azure ML: checks requests by the shapes that azure-ai-ml publishes.

``azure_features_shapes.json`` holds those. Entities and feature sets have versions, whose rows and columns
cannot be changed; a version says ``Creating`` first.
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
_FIXED = ("specification", "entities", "indexColumns")
_SCHEMAS = {
    "featureset_containers": "FeaturesetContainerProperties",
    "featureset_versions": "FeaturesetVersionProperties",
    "featurestore_entity_containers": "FeaturestoreEntityContainerProperties",
    "featurestore_entity_versions": "FeaturestoreEntityVersionProperties",
}
GUID = "0A1B2C3D-0000-4000-8000-00000000000F"


@cache
def shapes() -> dict[str, Any]:
    """Return the published shapes."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("azure_features_shapes.json").read_text())
    return found


@dataclass
class AzureFeaturesServer:
    """The service, on a port of its own.

    :param things: containers and versions by path below the workspace.
    :param more: extra fields of its connection.
    """

    more: dict[str, str] = field(default_factory=dict)
    workspace: str = "w"
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
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
            "workspace": self.workspace,
            "datastore_container": "specs",
            "storage_account": "lake",
            "anonymous": True,
            "endpoint_url": self._server.url,
            **self.more,
        }
        return Connection("azure_features", "azure", extra=extra)

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
            wrong = "" if {"api-version"} <= set(query) <= set(method["query"]) else f"parameters {query}"
            wrong = wrong or (_wrong(method["id"], body) if http == "PUT" else "")
            if wrong:
                return self._refused(f"{method['id']}: {wrong}")
            self.requests.append(method["id"])
            if method["id"] == "workspaces_get":
                return 200, {"name": "w", "kind": "FeatureStore", "properties": {"workspaceId": GUID}}
            name = urllib.parse.unquote(split.path.partition(f"/workspaces/{self.workspace}/")[2])
            if http == "PUT":
                return self._put(name, body)
            if method["id"].endswith("_list"):
                return self._listed(name, query, split.path)
            found = self.things.get(name)
            if found is None:
                return 404, {"error": {"code": "NotFound", "message": name}}
            told = json.loads(json.dumps(found))
            found["properties"]["provisioningState"] = "Succeeded"
            return 200, told

    def _put(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        there = self.things.get(name)
        for each in _FIXED:
            if there and there["properties"].get(each) != body["properties"].get(each):
                return self._refused(f"{name}: {each} cannot be changed")
        if "/versions/" in name and name.partition("/versions/")[0] not in self.things:
            return self._refused(f"{name}: it has no container")
        properties = {**body["properties"], "provisioningState": "Creating"}
        self.things[name] = {"name": name.rpartition("/")[2], "properties": properties}
        return 202, {}

    def _listed(self, name: str, query: dict[str, str], path: str) -> tuple[int, dict[str, Any]]:
        start = int(query.get("$skip") or 0)
        found = [
            each
            for key, each in self.things.items()
            if key.startswith(f"{name}/") and "/" not in key.removeprefix(f"{name}/")
        ]
        more = f"https://management.azure.com{path}?api-version=x&$skip={start + 2}&listViewType=All"
        page = {"value": found[start : start + 2]}
        return 200, page | ({"nextLink": more} if len(found) > start + 2 else {})

    def _refused(self, why: str) -> tuple[int, dict[str, Any]]:
        self.rejected.append(why)
        return 400, {"error": {"code": "BadRequest", "message": why}}


def _wrong(method: str, body: Any) -> str:
    if set(body) != {"properties"}:
        return f"the fields {sorted(body)}"
    schema = next(each for start, each in _SCHEMAS.items() if method.startswith(start))
    return _unfit(schema, body["properties"])


def _unfit(schema: str, value: dict[str, Any]) -> str:
    for name, item in value.items():
        known = shapes()["schemas"][schema].get(name)
        if known is None or not known["writable"]:
            return f"the field {name}"
        if "ref" in known:
            wrong = _unfit(known["ref"], item)
        elif known["type"] == "array" and "ref" in known["items"]:
            wrong = next(filter(None, (_unfit(known["items"]["ref"], each) for each in item)), "")
        else:
            wrong = "" if isinstance(item, _PYTHON[known["type"]]) else f"the field {name}"
        if name == "dataType" and item not in shapes()["data_types"]:
            wrong = f"the type {item}"
        if wrong:
            return wrong
    return ""
