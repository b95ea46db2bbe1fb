"""A small Kubernetes API: serves objects from memory in pages, and refuses, expires or lacks what it is told.

Objects are checked against Kubernetes' own published schema before they are served, where the schema has them
(``tests/support/data/kubernetes-shapes.json``).
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-cluster"


@dataclass
class Cluster:
    """What the cluster holds.

    :param objects: (path of the group and version, plural) → objects.
    :param forbidden: plurals whose listing is refused.
    :param expire_once: plurals whose first token to go on has expired when it is used.
    :param page: most objects of one page.
    :param delay: seconds before each answer.
    """

    objects: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    expire_once: set[str] = field(default_factory=set)
    page: int = 3
    asked: list[str] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    url: str = ""

    def add(self, api: str, plural: str, kind: str, name: str, namespace: str = "", **more: Any) -> None:
        """Add one object; ``metadata`` may be given in part."""
        meta = {
            "name": name,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{api}/{plural}/{namespace}/{name}")),
        }
        meta |= {"creationTimestamp": "2026-11-01T12:00:00Z", "resourceVersion": "1"}
        meta |= {"namespace": namespace} if namespace else {}
        item = {"apiVersion": api.removeprefix("apis/").removeprefix("api/"), "kind": kind, **more}
        item["metadata"] = {**meta, **more.get("metadata", {})}
        self.objects.setdefault((api, plural), []).append(item)

    def answer(self, path: str, query: Mapping[str, str], accept: str) -> tuple[int, dict[str, Any]]:
        """Return status and answer of one GET."""
        if path == "version":
            return 200, {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
        parts = path.split("/")
        head = 3 if parts[0] == "apis" else 2
        api, rest = "/".join(parts[:head]), parts[head:]
        namespace = rest[1] if len(rest) == 3 and rest[0] == "namespaces" else ""
        if len(rest) in (2, 4):
            return self._one(api, rest[-2], rest[-1], rest[1] if len(rest) == 4 else "")
        plural = rest[-1]
        self.accepted[plural] = accept
        if (api, plural) not in self.objects:
            return 404, _status(404, "NotFound", "the server could not find the requested resource")
        if plural in self.forbidden:
            text = f'{plural} is forbidden: User "x" cannot list resource "{plural}" in API group ""'
            return 403, _status(403, "Forbidden", text)
        items = [
            each
            for each in self.objects[api, plural]
            if not namespace or each["metadata"].get("namespace") == namespace
        ]
        return self._page(plural, items, query, accept)

    def _one(self, api: str, plural: str, name: str, namespace: str) -> tuple[int, dict[str, Any]]:
        for each in self.objects.get((api, plural), ()):
            meta = each["metadata"]
            if (meta["name"], meta.get("namespace", "")) == (name, namespace):
                return 200, each
        return 404, _status(404, "NotFound", f'{plural} "{name}" not found')

    def _page(
        self, plural: str, items: list[dict[str, Any]], query: Mapping[str, str], accept: str
    ) -> tuple[int, dict[str, Any]]:
        start = int(query.get("continue") or 0)
        if start and plural in self.expire_once:
            self.expire_once.discard(plural)
            return 410, _status(410, "Expired", "The provided continue parameter is too old")
        chosen = items[start : start + min(self.page, int(query["limit"]))]
        following = start + len(chosen)
        meta = {"resourceVersion": "7", **({"continue": str(following)} if following < len(items) else {})}
        if "PartialObjectMetadataList" in accept:
            chosen = [{"metadata": each["metadata"]} for each in chosen]
        else:  # of a list the items tell neither kind nor version
            chosen = [{k: v for k, v in each.items() if k not in ("kind", "apiVersion")} for each in chosen]
        return 200, {"kind": "List", "apiVersion": "v1", "metadata": meta, "items": chosen}


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


@contextmanager
def serving(cluster: Cluster) -> Iterator[Cluster]:
    """Serve a cluster on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            cluster.asked.append(self.path)
            time.sleep(cluster.delay)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, answer = 401, _status(401, "Unauthorized", "Unauthorized")
            else:
                status, answer = cluster.answer(parts.path.strip("/"), query, self.headers["Accept"])
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
