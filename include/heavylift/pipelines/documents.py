"""Reads JSON and YAML of unknown origin: no tags, no aliases, bounded in size and depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import NotFoundError
from heavylift.pipelines.notes import bad_definition
from heavylift.plain_yaml import MAX_DEPTH, PlainLoader

MAX_BYTES = 32 * 1024 * 1024


def read_text(path: Path) -> str:
    """Return the text of a definition.

    :raises NotFoundError: there is no such file.
    :raises SpecError: it is too large or no text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise bad_definition(
                str(path), "the file", f"{path.stat().st_size} bytes", f"at most {MAX_BYTES} bytes"
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFoundError(
            f"reading the pipeline {path}",
            got=error.strerror or type(error).__name__,
            expected="a file that can be read",
            state="nothing was written",
            remedy="name the definition's file",
            code="8402",
        ) from error
    except UnicodeDecodeError as error:
        raise bad_definition(str(path), f"byte {error.start}", "no UTF-8", "a text in UTF-8") from error


def parse_documents(text: str, file: str) -> list[dict[str, Any]]:
    """Return the mappings that a JSON or YAML text holds; several only of YAML.

    :raises SpecError: it is neither, or holds something else; the message names the line.
    """
    if text.lstrip()[:1] in {"{", "["}:
        found: list[Any] = [_json(text, file)]
    else:
        found = _yaml(text, file)
    for document in found:
        if not isinstance(document, dict):
            raise bad_definition(file, "the document", type(document).__name__, "a mapping")
    if not found:
        raise bad_definition(file, "the document", "nothing", "a mapping")
    _demand_shallow(found, file)
    return found


def _json(text: str, file: str) -> Any:
    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(entries)
        if len(made) != len(entries):
            names = [name for name, _ in entries]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise bad_definition(file, ", ".join(twice), "a key given twice", "each key once")
        return made

    try:
        return json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise bad_definition(file, f"line {error.lineno}", error.msg, "JSON") from error
    except RecursionError as error:
        raise bad_definition(
            file, "the document", "very deep nesting", f"at most {MAX_DEPTH} levels"
        ) from error


def _yaml(text: str, file: str) -> list[Any]:
    try:
        return [document for document in yaml.load_all(text, Loader=PlainLoader) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the document"
        problem = getattr(error, "problem", None) or type(error).__name__
        raise bad_definition(file, where, str(problem), "plain YAML without tags and aliases") from error
    except (RecursionError, ValueError, TypeError) as error:
        raise bad_definition(file, "the document", str(error), "plain YAML") from error


def _demand_shallow(found: list[Any], file: str) -> None:
    level: list[Any] = found
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    raise bad_definition(file, "the document", "very deep nesting", f"at most {MAX_DEPTH} levels")


class Fields:
    """A mapping that is read field by field, so that what nobody read can be told.

    :param where: its path in the document, for messages.
    """

    def __init__(self, value: Any, file: str, where: str) -> None:
        if not isinstance(value, dict):
            raise bad_definition(file, where, f"{type(value).__name__} {value!r}", "a mapping")
        self.value: dict[str, Any] = value
        self.file, self.where = file, where
        self._used: set[str] = set()

    def take(self, name: str, default: Any = None) -> Any:
        """Return a field as it is."""
        self._used.add(name)
        return self.value.get(name, default)

    def text(self, name: str) -> str:
        """Return a field that must be a text."""
        found = self.take(name)
        if not isinstance(found, str) or not found:
            raise self.bad(name, repr(found), "a text")
        return found

    def items(self, name: str) -> list[Any]:
        """Return a field that is a list, or not there."""
        found = self.take(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.bad(name, type(found).__name__, "a list")
        return found

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a field that is a mapping, or not there."""
        found = self.take(name)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self.bad(name, type(found).__name__, "a mapping")
        return found

    def fields(self, name: str) -> Fields:
        """Return a field that is a mapping, or not there, to be read in its turn."""
        return Fields(self.mapping(name), self.file, f"{self.where}.{name}")

    def each(self, name: str) -> list[Fields]:
        """Return the mappings of a list."""
        return [
            Fields(entry, self.file, f"{self.where}.{name}[{index}]")
            for index, entry in enumerate(self.items(name))
        ]

    def ignore(self, *names: str) -> None:
        """Note that these fields carry nothing that a translation needs."""
        self._used |= set(names)

    def left(self) -> list[str]:
        """Return the fields that hold something and that nobody read."""
        return sorted(
            str(name)
            for name, value in self.value.items()
            if name not in self._used and value not in (None, {}, [], "")
        )

    def bad(self, name: str, got: str, expected: str) -> Exception:
        """Return the error for one field."""
        return bad_definition(self.file, f"{self.where}.{name}", got, expected)
