"""A small Key Vault: keeps secrets in memory, and checks what it is sent by the models of Azure's own SDK."""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from azure.keyvault.secrets import ApiVersion
from azure.keyvault.secrets._generated import models

from heavylift.connections import Connection
from tests.support.json_server import JsonServer

_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_FIELDS = {"value": str, "tags": dict, "contentType": str, "attributes": dict}
assert {"value", "tags", "content_type"} <= set(models.SecretSetParameters.__annotations__)


@dataclass
class KeyVaultServer:
    """The vault, on a port of its own; names differ in more than case.

    :param versions: by name in lower case, oldest first.
    :param denied: names that nobody may read or write; the refusal echoes the request.
    """

    denied: set[str] = field(default_factory=set)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    @property
    def extra(self) -> dict[str, Any]:
        return {"vault_url": self._server.url, "anonymous": True}

    def connection(self, conn_id: str = "vault") -> Connection:
        return Connection(conn_id, "azure", extra=self.extra)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.requests if each.startswith("PUT")]

    def add(self, name: str, value: str, **more: Any) -> None:
        """Set a version that Heavylift did not write."""
        held = self.versions.setdefault(name.lower(), [])
        self.names[name.lower()] = name
        made = f"{self._server.url}/secrets/{name}/{len(held) + 1:032x}"
        held.append({"value": value, "id": made, "attributes": {"enabled": True}, "tags": {}, **more})

    def current(self, name: str) -> dict[str, Any]:
        return self.versions[name.lower()][-1]

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request."""
        split = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(split.query))
        parts = urllib.parse.unquote(split.path).strip("/").split("/")
        with self._lock:
            self.requests.append(f"{http} {split.path}")
            if query.get("api-version") not in set(ApiVersion) or parts[0] != "secrets":
                return self._reject(f"{http} {target}")
            if len(parts) == 1 and http == "GET":
                return self._list(query)
            name = parts[1]
            if len(parts) > 2 or not _NAME.fullmatch(name):
                return self._reject(f"{http} {target}")
            if name in self.denied:
                return _refusal(403, "Forbidden", f"{name} may not be used for {json.dumps(body)}")
            return self._set(name, body) if http == "PUT" else self._get(name)

    def _list(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if int(query.get("maxresults", 25)) > 25:
            return self._reject(f"list {query}")
        names, start = sorted(self.versions), int(query.get("$skiptoken") or 0)
        page = []
        for name in names[start : start + 2]:
            item = {key: each for key, each in self.current(name).items() if key != "value"}
            page.append({**item, "id": item["id"].rpartition("/")[0]})
        more = f"{self._server.url}/secrets?api-version=7.4&$skiptoken={start + 2}"
        return 200, {"value": page, "nextLink": more if start + 2 < len(names) else None}

    def _get(self, name: str) -> tuple[int, dict[str, Any]]:
        if name.lower() not in self.versions:
            return _refusal(404, "SecretNotFound", f"A secret with (name/id) {name} was not found")
        current = self.current(name)
        if not current["attributes"]["enabled"]:
            answer = _refusal(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
            answer[1]["error"]["innererror"] = {"code": "SecretDisabled"}
            return answer
        return 200, current

    def _set(self, name: str, body: Any) -> tuple[int, dict[str, Any]]:
        wrong = [key for key, each in body.items() if not isinstance(each, _FIELDS.get(key, ()))]
        tags = body.get("tags", {})
        if wrong or "value" not in body or len(tags) > 15 or any(len(t) > 256 for t in tags.values()):
            return self._reject(f"set {name}: {wrong}")
        if len(body["value"]) > 25_000:
            return _refusal(400, "BadParameter", f"too long: {body['value']}")
        self.add(name, **body)
        return 200, self.current(name)

    def _reject(self, what: str) -> tuple[int, dict[str, Any]]:
        self.rejected.append(what)
        return _refusal(400, "BadParameter", what)


def _refusal(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": code, "message": message}}
