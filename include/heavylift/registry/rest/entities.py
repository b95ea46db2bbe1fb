"""What is compared of an answer: a thing's fields, each with a digest of its value, by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heavylift.registry.uris import UriMap

Fields = dict[str, bytes]
"""A thing's fields: name to digest. Values are not kept, so that much fits into little memory."""

_WHOLE = {
    "experiment": ("artifact_location",),
    "run": ("info", "artifact_uri"),
    "logged model": ("info", "artifact_uri"),
    "model version": ("source",),
}
"""Where an answer tells a URI that a move rewrites, by sort of things; traces have them in their tags, runs
also within the sources of their datasets. Whatever else looks like one is somebody's text, and stays."""


def as_moved(kind: str, thing: Mapping[str, Any], uris: UriMap) -> Mapping[str, Any]:
    """Return a thing of the source with its URIs as they must be on the target."""
    if kind == "trace":
        tags = {key: uris.of(str(value)) for key, value in (thing.get("tags") or {}).items()}
        return {**thing, "tags": tags}
    if kind == "workspace":
        thing = _changed(thing, ("default_artifact_root",), uris.of)
        return _changed(thing, ("trace_archival_config", "location"), uris.of)
    if kind == "model version":
        thing = _changed(thing, ("download_uri",), uris.of)
    if kind not in _WHOLE:
        return thing
    found = _changed(thing, _WHOLE[kind], uris.of)
    inputs = found.get("inputs") or {}
    if not inputs.get("dataset_inputs"):
        return found
    used = [_changed(each, ("dataset", "source"), uris.within) for each in inputs["dataset_inputs"]]
    return {**found, "inputs": {**inputs, "dataset_inputs": used}}


def _changed(thing: Mapping[str, Any], path: tuple[str, ...], change: Callable[[str], str]) -> dict[str, Any]:
    name, inner = path[0], thing.get(path[0])
    if len(path) > 1 and isinstance(inner, Mapping):
        return {**thing, name: _changed(inner, path[1:], change)}
    return {**thing, name: change(inner)} if isinstance(inner, str) else dict(thing)


def fields_of(thing: Mapping[str, Any]) -> Fields:
    """Return a thing's fields, nested ones by their path."""
    found: Fields = {}
    _add("", thing, found)
    return found


def _add(path: str, value: Any, found: Fields) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _add(f"{path}.{name}" if path else str(name), inner, found)
    elif isinstance(value, list) and _is_pairs(value):
        for each in value:
            rest = {name: inner for name, inner in each.items() if name != "key"}
            found[f"{path}[{each['key']}]"] = _digest(rest)
    elif isinstance(value, list):
        # Some answers leave an empty list out, some do not.
        if not value:
            return
        # Servers give no order to what has none.
        found[path] = _digest(sorted(_text(each) for each in value))
    else:
        found[path] = _digest(value)


def _is_pairs(value: list[Any]) -> bool:
    keys = [each.get("key") for each in value if isinstance(each, Mapping)]
    return bool(value) and len(keys) == len(value) and None not in keys and len(set(keys)) == len(keys)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(_text(value).encode(), digest_size=12).digest()


def points_digest(points: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the digest of a metric's history, of whatever order."""
    # Zero is left out of an answer, and numbers beyond JSON come as texts.
    lines = sorted(
        (int(each.get("step") or 0), int(each.get("timestamp") or 0), repr(each.get("value", 0.0)))
        for each in points
    )
    return _digest(lines)
