"""What is compared of an answer: a thing's fields, each with a digest of its value, by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from heavylift.registry.uris import UriMap

Fields = dict[str, bytes]
"""A thing's fields: name to digest. Values are not kept, so that much fits into little memory."""

_URIS = frozenset(
    {"artifact_uri", "artifact_location", "storage_location", "source", "mlflow.artifactLocation"}
)


def fields_of(thing: Mapping[str, Any], uris: UriMap | None) -> Fields:
    """Return a thing's fields, nested ones by their path.

    :param uris: rewrites a thing of the source as it must be on the target.
    """
    found: Fields = {}
    _add("", thing, uris, found)
    return found


def _add(path: str, value: Any, uris: UriMap | None, found: Fields) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _add(f"{path}.{name}" if path else str(name), inner, uris, found)
    elif isinstance(value, list) and _is_pairs(value):
        for each in value:
            rest = {name: inner for name, inner in each.items() if name != "key"}
            found[f"{path}[{each['key']}]"] = _digest(_rewritten("value", rest, uris, str(each["key"])))
    elif isinstance(value, list):
        # Some answers leave an empty list out, some do not.
        if not value:
            return
        # Servers give no order to what has none.
        found[path] = _digest(sorted(_text(_rewritten(path, each, uris)) for each in value))
    else:
        found[path] = _digest(_rewritten(path.rpartition(".")[2], value, uris, path))


def _is_pairs(value: list[Any]) -> bool:
    keys = [each.get("key") for each in value if isinstance(each, Mapping)]
    return bool(value) and len(keys) == len(value) and None not in keys and len(set(keys)) == len(keys)


def _rewritten(name: str, value: Any, uris: UriMap | None, key: str = "") -> Any:
    if uris is None:
        return value
    if isinstance(value, Mapping):
        return {inner: _rewritten(str(inner), each, uris, key) for inner, each in value.items()}
    if isinstance(value, list):
        return [_rewritten(name, each, uris) for each in value]
    if isinstance(value, str) and (name in _URIS or key.endswith("mlflow.artifactLocation")):
        return uris.of(uris.within(value))
    return value


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
