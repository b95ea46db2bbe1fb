"""Secrets of a small Kubernetes API: in memory, with managers of fields and versions of objects."""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from heavylift.connections import Connection
from tests.support.json_server import JsonServer

NAMESPACE = "ml"
_ROOT = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@dataclass
class ClusterSecretsServer:
    """The API, on a port of its own.

    :param denied: objects that may not be read; the refusal echoes the request.
    """

    denied: set[str] = field(default_factory=set)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock, self._version = threading.Lock(), 100
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    def connection(self, conn_id: str = "cluster") -> Connection:
        extra = {"token": "t", "namespace": NAMESPACE}
        return Connection(conn_id, "kubernetes", host=self._server.url, extra=extra)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if not each.startswith("GET")]

    def add(self, name: str, data: dict[str, bytes], kind: str = "Opaque", manager: str = "kubectl") -> None:
        """Put an object there, or change its values, as ``manager``."""
        held = self.objects.setdefault(
            name, {"metadata": {"name": name, "namespace": NAMESPACE}, "type": kind, "data": {}}
        )
        self._write(held, {key: base64.b64encode(each).decode() for key, each in data.items()}, manager)

    def value(self, name: str, key: str) -> bytes:
        return base64.b64decode(self.objects[name]["data"][key])

    def _write(self, held: dict[str, Any], data: dict[str, str], manager: str) -> None:
        self._version += 1
        held["metadata"]["resourceVersion"] = str(self._version)
        fields: dict[str, set[str]] = {}
        for each in held["metadata"].get("managedFields", ()):
            fields[each["manager"]] = set(each["fieldsV1"]["f:data"]) - {f"f:{key}" for key in data}
        fields.setdefault(manager, set()).update(f"f:{key}" for key in data)
        held["metadata"]["managedFields"] = [
            {
                "manager": name,
                "operation": "Update",
                "fieldsV1": {"f:data": {key: {} for key in sorted(keys)}},
            }
            for name, keys in fields.items()
            if keys
        ]
        held["data"].update(data)

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        with self._lock:
            self.requests.append(f"{http} {split.path}")
            if not split.path.startswith(_ROOT):
                return self._reject(f"{http} {target}")
            name = split.path.removeprefix(_ROOT).strip("/")
            if http == "POST":
                return self._create(body, query["fieldManager"])
            if not name:
                return self._list(query)
            if name in self.denied:
                return _status(403, "Forbidden", f"secrets {name} is forbidden: {json.dumps(body)}")
            if name not in self.objects:
                return _status(404, "NotFound", f'secrets "{name}" not found')
            held = self.objects[name]
            if http == "GET":
                return 200, {"apiVersion": "v1", "kind": "Secret", **held}
            return self._patch(held, body, query["fieldManager"])

    def _list(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        names, start = sorted(self.objects), int(query.get("continue") or 0)
        items = [{"metadata": self.objects[name]["metadata"]} for name in names[start : start + 2]]
        more = {"continue": str(start + 2)} if start + 2 < len(names) else {}
        return 200, {"kind": "PartialObjectMetadataList", "metadata": more, "items": items}

    def _create(self, body: Any, manager: str) -> tuple[int, dict[str, Any]]:
        name, meta = body["metadata"]["name"], body["metadata"]
        known = {"apiVersion", "kind", "type", "metadata", "data"}
        labels = all(_LABEL.fullmatch(each) for each in meta.get("labels", {}).values())
        if not _NAME.fullmatch(name) or set(body) - known or not labels or not _good(body["data"]):
            return self._reject(f"create {name}")
        if name in self.objects:
            return _status(409, "AlreadyExists", f"{name} already exists: {json.dumps(body)}")
        self.objects[name] = {"metadata": {**meta, "namespace": NAMESPACE}, "type": body["type"], "data": {}}
        self._write(self.objects[name], body["data"], manager)
        return 201, self.objects[name]

    def _patch(self, held: dict[str, Any], body: Any, manager: str) -> tuple[int, dict[str, Any]]:
        if body["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified")
        if not _good(body["data"]):
            return self._reject(f"patch {held['metadata']['name']}")
        self._write(held, body["data"], manager)
        return 200, held

    def _reject(self, what: str) -> tuple[int, dict[str, Any]]:
        self.rejected.append(what)
        return _status(422, "Invalid", what)


def _good(data: dict[str, str]) -> bool:
    try:
        size = sum(len(base64.b64decode(each, validate=True)) for each in data.values())
    except binascii.Error:
        return False
    return all(_KEY.fullmatch(key) for key in data) and size <= 2**20


def _status(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
