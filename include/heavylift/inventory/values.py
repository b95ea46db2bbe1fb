"""Reads values out of the answers of APIs: by path, as times, as tags, as plain JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_PLACES = re.compile(r"\{([^}]+)\}")
_FIRST_MILLISECONDS = 100_000_000_000
"""A number of seconds as large as this would be in the year 5138: it is milliseconds."""


def at(path: str, document: Any) -> Any:
    """Return what ``path``, a JMESPath expression, finds in ``document``; None where it finds nothing."""
    if not path:
        return None
    if path == "@":
        return document
    from jmespath.exceptions import JMESPathTypeError

    try:
        return _compiled(path).search(document)
    except JMESPathTypeError:
        # sum() and max() of a field that this answer does not have.
        return None


@lru_cache(maxsize=2048)
def _compiled(path: str) -> Any:
    import jmespath

    return jmespath.compile(path)


def text_at(path: str, document: Any) -> str:
    """Return what is at ``path`` as text; empty where there is nothing."""
    value = at(path, document)
    return "" if value is None else str(value)


def number_at(path: str, document: Any) -> int | None:
    """Return the whole number at ``path``, or None."""
    value = at(path, document)
    try:
        return None if value in (None, "") else int(value)
    except (TypeError, ValueError):
        return None


def time_at(path: str, document: Any) -> str:
    """Return the time at ``path`` in ISO 8601 and UTC; empty where there is none.

    :param document: holds times as datetime, as seconds or milliseconds since 1970, or as text.
    """
    value = at(path, document)
    if value in (None, "", "None"):
        return ""
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        value = float(value)
    if isinstance(value, int | float):
        seconds = value / 1000 if value >= _FIRST_MILLISECONDS else value
        value = datetime.fromtimestamp(seconds, UTC)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
    except ValueError:
        return str(value)


def tags_at(path: str, document: Any) -> dict[str, str]:
    """Return the tags at ``path``, which are a map, or a list of keys and values."""
    found = at(path, document)
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    pairs = [each for each in found or () if isinstance(each, Mapping)]
    return {
        str(pair.get("Key", pair.get("key", pair.get("TagKey")))): str(
            pair.get("Value", pair.get("value", pair.get("TagValue"))) or ""
        )
        for pair in pairs
    }


def filled(template: str, document: Any, fixed: Mapping[str, str]) -> str:
    """Return the id that ``template`` means: a path, or text with ``{names}`` of fields.

    :return: empty where a field is missing.
    """
    if "{" not in template:
        return text_at(template, document)
    values = {path: fixed.get(path) or text_at(path, document) for path in _PLACES.findall(template)}
    return _PLACES.sub(lambda found: values[found[1]], template) if all(values.values()) else ""


def aliases_at(templates: Iterable[str], document: Any, fixed: Mapping[str, str]) -> list[str]:
    """Return the names that ``templates`` mean: text with ``{paths}``, or the list at ``[path]``."""
    names: list[str] = []
    for template in templates:
        if template.startswith("["):
            names += [str(each) for each in at(template[1:-1], document) or ()]
        else:
            names.append(filled(template, document, fixed))
    return [name for name in dict.fromkeys(names) if name]


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can carry it."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)


def compact(value: Any) -> str:
    """Return ``value`` as JSON with sorted keys, for comparing and for keeping."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
