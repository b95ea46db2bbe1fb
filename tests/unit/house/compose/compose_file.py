"""Reads docker-compose.yaml as docker compose does: anchors merged, variables filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.layers import TESTS

REPOSITORY = TESTS.parent
COMPOSE = REPOSITORY / "docker-compose.yaml"
ENV_EXAMPLE = REPOSITORY / ".env.example"

_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:-|:\?)(?P<rest>[^}]*))?\}")


class MissingVariableError(Exception):
    """A required variable is unset; the text is the file's own explanation."""


@dataclass(frozen=True)
class Variable:
    """One use of a variable in the file.

    :param default: what stands in for it; None where it is required.
    :param explanation: what the user is told if it is missing.
    """

    name: str
    default: str | None
    explanation: str = ""


def raw() -> dict[str, Any]:
    """Return the file with its anchors merged and its variables as they stand."""
    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def interpolated(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the file as docker compose would use it under *env*, without the ``x-`` parts."""
    filled = _fill(raw(), env)
    assert isinstance(filled, dict)
    return {key: value for key, value in filled.items() if not key.startswith("x-")}


def variables() -> list[Variable]:
    """Return every use of a variable, comments left out."""
    found = []
    for text in _texts(raw()):
        for match in _VARIABLE.finditer(text):
            if match["name"]:
                required = match["operator"] == ":?"
                default = None if required else (match["rest"] or "")
                found.append(Variable(match["name"], default, match["rest"] if required else ""))
    return found


def example_settings() -> tuple[dict[str, str], dict[str, str]]:
    """Return what .env.example sets, and what it shows commented out."""
    active: dict[str, str] = {}
    shown: dict[str, str] = {}
    for line in ENV_EXAMPLE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(# )?([A-Z][A-Z0-9_]*)=(.*)", line):
            (shown if match[1] else active)[match[2]] = match[3]
    return active, shown


def _fill(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value_of(match, env), value)
    if isinstance(value, dict):
        return {key: _fill(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, env) for item in value]
    return value


def _value_of(match: re.Match[str], env: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    if value := env.get(match["name"], ""):
        return value
    if match["operator"] == ":?":
        raise MissingVariableError(match["rest"])
    return match["rest"] or ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
