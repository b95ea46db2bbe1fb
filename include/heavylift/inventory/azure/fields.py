"""Which fields of Azure's answers name what: ids of resources are found by their shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.evidence.inventory_records import How
from heavylift.inventory.vocabulary import BASIC_MODES, Link, Vocabulary, plain_relation

_ID = re.compile(
    r"(?:azureml:)?(/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?/providers/[^\s\"']+)", re.IGNORECASE
)
_DATASTORE = re.compile(
    r"azureml://(?:subscriptions/([^/]+)/resourcegroups/([^/]+)/(?:providers/[^/]+/)?workspaces/([^/]+)/)?"
    r"datastores/([^/]+)",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"(?:https?://|sb://)?([a-z0-9.-]+\.(?:vault\.azure\.net|documents\.azure\.com|database\.azure\.com"
    r"|database\.windows\.net|servicebus\.windows\.net))(?::\d+)?/?.*",
    re.IGNORECASE,
)
_WORKSPACE = re.compile(r"(/subscriptions/.+/workspaces/[^/]+)/")
_DEFAULT = re.compile(r"/[a-z]+services/default/[^/]+/[^/]+$")
_SILENT = frozenset({"id", "tags", "systemData", "known_as", "etag", "type", "name"})
_MODES: dict[str, How] = {
    **BASIC_MODES,
    "definition": How.DEFINITION,
    "activities": How.DEFINITION,
    "typeproperties": How.DEFINITION,
    "lenses": How.DEFINITION,
    "displayname": How.TEXT,
}
_RELATIONS = (
    ("/userassignedidentities/", "runs_as"),
    ("/microsoft.keyvault/", "encrypted_by"),
    ("/virtualnetworks/", "in"),
    ("/networksecuritygroups/", "in"),
    ("/models/", "serves"),
    ("/environments/", "runs_image"),
)


def _links(id: str, _region: str, document: Mapping[str, Any]) -> Iterator[Link]:
    parent = parent_of(id)
    if parent:
        yield Link("id", parent, How.API_FIELD, "belongs_to")
    properties = document.get("properties")
    if isinstance(properties, Mapping):
        yield from _of_properties(properties)
    yield from _below(document, id, "", How.API_FIELD)


def parent_of(id: str) -> str:
    """Return the id of the resource that one lies in; empty where it lies in a group alone."""
    if _DEFAULT.search(id):
        return _DEFAULT.sub("", id)
    kept = id.rpartition("/providers/")[2].count("/")
    return id.rpartition("/")[0].rpartition("/")[0] if kept > 2 else ""


def _of_properties(properties: Mapping[str, Any]) -> Iterator[Link]:
    """Yield what fields name together: a container, who is granted what."""
    account = properties.get("accountName")
    container = properties.get("containerName") or properties.get("filesystem")
    if account and container:
        yield Link("properties.containerName", f"az://{account}/{container}", How.API_FIELD, "reads")
    principal = properties.get("principalId")
    if principal and properties.get("principalType") == "ServicePrincipal":
        yield Link("properties.principalId", f"azure:principal:{principal}", How.API_FIELD, "grants")


def _below(value: Any, id: str, path: str, how: How) -> Iterator[Link]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            # An identity's own entry is the key of a map.
            if isinstance(key, str) and _ID.fullmatch(key):
                yield Link(path, key.lower(), How.API_FIELD, "runs_as")
            if str(key).startswith("_") or (not path and key in _SILENT):
                continue
            inner = _MODES.get(str(key).lower(), how)
            yield from _below(each, id, f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _below(each, id, f"{path}[{index}]", how)
    elif isinstance(value, str) and how is not How.TEXT:
        yield from _of_text(value, id, path, how)


def _of_text(value: str, id: str, path: str, how: How) -> Iterator[Link]:
    found = _ID.fullmatch(value)
    if found:
        target = found[1].lower().rstrip("/")
        relation = "grants" if path == "properties.scope" else relation_of(target)
        yield Link(path, target, how, relation)
    store = _DATASTORE.match(value)
    home = _WORKSPACE.match(id)
    if store:
        group = f"/subscriptions/{store[1]}/resourcegroups/{store[2]}"
        there = f"{group}/providers/microsoft.machinelearningservices/workspaces/{store[3]}"
        workspace = there.lower() if store[1] else (home[1] if home else "")
        if workspace:
            yield Link(path, f"{workspace}/datastores/{store[4].lower()}", how, "reads")
    host = _HOST.fullmatch(value)
    if host:
        yield Link(path, f"host:{host[1].lower()}", how, "uses")


def relation_of(target: str) -> str:
    """Return what naming ``target`` means."""
    return next((relation for part, relation in _RELATIONS if part in target), "uses")


WORDS = Vocabulary(relation_of=plain_relation, modes=_MODES, links=_links)
"""What the walk knows of Azure."""
