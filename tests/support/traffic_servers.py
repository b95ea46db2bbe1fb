"""Small servers of what splits traffic; each checks every request by its vendor's published shapes.

Each holds one thing with two sides, 0 % on the target, and tells which writes it has carried out.
"""

from __future__ import annotations

import copy
import itertools
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema

from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.json_server import JsonServer

Reply = tuple[int, dict[str, Any]]
DATA = Path(__file__).with_name("data")
RECORD = "score.example.com."


class TrafficServer(ABC):
    """One service, on a port of its own.

    :ivar writes: how many were carried out.
    :ivar loses: so many answers to writes are lost.
    :ivar refuses: the status of every answer, 0 where none is refused.
    :ivar polls: how often the last write says that it is under way.
    """

    def __init__(self) -> None:
        self.writes = 0
        self.loses = 0
        self.polls = 0
        self.left = 0
        self.refuses = 0
        self.rejected: list[str] = []
        self._server = JsonServer(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    def close(self) -> None:
        self._server.close()

    @property
    @abstractmethod
    def connection(self) -> Connection:
        """The connection to it."""

    @abstractmethod
    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        """Answer one request."""

    def done(self, reply: dict[str, Any], status: int = 200) -> Reply:
        """Note a write, and answer it unless that is to be lost."""
        self.writes += 1
        self.left = self.polls
        if self.loses:
            self.loses -= 1
            return 0, {}
        return status, copy.deepcopy(reply)

    def under_way(self) -> bool:
        """Tell whether the last write is still under way, and come one look closer to its end."""
        self.left -= 1
        return self.left >= 0

    def _answer(self, method: str, target: str, body: Any) -> Reply:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.refuses:
            return self.refuses, {"error": {"message": "no"}}
        try:
            status, found = self.answer(method, parts.path.strip("/"), query, body)
        except (BadRequestError, jsonschema.ValidationError) as error:
            message = str(error).splitlines()[0]
            self.rejected.append(message)
            return 400, {"error": {"status": "INVALID_ARGUMENT", "message": message}}
        return status, copy.deepcopy(found)


class CloudDnsServer(TrafficServer):
    """Cloud DNS, by its discovery document: changes are carried out whole or not at all."""

    def __init__(self) -> None:
        super().__init__()
        items = [
            {"kind": "dns#x", "rrdatas": ["source.example.com."], "weight": 100.0},
            {"kind": "dns#x", "rrdatas": ["target.example.net."], "weight": 0.0},
        ]
        policy = {"kind": "dns#y", "wrr": {"kind": "dns#z", "items": items}}
        record = {"kind": "dns#resourceRecordSet", "name": RECORD, "type": "CNAME", "ttl": 30}
        self.records: dict[tuple[str, str], dict[str, Any]] = {
            (RECORD, "CNAME"): {**record, "routingPolicy": policy}
        }

    @property
    def connection(self) -> Connection:
        extra = {
            "project": "p",
            "endpoint_url": self.url,
            "anonymous": True,
            "zone": "z",
            "record": RECORD.rstrip("."),
            "source_rrdata": "source.example.com",
            "target_rrdata": "target.example.net.",
        }
        return Connection("cloud_dns", "google_cloud_platform", extra=extra)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        document = load("dns.v1")
        found = document.find(method, path)
        if found is None:
            raise BadRequestError(f"no method {method} {path}")
        document.check(found, query, body)
        if found.id == "dns.resourceRecordSets.get":
            record = self.records.get((path.split("/")[-2], path.split("/")[-1]))
            return (200, record) if record else (404, {"error": {"message": "no such record"}})
        if found.id == "dns.changes.get":
            return 200, {"id": path.split("/")[-1], "status": "pending" if self.under_way() else "done"}
        if found.id != "dns.changes.create":
            raise BadRequestError(f"{found.id} is not expected")
        return self._change(body)

    def _change(self, body: dict[str, Any]) -> Reply:
        left = dict(self.records)
        for each in body.get("deletions", []):
            if _bare(left.pop((each["name"], each["type"]), None)) != each:
                return 412, {"error": {"status": "conditionNotMet", "message": "another record"}}
        for each in body.get("additions", []):
            if (each["name"], each["type"]) in left:
                return 409, {"error": {"status": "alreadyExists", "message": "a record"}}
            left[each["name"], each["type"]] = each
        self.records = left
        return self.done({"id": str(self.writes + 1), "status": "pending"})


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if key != "kind"}
    return [_bare(each) for each in value] if isinstance(value, list) else value


class VertexEndpointServer(TrafficServer):
    """An endpoint of Vertex AI, by its discovery document, with etags."""

    def __init__(self) -> None:
        super().__init__()
        self.etags = itertools.count(1)
        self.endpoint: dict[str, Any] = {
            "name": "projects/p/locations/europe-west4/endpoints/7",
            "deployedModels": [_deployed("11", 3), _deployed("22", 2)],
            "trafficSplit": {"11": 100},
            "labels": {"team": "fraud"},
            "etag": "e0",
        }

    @property
    def connection(self) -> Connection:
        extra = {
            "project": "p",
            "endpoint_url": self.url,
            "anonymous": True,
            "location": "europe-west4",
            "endpoint": "7",
            "source_deployed_model": "11",
            "target_deployed_model": "22",
        }
        return Connection("vertex", "google_cloud_platform", extra=extra)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        document = load("aiplatform.v1")
        found = document.find(method, path)
        if found is None:
            raise BadRequestError(f"no method {method} {path}")
        document.check(found, query, body)
        if method == "GET":
            return 200, self.endpoint
        if set(query["updateMask"].split(",")) != {"trafficSplit", "labels"}:
            raise BadRequestError(f"the mask {query['updateMask']}")
        if sum(body["trafficSplit"].values()) != 100:
            raise BadRequestError("a split whose sum is not 100")
        if body["etag"] != self.endpoint["etag"]:
            return 409, {"error": {"status": "ABORTED", "message": "another etag"}}
        kept = {name: share for name, share in body["trafficSplit"].items() if share}
        self.endpoint |= {"trafficSplit": kept, "labels": body["labels"], "etag": f"e{next(self.etags)}"}
        return self.done(self.endpoint)


def _deployed(number: str, replicas: int) -> dict[str, Any]:
    return {
        "id": number,
        "dedicatedResources": {"minReplicaCount": replicas},
        "status": {"availableReplicaCount": replicas},
    }


class GatewayServer(TrafficServer):
    """An ``HTTPRoute`` in a cluster, with a gateway that takes each generation after some looks."""

    def __init__(self) -> None:
        super().__init__()
        backends = [
            {"name": "source", "port": 8080, "weight": 100},
            {"name": "target", "port": 8080, "weight": 0},
        ]
        headers = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}
        self.route: dict[str, Any] = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {
                "name": "score",
                "namespace": "fraud",
                "generation": 1,
                "resourceVersion": "1",
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {
                "parentRefs": [{"name": "front"}],
                "rules": [
                    {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}
                    | {"filters": [headers]},
                    {"backendRefs": [{"name": "pages", "port": 80}]},
                ],
            },
        }
        self.taken = 1
        self.ready = {"source": [True] * 3, "target": [True] * 2}

    @property
    def connection(self) -> Connection:
        extra = {
            "namespace": "fraud",
            "route": "score",
            "source_service": "source",
            "target_service": "target",
        }
        return Connection("gateway", "kubernetes", host=self.url, extra=extra)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Reply:
        if path == "apis/discovery.k8s.io/v1/namespaces/fraud/endpointslices" and method == "GET":
            return 200, self._slices(query["labelSelector"].removeprefix("kubernetes.io/service-name="))
        if path != "apis/gateway.networking.k8s.io/v1/namespaces/fraud/httproutes/score":
            return 404, {"reason": "NotFound", "message": path}
        if method == "GET":
            if not self.under_way():
                self.taken = self.route["metadata"]["generation"]
            return 200, {**self.route, "status": {"parents": [self._parent()]}}
        if method != "PUT":
            raise BadRequestError(f"{method} is not expected")
        schema = json.loads((DATA / "httproute-schema.json").read_text())
        jsonschema.validate(body, schema)
        meta = self.route["metadata"]
        if body["metadata"].get("resourceVersion") != meta["resourceVersion"]:
            return 409, {"reason": "Conflict", "message": "the object has been modified"}
        changed = body["spec"] != self.route["spec"]
        self.route = {key: value for key, value in body.items() if key != "status"}
        self.route["metadata"] = {
            **body["metadata"],
            "generation": meta["generation"] + changed,
            "resourceVersion": str(int(meta["resourceVersion"]) + 1),
        }
        return self.done(self.route)

    def _slices(self, service: str) -> dict[str, Any]:
        endpoints = [
            {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": ready}}
            for number, ready in enumerate(self.ready[service], 1)
        ]
        return {"kind": "EndpointSliceList", "items": [{"addressType": "IPv4", "endpoints": endpoints}]}

    def _parent(self) -> dict[str, Any]:
        conditions = [
            {"type": name, "status": "True", "reason": name, "observedGeneration": self.taken}
            for name in ("Accepted", "ResolvedRefs")
        ]
        return {"parentRef": {"name": "front"}, "controllerName": "x/y", "conditions": conditions}
