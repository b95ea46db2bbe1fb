"""The tags of whatever a tracking server tells of: each sort has them in a place and form of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heavylift.registry.rest.views import Raw, own_id

FIELDS = {
    "experiments": "experiment",
    "experiment": "experiment",
    "runs": "run",
    "run": "run",
    "models": "logged model",
    "model": "logged model",
    "traces": "trace",
    "registered_models": "registered model",
    "registered_model": "registered model",
    "model_versions": "model version",
    "model_version": "model version",
    "datasets": "evaluation dataset",
    "dataset": "evaluation dataset",
}
"""Under which field of an answer things stand, and of which sort they are."""
_HOLDERS = {"run": "data", "logged model": "info"}
_IN_TEXT, _IN_MAPS = "evaluation dataset", "trace"

See = Callable[[str, Raw], Raw | None]
"""Returns, from a kind and a thing, what is seen of it; None leaves it out."""


def tags_of(raw: Raw) -> dict[str, str]:
    """Return the tags of whatever it is; logged models keep theirs in ``info``, runs in ``data``."""
    for holder in (raw.get("data", {}), raw.get("info", {}), raw):
        if holder.get("tags"):
            return as_dictionary(holder["tags"])
    return {}


def as_dictionary(tags: Any) -> dict[str, str]:
    """Return tags in any form that servers give them in (a list, an object, JSON text) as a dictionary."""
    if isinstance(tags, str):
        tags = json.loads(tags or "{}")
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(each["key"]): str(each.get("value", "")) for each in tags or ()}


def with_tags(kind: str, raw: Raw, tags: Mapping[str, str]) -> Raw:
    """Return a thing with other tags, in the form in which the server gives them for things of its kind."""
    name = _HOLDERS.get(kind)
    if name is not None:
        holder = {**raw.get(name, {}), "tags": _in_form(kind, tags)}
        return {**raw, name: holder}
    return {**raw, "tags": _in_form(kind, tags)}


def _in_form(kind: str, tags: Mapping[str, str]) -> Any:
    if kind == _IN_TEXT:
        return json.dumps(tags)
    if kind == _IN_MAPS:
        return dict(tags)
    return [{"key": key, "value": value} for key, value in tags.items()]


def seen(answer: Raw, see: See) -> Raw:
    """Return a server's answer with each thing as it is seen; those that are not seen are left out."""
    found = dict(answer)
    for field in answer.keys() & FIELDS.keys():
        kind, value = FIELDS[field], answer[field]
        if isinstance(value, list):
            found[field] = list(_each(kind, value, see))
        elif isinstance(value, dict) and _is_a(kind, value):
            # A thing that was asked for by its own id is there, whoever made it.
            found[field] = see(kind, value) or value
    return found


def _each(kind: str, things: list[Any], see: See) -> Iterator[Any]:
    for thing in things:
        inner = thing.get("trace_info", thing) if isinstance(thing, dict) else {}
        if not _is_a(kind, inner):
            yield thing
            continue
        shown = see(kind, inner)
        if shown is not None:
            yield shown if inner is thing else {**thing, "trace_info": shown}


def _is_a(kind: str, thing: Raw) -> bool:
    """Tell whether a field holds what its name says: other routes have fields of the same name."""
    try:
        return bool(own_id(kind, thing))
    except (KeyError, TypeError):
        return False
