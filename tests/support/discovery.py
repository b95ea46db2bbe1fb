"""Checks requests against a Google discovery document, as the service itself would."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}


class BadRequestError(Exception):
    """The request is not of the published form."""


def camel(value: Any) -> Any:
    """Return ``value`` with the names of protocol buffers in the form of JSON.

    Google's services take both ``transfer_job`` and ``transferJob``; some clients send the first.
    """
    if isinstance(value, dict):
        return {_camel(name): camel(item) for name, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


@dataclass(frozen=True)
class Method:
    """One method of the API."""

    id: str
    http: str
    path: re.Pattern[str]
    query: frozenset[str]
    body: str | None = None


@dataclass(frozen=True)
class Discovery:
    """A discovery document."""

    methods: tuple[Method, ...]
    schemas: dict[str, Any] = field(default_factory=dict)

    def find(self, http: str, path: str) -> Method | None:
        """Return the method that answers this request line."""
        return next((m for m in self.methods if m.http == http and m.path.fullmatch(path)), None)

    def check(self, method: Method, query: dict[str, str], body: Any) -> None:
        """Raise where the request is not of the method's published form."""
        unknown = set(query) - method.query - {"alt", "prettyPrint", "key", "fields"}
        if unknown:
            raise BadRequestError(f"unknown query parameters {sorted(unknown)}")
        if method.body is None and body not in (None, {}):
            raise BadRequestError("a body that is not wanted")
        if method.body is not None:
            self.check_value(method.body, body or {}, method.body)

    def check_value(self, schema: str, value: Any, where: str) -> None:
        """Raise where ``value`` is not of the named schema; unknown fields are errors."""
        if not isinstance(value, dict):
            raise BadRequestError(f"{where}: no object")
        properties = self.schemas[schema]["properties"]
        for name, item in value.items():
            if name not in properties:
                raise BadRequestError(f"{where}: unknown field {name!r}")
            self._check_property(properties[name], item, f"{where}.{name}")

    def _check_property(self, described: dict[str, Any], value: Any, where: str) -> None:
        if "$ref" in described:
            self.check_value(described["$ref"], value, where)
            return
        wanted = described["type"]
        if described.get("format") in {"int64", "uint64"}:
            wanted = "string"
        if not isinstance(value, _TYPES[wanted]):
            raise BadRequestError(f"{where}: {value!r} is no {wanted}")
        if "enum" in described and value not in described["enum"]:
            raise BadRequestError(f"{where}: {value!r} is none of {described['enum']}")
        if "Output only" in described.get("description", "")[:40]:
            raise BadRequestError(f"{where} is output only")
        if wanted == "array":
            for number, item in enumerate(value):
                self._check_property(described["items"], item, f"{where}[{number}]")


@cache
def load(name: str) -> Discovery:
    """Return the discovery document ``name`` that comes with google-api-python-client."""
    import googleapiclient.discovery_cache as documents

    raw = json.loads((Path(documents.__path__[0]) / "documents" / f"{name}.json").read_text())
    shared = frozenset(raw.get("parameters", {}))
    return Discovery(tuple(_methods(raw, shared)), raw["schemas"])


def _methods(node: dict[str, Any], shared: frozenset[str]) -> list[Method]:
    found = []
    for described in node.get("methods", {}).values():
        path = described.get("flatPath") or described["path"]
        pattern = re.sub(r"\\\{[^}]+\\\}", r"[^/:]+", re.escape(path))
        query = {k for k, v in described.get("parameters", {}).items() if v["location"] == "query"}
        body = described.get("request", {}).get("$ref")
        found.append(
            Method(described["id"], described["httpMethod"], re.compile(pattern), shared | query, body)
        )
    for child in node.get("resources", {}).values():
        found += _methods(child, shared)
    return found
