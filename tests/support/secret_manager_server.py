"""A small Secret Manager: checks requests by Google's discovery document, keeps secrets in memory."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from heavylift.checksums import crc32c_of
from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.json_server import JsonServer

ROOT = "projects/p/secrets"
_SECRET = re.compile(rf"v1/{ROOT}/([A-Za-z0-9_-]{{1,255}})(.*)")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass
class SecretManagerServer:
    """The service, on a port of its own.

    :param denied: names whose value nobody may read or write.
    :param refuses: methods that are refused; the refusal echoes the whole request, as some vendors' do.
    :param token: requests without it are refused; empty: none is wanted.
    :param loses: answers to additions of versions that are lost after they were carried out.
    :param spoils: values are kept with a bit turned.
    :param before_version: called with the number of versions before one is added; others wait meanwhile.
    """

    denied: set[str] = field(default_factory=set)
    refuses: dict[str, int] = field(default_factory=dict)
    unauthorised: bool = False
    loses: int = 0
    spoils: bool = False
    before_version: Callable[[int], None] | None = None
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    @property
    def extra(self) -> dict[str, Any]:
        return {"project": "p", "endpoint_url": self._server.url, "anonymous": True}

    def connection(self, conn_id: str = "gcp_target") -> Connection:
        return Connection(conn_id, "google_cloud_platform", extra=self.extra)

    @property
    def writes(self) -> list[str]:
        reads = (".list", ".get", ".access")
        return [each for each in self.requests if not each.endswith(reads)]

    def add(self, name: str, value: bytes | None, **more: Any) -> None:
        """Put a secret there that Heavylift did not write."""
        self.secrets[name] = {"name": f"{ROOT}/{name}", "replication": {"automatic": {}}, **more}
        self.versions[name] = [] if value is None else [value]

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request; one that is not of the published form is refused and noted."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        path = urllib.parse.unquote(split.path).removeprefix("/secretmanager/")
        with self._lock:
            document = load("secretmanager.v1")
            method = document.find(http, path)
            try:
                if method is None:
                    raise BadRequestError("no such method")
                document.check(method, query, body)
            except BadRequestError as error:
                self.rejected.append(f"{http} {path}: {error}")
                return _refusal(400, "INVALID_ARGUMENT", str(error))
            short = method.id.removeprefix("secretmanager.projects.")
            self.requests.append(short)
            if self.unauthorised:
                return _refusal(401, "UNAUTHENTICATED", f"no: {json.dumps(body)}")
            for end, status in self.refuses.items():
                if short.endswith(end):
                    return _refusal(status, "FAILED_PRECONDITION", f"cannot {path} with {json.dumps(body)}")
            return self._done(short, path, query, body or {})

    def _done(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        if method == "secrets.list":
            names = sorted(self.secrets)
            start = int(query.get("pageToken") or 0)
            page = {"secrets": [self.secrets[name] for name in names[start : start + 2]]}
            more = {"nextPageToken": str(start + 2)} if start + 2 < len(names) else {}
            return 200, {**page, **more}
        if method == "secrets.create":
            return self._create(query.get("secretId", ""), body)
        match = _SECRET.fullmatch(path)
        assert match, path
        name = match[1].partition(":")[0]
        if name not in self.secrets:
            return _refusal(404, "NOT_FOUND", f"Secret [{ROOT}/{name}] not found.")
        return self._of(method, name, query, body)

    def _create(self, name: str, body: Any) -> tuple[int, dict[str, Any]]:
        if not _NAME.fullmatch(name) or not body.get("replication"):
            self.rejected.append(f"create {name!r}")
            return _refusal(400, "INVALID_ARGUMENT", "name or replication")
        for key, label in body.get("labels", {}).items():
            assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key), key
            assert re.fullmatch(r"[a-z0-9_-]{0,63}", label), label
        if name in self.secrets:
            return _refusal(409, "ALREADY_EXISTS", f"Secret [{name}] already exists.")
        self.add(name, None, **body)
        return 200, self.secrets[name]

    def _of(self, method: str, name: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        held, versions = self.secrets[name], self.versions[name]
        if method == "secrets.get":
            return 200, held
        if method == "secrets.patch":
            assert query["updateMask"] == "annotations"
            held["annotations"] = body["annotations"]
            return 200, held
        if name in self.denied:
            return _refusal(403, "PERMISSION_DENIED", f"Permission denied for {json.dumps(body)}")
        if method == "secrets.versions.access":
            if not versions:
                return _refusal(404, "NOT_FOUND", "no version")
            data = versions[-1]
            payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(int(crc32c_of(data), 16))}
            return 200, {"name": f"projects/77/secrets/{name}/versions/{len(versions)}", "payload": payload}
        assert method == "secrets.addVersion", method
        data = base64.b64decode(body["payload"]["data"], validate=True)
        assert int(body["payload"]["dataCrc32c"]) == int(crc32c_of(data), 16)
        if not data or len(data) > 65_536:
            return _refusal(400, "INVALID_ARGUMENT", f"payload {body['payload']['data']}")
        if self.before_version:
            self.before_version(sum(map(len, self.versions.values())))
        versions.append(bytes([data[0] ^ 1]) + data[1:] if self.spoils else data)
        if self.loses:
            self.loses -= 1
            return 0, {}
        return 200, {"name": f"projects/77/secrets/{name}/versions/{len(versions)}", "state": "ENABLED"}


def _refusal(status: int, word: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": status, "status": word, "message": message}}
