"""Which fields of Google's answers name what: names of resources are found by their shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.evidence.inventory_records import How
from heavylift.inventory.vocabulary import BASIC_MODES, Link, Vocabulary, plain_relation

_NAME = re.compile(
    r"(?:https://[a-z0-9.-]*googleapis\.com/(?:[a-z]+/)?(?:v?[a-z0-9]+/)?|//[a-z.-]+\.googleapis\.com/)?"
    r"(projects/[a-z0-9:.-]+/[A-Za-z]+/[^\s\"'?@]+)"
)
_ACCOUNT = re.compile(r"(?:serviceAccount:)?([a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com)")
_BIGQUERY = re.compile(r"bq://((?:[a-z0-9.-]+:)?[a-z0-9-]+)\.([A-Za-z0-9_]+)(?:\.([A-Za-z0-9_]+))?")
_PLACE = re.compile(r"projects/[^/]+(?:/global|/(?:locations|zones|regions)/[^/]+)?")
_OWN = re.compile(r".*/(?:machineTypes|diskTypes|acceleratorTypes|licenses)/[^/]+")
"""What the platform itself offers, and nobody made."""
_SILENT = frozenset({"name", "selfLink", "path", "id", "uid", "etag", "labels", "known_as", "sourceContents"})
_MODES: dict[str, How] = {
    **BASIC_MODES,
    **dict.fromkeys(
        ("pipelinespec", "sourcecontents", "gridlayout", "mosaiclayout", "columnlayout"), How.DEFINITION
    ),
    **dict.fromkeys(("labels", "displayname", "documentation"), How.TEXT),
}
_RELATIONS = (
    ("/cryptoKeys/", "encrypted_by"),
    ("/keyRings/", "encrypted_by"),
    ("gcp:serviceAccount:", "runs_as"),
    ("/networks/", "in"),
    ("/subnetworks/", "in"),
    ("/secrets/", "reads_secret"),
    ("/models/", "serves"),
)


def _links(id: str, _region: str, document: Mapping[str, Any]) -> Iterator[Link]:
    yield from _below(document, "", "", How.API_FIELD)
    parent = re.match(r"//[a-z.]+/(projects/.+)/[A-Za-z]+/[^/]+$", id)
    # A table belongs to its dataset: that stands in its own name alone.
    if parent and not _PLACE.fullmatch(parent[1]):
        yield Link("name", parent[1], How.API_FIELD, "belongs_to")


def _below(value: Any, path: str, leaf: str, how: How) -> Iterator[Link]:
    if isinstance(value, Mapping):
        yield from _of_object(value, path)
        for key, each in value.items():
            if str(key).startswith("_") or (not path and key in _SILENT):
                continue
            inner = _MODES.get(str(key).lower(), how)
            yield from _below(each, f"{path}.{key}" if path else str(key), str(key), inner)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _below(each, f"{path}[{index}]", leaf, how)
    elif isinstance(value, str) and how is not How.TEXT:
        yield from _of_text(value, path, leaf, how)


def _of_text(value: str, path: str, leaf: str, how: How) -> Iterator[Link]:
    if leaf == "members":
        how = How.POLICY
    account = _ACCOUNT.fullmatch(value)
    if account:
        yield Link(
            path, f"gcp:serviceAccount:{account[1]}", how, "grants" if how is How.POLICY else "runs_as"
        )
        return
    name = _NAME.fullmatch(value)
    if name and not _PLACE.fullmatch(name[1]) and not _OWN.fullmatch(name[1]):
        yield Link(path, name[1], how, relation_of(name[1]))
    table = _BIGQUERY.fullmatch(value)
    if table:
        deeper = f"/tables/{table[3]}" if table[3] else ""
        target = f"projects/{table[1]}/datasets/{table[2]}{deeper}"
        is_written = any(word in path.lower() for word in ("output", "destination"))
        yield Link(path, target, how, "writes" if is_written else "reads")


def _of_object(value: Mapping[str, Any], path: str) -> Iterator[Link]:
    """Yield what fields name together: a table of BigQuery, a secret of a function."""
    project, dataset, table = (value.get(name) for name in ("projectId", "datasetId", "tableId"))
    if path and project and dataset and not path.endswith(("datasetReference", "tableReference")):
        deeper = f"/tables/{table}" if table else ""
        yield Link(path, f"projects/{project}/datasets/{dataset}{deeper}", How.API_FIELD, "reads")
    secret = value.get("secret")
    if isinstance(secret, str) and secret and "/" not in secret and value.get("projectId"):
        yield Link(path, f"projects/{value['projectId']}/secrets/{secret}", How.API_FIELD, "reads_secret")


def relation_of(target: str) -> str:
    """Return what naming ``target`` means."""
    return next((relation for part, relation in _RELATIONS if part in target), "uses")


WORDS = Vocabulary(relation_of=plain_relation, modes=_MODES, links=_links)
"""What the walk knows of Google Cloud."""
