"""Reads the files that define jobs: JSON or plain YAML, bounded in size and depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import NotFoundError, SpecError
from heavylift.plain_yaml import PlainLoader
from heavylift.training.notes import bad_definition

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 60


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Return the mappings of a file, several only of YAML.

    :raises NotFoundError: it cannot be read.
    :raises SpecError: it is too large, no UTF-8, no JSON or YAML, or holds something else than mappings.
    """
    text = _text(path)
    try:
        if text.lstrip()[:1] in {"{", "["}:
            found: list[Any] = [json.loads(text)]
        else:
            found = [each for each in yaml.load_all(text, Loader=PlainLoader) if each is not None]
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else f"line {getattr(error, 'lineno', 1)}"
        raise bad_definition(
            path.name, where, getattr(error, "problem", "") or type(error).__name__, "JSON or plain YAML"
        ) from error
    if not found or not all(isinstance(each, dict) for each in found):
        raise bad_definition(path.name, "the document", "no mapping", "a mapping")
    _demand_shallow(found, path.name)
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise bad_definition(path.name, "the file", "a large file", f"at most {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFoundError(
            f"reading {path}",
            got=error.strerror or type(error).__name__,
            expected="a file that can be read",
            state="nothing was written",
            remedy="name the definition's file",
            code="9202",
        ) from error
    except UnicodeDecodeError as error:
        raise bad_definition(path.name, f"byte {error.start}", "no UTF-8", "a text in UTF-8") from error


def _demand_shallow(found: list[Any], file: str) -> None:
    level: list[Any] = found
    for _ in range(MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise bad_definition(file, "the document", "very deep nesting", f"at most {MAX_DEPTH} levels")


class Fields:
    """A mapping that is read field by field, so that what nobody read can be told."""

    def __init__(self, value: Any, file: str, where: str) -> None:
        if not isinstance(value, dict):
            raise bad_definition(file, where, type(value).__name__, "a mapping")
        self.value: dict[str, Any] = value
        self.file, self.where = file, where
        self._used: set[str] = set()

    def take(self, name: str, default: Any = None) -> Any:
        """Return a field as it is."""
        self._used.add(name)
        return self.value.get(name, default)

    def text(self, name: str, default: str = "") -> str:
        """Return a text, or the default where it is not there."""
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found, str):
            raise bad_definition(self.file, f"{self.where}.{name}", type(found).__name__, "a text")
        return found

    def number(self, name: str, default: int) -> int:
        """Return a whole number, also where it is written as a text; never below 0."""
        found = self.take(name)
        if found is None:
            return default
        made = whole(found)
        if made is None or made < 0:
            raise bad_definition(self.file, f"{self.where}.{name}", repr(found), "a whole number, 0 or more")
        return made

    def items(self, name: str) -> list[Any]:
        """Return a list, empty where it is not there."""
        found = self.take(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise bad_definition(self.file, f"{self.where}.{name}", type(found).__name__, "a list")
        return found

    def words(self, name: str) -> list[str]:
        """Return a list of texts."""
        return [str(each) for each in self.items(name)]

    def fields(self, name: str) -> Fields:
        """Return a mapping to be read in its turn, empty where it is not there."""
        return Fields(self.take(name) or {}, self.file, f"{self.where}.{name}")

    def each(self, name: str) -> list[Fields]:
        """Return the mappings of a list."""
        return [
            Fields(entry, self.file, f"{self.where}.{name}[{index}]")
            for index, entry in enumerate(self.items(name))
        ]

    def strings(self, name: str) -> dict[str, str]:
        """Return a mapping of texts; numbers and truth values become texts."""
        found = self.take(name) or {}
        if not isinstance(found, dict):
            raise bad_definition(self.file, f"{self.where}.{name}", type(found).__name__, "a mapping")
        return {
            str(key): value if isinstance(value, str) else json.dumps(value) for key, value in found.items()
        }

    def ignore(self, *names: str) -> None:
        """Note that these fields carry nothing that a translation needs."""
        self._used |= set(names)

    def left(self) -> list[str]:
        """Return the fields that hold something and that nobody read."""
        return sorted(
            str(name)
            for name, value in self.value.items()
            if name not in self._used and value not in (None, {}, [], "", False)
        )


def whole(value: Any) -> int | None:
    """Return a whole number, also of a text; None of anything else."""
    if isinstance(value, bool):
        return None
    try:
        made = int(str(value).strip())
    except ValueError:
        return None
    return made


def unreadable(path: str, got: str, kinds: str) -> SpecError:
    """Return the error for a document that is of no known kind."""
    return SpecError(
        f"telling what the training job {path} is written for",
        got=got,
        expected=kinds,
        state="nothing was written",
        remedy="correct the file, or name one that defines a training job",
        code="9203",
    )
