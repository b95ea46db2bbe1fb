"""The file ``FeatureSetSpec.yaml`` of an Azure ML feature set: what its rows are; code is never loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from heavylift.registry.features.azure_ml_rules import NAMES, TYPES, Lake, offset_of, seconds_of
from heavylift.registry.features.description import Feature, View

FILE = "FeatureSetSpec.yaml"
FILES = (FILE, "FeaturesetSpec.yaml")
_SCHEMA = "http://azureml/sdk-2-0/FeatureSetSpec.json"
MOST_BYTES = 4 * 2**20
_NEWEST = 2

Raw = Mapping[str, Any]


def read_spec(text: bytes, lake: Lake) -> tuple[View, int] | str:
    """Return what a specification says of a view, and its version; or why such a view is not moved."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError:
        raw = None
    if not isinstance(raw, dict) or not isinstance(raw.get("source"), dict):
        return "its specification is no YAML of a feature set"
    source: Raw = raw["source"]
    if why := _unmoved(raw, source):
        return why
    keys = {str(each["name"]): str(each["type"]).lower() for each in raw.get("index_columns") or ()}
    features = {
        str(each["name"]): Feature(
            TYPES.get(str(each["type"]).lower(), str(each["type"])),
            str(each.get("description") or ""),
            {str(key): str(value) for key, value in (each.get("tags") or {}).items()},
        )
        for each in raw.get("features") or ()
    }
    view = View(
        name="",
        keys=tuple(keys),
        key_types={name: TYPES.get(kind, kind) for name, kind in keys.items()},
        event_time=str(source["timestamp_column"]["name"]),
        features=features,
        ttl_seconds=str(seconds_of(raw.get("temporal_join_lookback")) or ""),
        offline=lake.shown(str(source.get("path") or "")),
        offline_format=str(source.get("type") or "").lower().replace("deltatable", "delta"),
    )
    return view, int(raw.get("schema_version") or 1)


def write_spec(view: View, lake: Lake) -> bytes:
    """Return the specification of a view, the same bytes for the same view."""
    made: dict[str, Any] = {
        "$schema": _SCHEMA,
        "source": {
            "type": "parquet",
            "path": lake.written(view.offline),
            "timestamp_column": {"name": view.event_time},
        },
        "features": [_written(name, each) for name, each in view.features.items()],
        "index_columns": [{"name": name, "type": NAMES[view.key_types[name]]} for name in view.keys],
    }
    if view.ttl:
        made["temporal_join_lookback"] = offset_of(view.ttl)
    return yaml.safe_dump(made, sort_keys=False, allow_unicode=True).encode()


def _unmoved(raw: Raw, source: Raw) -> str:
    if int(raw.get("schema_version") or 1) > _NEWEST:
        return f"its specification is of version {raw['schema_version']}"
    if raw.get("feature_transformation") or raw.get("feature_transformation_code"):
        return "its features are computed by code or windows: define them anew"
    if source.get("source_process_code") or str(source.get("type")).lower() in {"custom", "featureset"}:
        return f"its source is of type {source.get('type')}"
    if seconds_of(source.get("source_delay")):
        return "its rows count only after a delay"
    column = source.get("timestamp_column")
    if not isinstance(column, dict) or not column.get("name"):
        return "its source has no event time"
    form = column.get("format")
    if form and not re.fullmatch(r"yyyy-MM-dd[ 'T]+HH:mm:ss(\.S+)?Z?", str(form)):
        return f"its event time is text of the form {form}"
    return ""


def _written(name: str, each: Feature) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "type": NAMES[each.type]}
    if each.description:
        made["description"] = each.description
    if each.tags:
        made["tags"] = dict(each.tags)
    return made
