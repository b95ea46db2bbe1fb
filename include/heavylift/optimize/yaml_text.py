"""One value of a YAML file set in place: every other character stays, so that a patch shows what changes."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def with_value(text: str, path: tuple[str, ...], value: str) -> str:
    """Return a text in which the text at ``path`` is ``value``; what is missing on the way is made.

    It is looked at as YAML tells its parts' places; who calls this has to check what came out.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return text
    for depth, name in enumerate(path):
        found = _value_of(node, name)
        if found is None:
            return _inserted(text, node, path[depth:], value, top=depth == 0)
        if depth == len(path) - 1:
            return text[: found.start_mark.index] + _scalar(value) + text[found.end_mark.index :]
        if not isinstance(found, yaml.MappingNode) or not found.value:
            made = _flow(path[depth + 1 :], value)
            space = "" if text[found.start_mark.index - 1].isspace() else " "
            return text[: found.start_mark.index] + space + made + text[found.end_mark.index :]
        node = found
    return text


def parsed(text: str) -> Any:
    """Return what a text says."""
    return yaml.safe_load(text)


def _value_of(node: yaml.MappingNode, name: str) -> yaml.Node | None:
    found: yaml.Node | None = next((value for key, value in node.value if key.value == name), None)
    return found


def _inserted(text: str, node: yaml.MappingNode, path: tuple[str, ...], value: str, *, top: bool) -> str:
    made = f"{_scalar(path[0])}: {_flow(path[1:], value)}"
    if top and not node.flow_style:
        # A section of its own is not put before everything else, but after it.
        return text + ("" if text.endswith("\n") else "\n") + made + "\n"
    first = node.value[0][0].start_mark
    if node.flow_style:
        return f"{text[: first.index]}{made}, {text[first.index :]}"
    return f"{text[: first.index]}{made}\n{' ' * first.column}{text[first.index :]}"


def _flow(path: tuple[str, ...], value: str) -> str:
    made = _scalar(value)
    for name in reversed(path):
        made = f"{{{_scalar(name)}: {made}}}"
    return made


def _scalar(value: str) -> str:
    plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS
    return value if plain else json.dumps(value)
