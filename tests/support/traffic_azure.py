"""Traffic Manager and an online endpoint of Azure ML, checked by the shapes that Microsoft's clients publish.

``data/azure-traffic-shapes.json`` holds those: paths, versions, and which fields a client may write.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError
from tests.support.traffic_servers import DATA, Reply, TrafficServer

_TYPES = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}


@cache
def azure_shapes() -> dict[str, Any]:
    """Return the published shapes of the two services of Azure."""
    found: dict[str, Any] = json.loads((DATA / "azure-traffic-shapes.json").read_text())
    return found["services"]


class AzureServer(TrafficServer):
    """A resource of Azure: only fields that a client may write, of the published type."""

    service = ""

    @property
    def shapes(self) -> dict[str, Any]:
        found: dict[str, Any] = azure_shapes()[self.service]
        return found

    def checked(self, method: str, path: str, query: dict[str, str], body: Any) -> None:
        """Raise where a request is not of the published form."""
        pattern = re.sub(r"\{\w+\}", "[^/]+", self.shapes["path"].strip("/"))
        if not re.fullmatch(pattern, path) or method not in self.shapes["methods"]:
            raise BadRequestError(f"no method {method} {path}")
        if query != {"api-version": self.shapes["api_version"]}:
            raise BadRequestError(f"the parameters {query}")
        if body is not None:
            self._check(self.shapes["root"], body, self.shapes["root"])

    def _check(self, name: str, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise BadRequestError(f"{where}: no object")
        for key, each in value.items():
            known = self.shapes["schemas"][name].get(key)
            if known is None or not known["writable"]:
                raise BadRequestError(f"{where}: the field {key!r}")
            self._check_value(known, each, f"{where}.{key}")

    def _check_value(self, known: dict[str, Any], value: Any, where: str) -> None:
        if "ref" in known:
            self._check(known["ref"], value, where)
        elif "items" in known:
            for each in value:
                self._check_value(known["items"], each, where)
        elif "values" in known:
            for each in value.values():
                self._check_value(known["values"], each, where)
        elif "enum" in known:
            if value not in known["enum"]:
                raise BadRequestError(f"{where}: {value!r} is none of {known['enum']}")
        elif not isinstance(value, _TYPES[known["type"]]) or isinstance(value, bool) != (
            known["type"] == "boolean"
        ):
            raise BadRequestError(f"{where}: {value!r} is no {known['type']}")


class TrafficManagerServer(AzureServer):
    """A profile with two endpoints outside Azure."""

    service = "trafficManager"

    def __init__(self) -> None:
        super().__init__()
        kind = "Microsoft.Network/trafficManagerProfiles/externalEndpoints"

        def endpoint(name: str, weight: int, status: str) -> dict[str, Any]:
            told = {"target": f"{name}.example.com", "weight": weight, "endpointStatus": status}
            return {"name": name, "type": kind, "properties": {**told, "endpointMonitorStatus": "Online"}}

        self.profile: dict[str, Any] = {
            "name": "score",
            "tags": {"team": "fraud"},
            "location": "global",
            "properties": {
                "trafficRoutingMethod": "Weighted",
                "dnsConfig": {"relativeName": "score", "fqdn": "score.trafficmanager.net", "ttl": 30},
                "endpoints": [endpoint("blue", 1, "Enabled"), endpoint("green", 1, "Disabled")],
            },
        }

    @property
    def connection(self) -> Connection:
        extra = {
            "subscriptionId": "s",
            "endpoint_url": self.url,
            "anonymous": True,
            "resource_group": "g",
            "profile": "score",
            "source_endpoint": "blue",
            "target_endpoint": "green",
        }
        return Connection("traffic_manager", "azure", extra=extra)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        self.checked(method, path, query, body)
        if method == "GET":
            return 200, self.profile
        if method != "PATCH":
            raise BadRequestError(f"{method} is not expected")
        for each in body["properties"]["endpoints"]:
            if not 1 <= each["properties"]["weight"] <= 1000:
                raise BadRequestError(f"the weight {each['properties']['weight']}")
        self.profile["tags"] = body["tags"]
        self.profile["properties"]["endpoints"] = body["properties"]["endpoints"]
        return self.done(self.profile)


class AzureMlEndpointServer(AzureServer):
    """An online endpoint with two deployments."""

    service = "onlineEndpoint"

    def __init__(self) -> None:
        super().__init__()
        self.endpoint: dict[str, Any] = {
            "id": "/subscriptions/s/x",
            "name": "score",
            "location": "westeurope",
            "kind": "Managed",
            "tags": {"team": "fraud"},
            "identity": {"type": "SystemAssigned"},
            "properties": {
                "authMode": "Key",
                "scoringUri": "https://score.westeurope.inference.ml.azure.com/score",
                "traffic": {"blue": 100, "green": 0},
                "mirrorTraffic": {},
                "provisioningState": "Succeeded",
            },
        }
        # As https://learn.microsoft.com/rest/api/azureml/online-deployments/get describes it.
        self.deployments: dict[str, dict[str, Any]] = {
            name: {"name": name, "sku": {"capacity": count}, "properties": {"provisioningState": "Succeeded"}}
            for name, count in (("blue", 3), ("green", 2))
        }

    @property
    def connection(self) -> Connection:
        extra = {
            "subscriptionId": "s",
            "endpoint_url": self.url,
            "anonymous": True,
            "resource_group": "g",
            "workspace": "w",
            "endpoint": "score",
            "source_deployment": "blue",
            "target_deployment": "green",
        }
        return Connection("azure_ml", "azure", extra=extra)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        above, _, name = path.partition("/deployments/")
        self.checked(method, above, query, body)
        if name:
            return (200, self.deployments[name]) if name in self.deployments else (404, {"error": {}})
        properties = self.endpoint["properties"]
        if method == "GET":
            properties["provisioningState"] = "Updating" if self.under_way() else "Succeeded"
            return 200, self.endpoint
        if method != "PUT":
            raise BadRequestError(f"{method} is not expected")
        given = body["properties"]
        if unknown := set(given["traffic"]) - {"blue", "green"}:
            return 400, {"error": {"code": "UserError", "message": f"no deployment {unknown}"}}
        live = {name for name, share in given["traffic"].items() if share}
        if sum(given["traffic"].values()) != 100 or live & set(given["mirrorTraffic"]):
            raise BadRequestError("traffic that Azure ML refuses")
        if given["authMode"] != properties["authMode"] or body["identity"] != self.endpoint["identity"]:
            raise BadRequestError("a field that was lost")
        properties |= {"traffic": given["traffic"], "mirrorTraffic": given["mirrorTraffic"]}
        self.endpoint["tags"] = body["tags"]
        return self.done(self.endpoint, 201)
