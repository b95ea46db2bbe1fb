"""JSON lines and JSON documents: every value with the path to it, counted by path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from heavylift.compliance.detector import find
from heavylift.compliance.gathering import Gathered

_MOST_DEPTH = 50
_MOST_KEY = 64
_HEX = frozenset("0123456789abcdefABCDEF-")
_UNREADABLE = (ValueError, RecursionError)
KEYS = "(keys)"


@dataclass
class _Path:
    """One path of a document, with the values that were met there.

    :param below: key → the path of its value, so that no name is made or looked at twice.
    :param data_keys: keys of this path that are data themselves.
    """

    name: str
    depth: int = 0
    values: list[str] = field(default_factory=list)
    below: dict[str, _Path] = field(default_factory=dict)
    data_keys: set[str] = field(default_factory=set)
    keys: _Path | None = None
    items: _Path | None = None

    def child(self, key: str, find_path: Callable[[str, int], _Path]) -> _Path:
        """Return the path of a key's value."""
        name = key
        if _is_data(key):
            self.data_keys.add(key)
            self.keys = self.keys or find_path(f"{self.name}.{KEYS}".lstrip("."), self.depth + 1)
            name = "*"
        made = find_path(f"{self.name}.{name}" if self.name else name, self.depth + 1)
        self.below[key] = made
        return made

    def item(self, find_path: Callable[[str, int], _Path]) -> _Path:
        """Return the path of a list's values."""
        self.items = self.items or find_path(f"{self.name}[]", self.depth + 1)
        return self.items


class _Documents:
    """Takes documents apart."""

    def __init__(self) -> None:
        self.paths: dict[str, _Path] = {}
        self._root = self._find("", 0)

    def add(self, document: Any) -> None:
        """Add one document's values to those of their paths."""
        self._add(document, self._root)

    def take_into(self, gathered: Gathered, unit: str, row: int) -> None:
        """Hand over what was met, path by path."""
        for path in self.paths.values():
            if path.values:
                gathered.take(path.name, encoded(path.values), unit, row)

    def _find(self, name: str, depth: int) -> _Path:
        found = self.paths.get(name)
        if found is None:
            found = self.paths[name] = _Path(name, depth)
        return found

    def _add(self, value: Any, at: _Path) -> None:
        # This is done for every value of a scan: the common kinds come first, and names are made once.
        kind = type(value)
        if kind is str:
            at.values.append(value)
        elif kind is dict or kind is list:
            if at.depth > _MOST_DEPTH:
                at.values.append(json.dumps(value))
            elif kind is dict:
                self._add_fields(value, at)
            else:
                path = at.item(self._find)
                for inner in value:
                    self._add(inner, path)
        elif value is not None and kind is not bool:
            at.values.append(str(value))

    def _add_fields(self, fields: dict[str, Any], at: _Path) -> None:
        below = at.below
        for key, inner in fields.items():
            path = below.get(key) or at.child(key, self._find)
            if type(inner) is str:
                path.values.append(inner)
            else:
                self._add(inner, path)
            if key in at.data_keys and at.keys is not None:
                at.keys.values.append(key)


def take_json(gathered: Gathered, data: bytes, unit: str, row: int = 1) -> int:
    """Take in JSON documents, one a line; what is none is read as text."""
    lines = data.splitlines()
    written = [line for line in lines if line and not line.isspace()]
    documents = _Documents()
    left: list[bytes] = []
    for document in _at_once(written) or _one_by_one(written, left):
        documents.add(document)
    documents.take_into(gathered, unit, row)
    if left:
        gathered.unparsed += len(left)
        gathered.take("", left, unit, row)
    return len(lines)


def take_document(gathered: Gathered, data: bytes, unit: str) -> bool:
    """Take in one JSON document of many lines; tell whether it is one."""
    try:
        document = json.loads(data)
    except _UNREADABLE:
        return False
    documents = _Documents()
    documents.add(document)
    documents.take_into(gathered, unit, 1)
    return True


def encoded(values: list[str]) -> list[bytes]:
    """Return texts as bytes; a half of a surrogate pair, which JSON can name, becomes a question mark."""
    try:
        return list(map(str.encode, values))
    except UnicodeEncodeError:
        return [value.encode("utf-8", "replace") for value in values]


def _at_once(lines: list[bytes]) -> list[Any] | None:
    """Return all documents, parsed in one call; None where a line is not one document of its own."""
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")
    except _UNREADABLE:
        return None
    whole = len(found) == len(lines) and all(type(each) in {dict, list} for each in found)
    return found if whole else None


def _one_by_one(lines: list[bytes], left: list[bytes]) -> Iterator[Any]:
    """Yield the documents of the lines that are one, and add the others to ``left``."""
    for line in lines:
        try:
            document = json.loads(line)
        except _UNREADABLE:
            left.append(line)
            continue
        if isinstance(document, dict | list):
            yield document
        else:
            left.append(line)


def _is_data(key: str) -> bool:
    """Tell whether a key is a value itself: a number, an id, an address."""
    if key.isdecimal() or len(key) > _MOST_KEY or "@" in key:
        return True
    if 32 <= len(key) <= 36 and _HEX.issuperset(key):
        return True
    return any(hit.valid for hit in find(key.encode("utf-8", "replace")))
