"""The mapping file: where images, addresses, roles and machines of the source are on the target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.errors import SpecError
from heavylift.pipelines.documents import parse_documents, read_text
from heavylift.pipelines.model import Expression, Join, Literal

HELPER_IMAGE = "docker.io/library/python:3.12-slim"
"""Reads one value out of a JSON file between two steps, where the target can't do that by itself."""

_TEXTS = ("helper_image", "pipeline_root", "role", "compute")
_TABLES = ("images", "uris", "machines", "entrypoints", "env")
CLOUD_URI = re.compile(r"(?:s3|s3a|gs|wasbs?|abfss?)://|https://[\w.-]+\.(?:blob|dfs)\.core\.windows\.net/")


@dataclass(frozen=True)
class Replacement:
    """A container in the place of a step that has no equivalent."""

    image: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class TargetMap:
    """What a mapping file says.

    :param images: prefixes of images to what stands in their place.
    :param uris: prefixes of addresses to what stands in their place.
    :param machines: instance types, or names of steps, to instance types of the target.
    :param entrypoints: images to the command that their own configuration starts.
    :param env: values for variables of steps, by the variable's name.
    :param steps: names of steps, or kinds of the source, to containers that do their work.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    uris: Mapping[str, str] = field(default_factory=dict)
    machines: Mapping[str, str] = field(default_factory=dict)
    entrypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Replacement] = field(default_factory=dict)
    helper_image: str = HELPER_IMAGE
    pipeline_root: str = ""
    role: str = ""
    compute: str = "serverless"

    def image(self, image: str) -> tuple[str, bool]:
        """Return the image on the target, and whether anything was said of it."""
        return _longest(self.images, image)

    def uri(self, uri: str) -> tuple[str, bool]:
        """Return the address on the target, and whether anything was said of it."""
        return _longest(self.uris, uri)


def _longest(table: Mapping[str, str], text: str) -> tuple[str, bool]:
    # A prefix ends where a name ends: s3://data must not change s3://data-of-others.
    fitting = [
        prefix
        for prefix in table
        if text.startswith(prefix) and (text == prefix or prefix[-1] in "/:@" or text[len(prefix)] in "/:@")
    ]
    if not fitting:
        return text, False
    prefix = max(fitting, key=len)
    return table[prefix] + text[len(prefix) :], True


def read_mapping(path: Path | None) -> TargetMap:
    """Return what a mapping file says; nothing where there is none.

    :raises SpecError: it cannot be used; the message names the field.
    """
    if path is None:
        return TargetMap()
    documents = parse_documents(read_text(path), str(path))
    found = documents[0]
    unknown = sorted(set(found) - {*_TEXTS, *_TABLES, "steps"})
    if unknown:
        raise _wrong(path, ", ".join(map(str, unknown)), f"one of {', '.join((*_TABLES, 'steps', *_TEXTS))}")
    values: dict[str, Any] = {}
    for name in _TEXTS:
        if name in found:
            values[name] = _text(path, name, found[name])
    for name in _TABLES:
        table = _mapping(path, name, found.get(name) or {})
        if name == "entrypoints":
            values[name] = {key: _texts(path, f"{name}.{key}", value) for key, value in table.items()}
        else:
            values[name] = {key: _text(path, f"{name}.{key}", value) for key, value in table.items()}
    steps = _mapping(path, "steps", found.get("steps") or {})
    values["steps"] = {name: _replacement(path, f"steps.{name}", value) for name, value in steps.items()}
    return TargetMap(**values)


def _replacement(path: Path, where: str, value: Any) -> Replacement:
    found = _mapping(path, where, value)
    if set(found) != {"image", "command"}:
        raise _wrong(path, where, "a mapping of image and command")
    return Replacement(
        _text(path, f"{where}.image", found["image"]), _texts(path, f"{where}.command", found["command"])
    )


def _mapping(path: Path, where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) and key for key in value):
        raise _wrong(path, where, "a mapping with texts as keys")
    return value


def _text(path: Path, where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(path, where, "a text")
    return value


def _texts(path: Path, where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _wrong(path, where, "a list of texts")
    return tuple(_text(path, where, entry) for entry in value)


def _wrong(path: Path, where: str, expected: str) -> SpecError:
    return SpecError(
        f"reading the mapping {path}",
        got=where,
        expected=expected,
        state="nothing was written",
        remedy="correct that field; docs/reference/pipelines.md lists them all",
        code="8403",
    )


def mapped_uri(expression: Expression, mapping: TargetMap) -> Expression:
    """Return an expression with the address at its beginning as it is on the target."""
    if isinstance(expression, Literal) and isinstance(expression.value, str):
        return Literal(mapping.uri(expression.value)[0])
    if isinstance(expression, Join) and expression.parts:
        first = expression.parts[0]
        if isinstance(first, Literal) and isinstance(first.value, str):
            # What follows the separator belongs to the address: s3://data joined with "x" is s3://data/x.
            mapped, said = mapping.uri(first.value + expression.separator)
            if said:
                cut = len(expression.separator)
                kept = mapped[: len(mapped) - cut] if cut else mapped
                return Join((Literal(kept), *expression.parts[1:]), expression.separator)
    return expression
