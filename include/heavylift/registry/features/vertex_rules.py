"""What Vertex AI Feature Store can hold; limits are those that its reference tells."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from heavylift.registry.catalogues.capabilities import Pairs, Rule
from heavylift.registry.catalogues.vertex_shapes import LABELS
from heavylift.registry.features.bigquery import CREATED
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import History, View
from heavylift.registry.features.ports import Key, Served

_BECOMES = {
    "string": "string",
    "int32": "int64",
    "int64": "int64",
    "float32": "float64",
    "float64": "float64",
    "bool": "bool",
    "bytes": "bytes",
    "timestamp": "string",
}
_LISTS = ("string", "int32", "int64", "float32", "float64", "bool", "timestamp")
_FEATURE_LABELS = Pairs(64, LABELS.key, LABELS.value, reserved=LABELS.reserved)
_MICROSECONDS = 1e6

CAPABILITIES = FeatureCapabilities(
    platform="vertex",
    types=_BECOMES | {f"list<{each}>": f"list<{_BECOMES[each]}>" for each in _LISTS},
    names=Rule(128, r"[a-z_][a-z0-9_]*", test=(lambda text: text != CREATED, "other names")),
    key_types=("string", "int64"),
    time_is_feature=True,
    schemes=("bq",),
    ttl=False,
    history=History(created=CREATED),
    tables=True,
    whole_lists=True,
    serves_history=True,
    feature_pairs=_FEATURE_LABELS,
    owner=False,
    pairs=LABELS,
)
"""Feature groups over BigQuery tables, and the feature views that serve them."""

Raw = Mapping[str, Any]


def data_key(key: Key) -> dict[str, Any]:
    """Return a key as a request names it."""
    parts = [str(each) for each in key]
    return {"key": parts[0]} if len(parts) == 1 else {"compositeKey": {"parts": parts}}


def served_of(view: View, answer: Raw) -> Served:
    """Return what an answer serves."""
    listed = (answer.get("keyValues") or {}).get("features") or ()
    told = {str(each.get("name")): each.get("value") or {} for each in listed}
    kinds = {name: each.type for name, each in view.features.items()}
    values = {name: _value(told.get(name) or {}, kind) for name, kind in kinds.items()}
    return Served(values, _moment(told, view.event_time))


def _value(raw: Raw, kind: str) -> object:
    for name, value in raw.items():
        if name == "metadata":
            continue
        if name.endswith("ArrayValue"):
            return list(value.get("values") or ())
        if name == "bytesValue":
            return base64.b64decode(value).hex()
        if kind == "timestamp" and name == "int64Value":
            return int(value) / _MICROSECONDS
        return value
    return None


def _moment(told: Mapping[str, Raw], event_time: str) -> float | None:
    if found := told.get(event_time):
        return float(str(_value(found, "timestamp")))
    times = [str((each.get("metadata") or {}).get("generateTime") or "") for each in told.values()]
    moments = [datetime.fromisoformat(each).timestamp() for each in times if each]
    return max(moments, default=None)
