"""A small Azure ML that serves: checks every request by the shapes that azure-ai-ml publishes.

``data/azure-serving-shapes.json`` holds those (paths, parameters, fields, types, which a client may write).
"""

from __future__ import annotations

import copy
import json
import re
import threading
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError
from tests.support.json_server import JsonServer
from tests.support.traffic_servers import DATA

Reply = tuple[int, dict[str, Any]]
_TYPES: dict[str, Any] = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}
_ROOTS = {
    "models": "ModelVersion", "environments": "EnvironmentVersion", "onlineEndpoints": "OnlineEndpoint",
    "deployments": "OnlineDeployment",
}  # fmt: skip
KEY = "an-endpoint-key"


@cache
def serving_shapes() -> dict[str, Any]:
    """Return the published shapes."""
    found: dict[str, Any] = json.loads((DATA / "azure-serving-shapes.json").read_text())
    return found


class ServingAzure:
    """The service, on a port of its own; its scoring address is on the same port.

    :ivar polls: how often what was put says that it is being made.
    :ivar loses: so many answers to writes are lost, though the writes are carried out.
    :ivar quota: machines of which there are none left; ``fails`` those whose deployment ends as failed.
    """

    def __init__(self) -> None:
        self.polls = 0
        self.loses = 0
        self.quota: set[str] = set()
        self.fails: set[str] = set()
        self.things: dict[str, dict[str, Any]] = {}
        self.left: dict[str, int] = {}
        self.going: set[str] = set()
        self.requests: list[str] = []
        self.rejected: list[str] = []
        self.asked: list[Any] = []
        self._lock = threading.Lock()
        self._server = JsonServer(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    def close(self) -> None:
        self._server.close()

    @property
    def connection(self) -> Connection:
        extra = {
            "subscriptionId": "s", "resource_group": "g", "workspace": "w", "location": "westeurope",
            "endpoint_url": self.url, "anonymous": True,
        }  # fmt: skip
        return Connection("there", "azure", extra=extra)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if each.endswith(("create_or_update", "delete"))]

    def put(self, path: str, thing: dict[str, Any]) -> None:
        """Have something there: a path below the workspace."""
        self.things[path] = thing

    def _answer(self, http: str, target: str, body: Any) -> Reply:
        parts = urlsplit(target)
        if parts.path == "/score":
            self.asked.append(body)
            return 200, {"predictions": [sum(row) for row in body["instances"]]}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            try:
                status, found = self._act(http, unquote(parts.path), query, body)
            except BadRequestError as error:
                self.rejected.append(f"{http} {parts.path}: {error}")
                return 400, {"error": {"code": "BadRequest", "message": str(error)}}
            if http in {"PUT", "DELETE"} and status < 300 and self.loses:
                self.loses -= 1
                return 0, {}
            return status, copy.deepcopy(found)

    def _act(self, http: str, path: str, query: dict[str, str], body: Any) -> Reply:
        method = _method(http, path)
        if query != {"api-version": serving_shapes()["api_version"]}:
            raise BadRequestError(f"the parameters {query}")
        self.requests.append(method)
        name = path.partition("/workspaces/w/")[2]
        if method.endswith("list_keys"):
            return 200, {"primaryKey": KEY}
        if http == "GET" and method.endswith("list"):
            below = [key for key in self.things if re.fullmatch(re.escape(name) + "/[^/]+", key)]
            return 200, {"value": [self.things[key] for key in below]}
        if http == "PUT":
            return self._put(name, body)
        if http == "DELETE":
            return self._delete(name)
        self._step(name)
        found = self.things.get(name)
        if found is None:
            return 404, {"error": {"code": "NotFound", "message": name}}
        return 200, found

    def _put(self, name: str, body: Any) -> Reply:
        kind = name.split("/")[-2] if "/versions/" not in name else name.split("/")[0]
        _checked(_ROOTS[kind], body, _ROOTS[kind])
        if self.left.get(name, 0) > 0:
            return 409, {"error": {"code": "Conflict", "message": "an operation is under way"}}
        if kind == "deployments":
            return self._deploy(name, body)
        if kind == "onlineEndpoints":
            self._traffic(name, body)
        made = {**body, "name": name.rpartition("/")[2]}
        made["properties"] = {**body["properties"], "provisioningState": "Succeeded"}
        if kind == "onlineEndpoints":
            made["properties"]["scoringUri"] = f"{self.url}/score"
            made["properties"].setdefault("traffic", {})
        fresh = name not in self.things
        self.things[name] = made
        return self._begun(name, "Creating" if fresh else "Updating", long=kind == "onlineEndpoints")

    def _traffic(self, name: str, body: Any) -> None:
        traffic = body["properties"].get("traffic", {})
        there = {key.rpartition("/")[2] for key in self.things if key.startswith(f"{name}/deployments/")}
        if set(traffic) - there or sum(traffic.values()) not in {0, 100}:
            raise BadRequestError(f"the traffic {traffic} on {sorted(there)}")

    def _deploy(self, name: str, body: Any) -> Reply:
        properties = body["properties"]
        endpoint = name.partition("/deployments/")[0]
        if endpoint not in self.things:
            return 404, {"error": {"code": "NotFound", "message": endpoint}}
        for field in ("model", "environmentId"):
            where = properties.get(field, "")
            if where.startswith("/") and where.partition("/workspaces/w/")[2] not in self.things:
                raise BadRequestError(f"{field} {where} is not there")
        if properties["instanceType"] in self.quota:
            message = f"Not enough quota available for {properties['instanceType']} in SubscriptionId s"
            return 400, {"error": {"code": "BadRequest", "message": message}}
        failed = properties["instanceType"] in self.fails
        state = "Failed" if failed else "Succeeded"
        made = {**body, "name": name.rpartition("/")[2]}
        made["properties"] = {**properties, "provisioningState": state}
        self.things[name] = made
        return self._begun(name, "Creating", long=True)

    def _delete(self, name: str) -> Reply:
        if name.count("/") == 1 and not name.startswith("onlineEndpoints/"):
            gone = [key for key in self.things if key.startswith(f"{name}/versions/")]
        else:
            gone = [name] if name in self.things else []
        if not gone:
            return 404, {"error": {"code": "NotFound", "message": name}}
        endpoint, _, deployment = name.partition("/deployments/")
        if deployment and self.things[endpoint]["properties"]["traffic"].get(deployment):
            return 400, {"error": {"code": "UserError", "message": "a deployment with traffic"}}
        if name.startswith("onlineEndpoints/") and [k for k in self.things if k.startswith(f"{name}/")]:
            return 400, {"error": {"code": "UserError", "message": "the endpoint has deployments"}}
        for key in gone:
            if self.polls and "/versions/" not in key:
                self.left[key] = self.polls
                self.going.add(key)
                self.things[key]["properties"]["provisioningState"] = "Deleting"
            else:
                del self.things[key]
        return 202, {}

    def _begun(self, name: str, word: str, *, long: bool) -> Reply:
        if long and self.polls:
            self.left[name] = self.polls
            self.things[name]["then"] = self.things[name]["properties"]["provisioningState"]
            self.things[name]["properties"]["provisioningState"] = word
        return 201, _told(self.things[name])

    def _step(self, name: str) -> None:
        if self.left.get(name, 0) <= 0:
            return
        self.left[name] -= 1
        if self.left[name]:
            return
        if name in self.going:
            self.going.discard(name)
            del self.things[name]
            return
        self.things[name]["properties"]["provisioningState"] = self.things[name].pop("then")


def _told(thing: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in thing.items() if key != "then"}


def _method(http: str, path: str) -> str:
    for method in serving_shapes()["methods"]:
        pattern = re.sub(r"\{\w+\}", "[^/]+", method["path"])
        if method["method"] == http and re.fullmatch(pattern, path):
            return str(method["id"])
    raise BadRequestError("no such method")


def _checked(name: str, value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise BadRequestError(f"{where}: no object")
    for key, each in value.items():
        known = serving_shapes()["schemas"][name].get(key)
        if known is None or not known["writable"]:
            raise BadRequestError(f"{where}: the field {key!r}")
        _checked_value(known, each, f"{where}.{key}")


def _checked_value(known: dict[str, Any], value: Any, where: str) -> None:
    if "ref" in known:
        _checked(known["ref"], value, where)
    elif "items" in known:
        for each in value:
            _checked_value(known["items"], each, where)
    elif "values" in known:
        for each in value.values():
            _checked_value(known["values"], each, where)
    elif "enum" in known:
        if value not in known["enum"]:
            raise BadRequestError(f"{where}: {value!r} is none of {known['enum']}")
    elif not isinstance(value, _TYPES[known["type"]]):
        raise BadRequestError(f"{where}: {value!r} is no {known['type']}")
