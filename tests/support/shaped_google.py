"""Answers of a Google API made of nothing but the schemas of its discovery document, every field filled."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.discovery import load

DOCUMENTS = {
    "aiplatform": "aiplatform.v1", "alloydb": "alloydb.v1", "artifactregistry": "artifactregistry.v1",
    "bigquery": "bigquery.v2", "cloudfunctions": "cloudfunctions.v2", "cloudkms": "cloudkms.v1",
    "cloudresourcemanager": "cloudresourcemanager.v3", "cloudscheduler": "cloudscheduler.v1",
    "composer": "composer.v1", "compute": "compute.v1", "container": "container.v1",
    "dataflow": "dataflow.v1b3",
    "dataproc": "dataproc.v1", "eventarc": "eventarc.v1", "file": "file.v1", "iam": "iam.v1",
    "logging": "logging.v2", "managedkafka": "managedkafka.v1", "notebooks": "notebooks.v2",
    "pubsub": "pubsub.v1",
    "redis": "redis.v1", "run": "run.v2", "secretmanager": "secretmanager.v1", "sqladmin": "sqladmin.v1",
    "storage": "storage.v1", "workflows": "workflows.v1",
}  # fmt: skip
"""Service → its discovery document; monitoring has one for each of its two versions."""
_DEEPEST = 6
ANY = "projects/p-1/locations/l-1/things/the-name"
"""Stands where a schema has a name, whatever it is the name of."""


def document_of(service: str, path: str) -> str:
    """Return the name of the document that describes a request."""
    if service == "monitoring":
        return "monitoring.v3" if path.startswith("v3/") else "monitoring.v1"
    return DOCUMENTS[service]


@cache
def _raw(name: str) -> dict[str, Any]:
    import googleapiclient.discovery_cache as documents

    raw: dict[str, Any] = json.loads((Path(documents.__path__[0]) / "documents" / f"{name}.json").read_text())
    return raw


def response_of(service: str, http: str, path: str) -> tuple[str, dict[str, Any]]:
    """Return method's id and schema of the answer to a request; the path is without query.

    :raises AssertionError: no document has such a method.
    """
    name = document_of(service, path)
    raw = _raw(name)
    short = path.removeprefix(raw["servicePath"])
    method = load(name).find(http, short)
    assert method is not None, f"{name} has no {http} {path}"
    return method.id, raw["schemas"][_responses(name)[method.id]]


@cache
def _responses(name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = [_raw(name)]
    while rest:
        node = rest.pop()
        rest += node.get("resources", {}).values()
        for method in node.get("methods", {}).values():
            found[method["id"]] = method.get("response", {}).get("$ref", "")
    return found


def answer_of(service: str, path: str, schema: dict[str, Any]) -> Any:
    """Return an answer that fills every field of a schema."""
    return _value(_raw(document_of(service, path))["schemas"], schema, "x", 0)


def _value(schemas: dict[str, Any], schema: dict[str, Any], name: str, depth: int) -> Any:
    if "$ref" in schema:
        return _value(schemas, schemas[schema["$ref"]], name, depth) if depth < _DEEPEST else {}
    kind = schema.get("type")
    if kind == "array":
        return [_value(schemas, schema["items"], name, depth + 1)]
    if kind == "object" or "properties" in schema:
        filled = {
            key: _value(schemas, inner, key, depth + 1) for key, inner in schema.get("properties", {}).items()
        }
        more = schema.get("additionalProperties")
        return {**filled, "key": _value(schemas, more, name, depth + 1)} if more else filled
    return _scalar(schema, name)


def _scalar(schema: dict[str, Any], name: str) -> Any:
    kind, form = schema.get("type"), schema.get("format", "")
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return 7
    if "int64" in form:
        return "1793534400000"
    if "datetime" in form or name.endswith(("Time", "Timestamp")):
        return "2026-11-01T12:00:00Z"
    if schema.get("enum"):
        return schema["enum"][0]
    return _text(name)


def _text(name: str) -> str:
    if name == "name":
        return ANY
    if name == "selfLink":
        return "https://www.googleapis.com/x/v1/projects/p-1/zones/z/things/the-name"
    return f"the-{name}"
