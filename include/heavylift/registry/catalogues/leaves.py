"""A description as a flat dictionary of texts by path, and back: what is fitted, written and compared."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Leaves = dict[str, str]
"""Path to text: ``containers/0/environment/PORT``. What is empty has no path."""

IDENTITY = frozenset({"name", "number", "versions"})
"""Fields by which a thing is known; they are no leaves of its own."""


def leaves_of(thing: Any) -> Leaves:
    """Return the leaves of a model (without its versions), a version or a part of one."""
    found: Leaves = {}
    for each in dataclasses.fields(thing):
        if each.name not in IDENTITY:
            _add(each.name, getattr(thing, each.name), found)
    return found


def _add(path: str, value: Any, found: Leaves) -> None:
    inner = _parts(value)
    if inner is not None:
        for key, each in inner:
            if each == "" and isinstance(value, Mapping):
                # A key of the user's without a value is still a key.
                found[f"{path}/{key}"] = ""
            _add(f"{path}/{key}", each, found)
    elif isinstance(value, tuple):
        found[path] = json.dumps(value, ensure_ascii=False)
    elif value:
        found[path] = str(value)


def _parts(value: Any) -> list[tuple[str, Any]] | None:
    """Return what lies below a value, by the next part of the path; None where it is a leaf."""
    if isinstance(value, Mapping):
        return [(str(key), inner) for key, inner in value.items()]
    if dataclasses.is_dataclass(value):
        return [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
    if isinstance(value, tuple) and not (value and isinstance(value[0], str)):
        return [(str(number), inner) for number, inner in enumerate(value)]
    return None


def build(kind: type[T], leaves: Mapping[str, str], **identity: Any) -> T:
    """Return the description that has these leaves; a path that it does not have is left out.

    :param identity: fields by which it is known.
    """
    hashable: Any = kind
    hints = _hints(hashable)
    fields = {name: _value(hint, name, leaves) for name, hint in hints.items() if name not in IDENTITY}
    return kind(**fields, **identity)


def below(path: str, leaves: Mapping[str, str]) -> Leaves:
    """Return the leaves below a path, by the rest of their own."""
    start = f"{path}/"
    return {each.removeprefix(start): value for each, value in leaves.items() if each.startswith(start)}


def _value(hint: Any, path: str, leaves: Mapping[str, str]) -> Any:
    if hint is str:
        return leaves.get(path, "")
    arguments = typing.get_args(hint)
    inner = below(path, leaves)
    if typing.get_origin(hint) is tuple:
        if arguments[0] is str:
            return _texts(leaves.get(path, ""))
        numbers = sorted({int(each.partition("/")[0]) for each in inner if each.partition("/")[0].isdigit()})
        return tuple(build(arguments[0], below(str(number), inner)) for number in numbers)
    if arguments:
        if arguments[1] is str:
            return inner
        names = sorted({each.rpartition("/")[0] for each in inner})
        return {name: build(arguments[1], below(name, inner)) for name in names}
    return build(hint, inner)


def _texts(text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text) if text else []
    except ValueError:
        found = [text]
    return tuple(str(each) for each in found) if isinstance(found, list) else (text,)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def digest_of(leaves: Mapping[str, str]) -> str:
    """Return a short digest of leaves, the same for equal ones."""
    text = json.dumps(sorted(leaves.items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
