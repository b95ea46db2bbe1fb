"""Reads one YAML document into plain data, remembering where everything stands.

YAML is read by the rules of version 1.2: only ``true`` and ``false`` are booleans, so that
``no``, ``on`` and ``12:30`` stay text. Tags that would build objects are refused, keys may not
be repeated, and aliases cannot blow up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from heavylift.spec.problems import FieldPath, Mark, Problem, field_text
from heavylift.spec.secrets import show

MAX_NODES = 50_000
MAX_DEPTH = 40

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STRING_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_PARSER_WORDS = re.compile(r"^(?:did not find|could not find) expected ")
_CONTAINER_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,30}|[0-9]{1,30}(?:\.[0-9]{0,30})?)(?:[eE][-+]?[0-9]{1,3})?")


@dataclass
class Document:
    """Plain data, and the mark of each key and value in it."""

    file: str
    data: Any = None
    keys: dict[FieldPath, Mark] = field(default_factory=dict)
    values: dict[FieldPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, path: FieldPath, *, key: bool = False) -> Mark:
        """Return the mark of ``path``, or of the nearest thing around it."""
        if key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in self.values:
                return self.values[path[:length]]
        return Mark(self.file)

    def report(self, code: str, path: FieldPath, mark: Mark, got: str, expected: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(code, mark, field_text(path), got, expected, hint))


class _StopError(Exception):
    """Reading cannot go on; the reason is noted in the document."""


def read_document(text: str, file: str) -> Document:
    """Read ``text``; never raises for what is wrong with it, see :attr:`Document.problems`.

    :param file: the name that marks carry.
    """
    document = Document(file)
    found = _UNPRINTABLE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        mark = Mark(file, line, column)
        document.report("2104", (), mark, f"the character U+{ord(found[0]):04X}", "printable text")
        return document
    try:
        _Reader(document, text).read()
    except _StopError:
        document.data = None
    except yaml.YAMLError as error:
        document.data = None
        _report_syntax(document, error)
    return document


def _report_syntax(document: Document, error: yaml.YAMLError) -> None:
    mark = getattr(error, "problem_mark", None)
    place = Mark(document.file, mark.line + 1, mark.column + 1) if mark else Mark(document.file)
    said = getattr(error, "problem", None) or "text that is no YAML"
    got = _PARSER_WORDS.sub("no ", said.removeprefix("found "))
    context = getattr(error, "context", None)
    tab = "tab character" in said or "cannot start any token" in said
    hint = "indent with spaces, not tabs" if tab else ""
    document.report("2105", (), place, got + (f" {context}" if context else ""), "well-formed YAML", hint)


@dataclass(frozen=True)
class _Anchored:
    data: Any
    nodes: int


class _Reader:
    """Turns YAML events into data; one instance reads one text."""

    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, _Anchored | None] = {}
        self._nodes = 0

    def read(self) -> None:
        """Read the only document of the text.

        :raises yaml.YAMLError: the text is no YAML.
        """
        next(self._events)
        started = next(self._events)
        if isinstance(started, yaml.StreamEndEvent):
            self._document.report("2106", (), Mark(self._document.file), "an empty file", "a migration spec")
            return
        self._document.data = self._node(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._stop("2113", (), after, "a second YAML document", "one document in a file")

    def _node(self, event: Any, path: FieldPath) -> Any:
        self._document.values[path] = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._count(event, path, 1)
        if len(path) > MAX_DEPTH:
            self._stop("2112", path, event, "more nesting", f"at most {MAX_DEPTH} levels")
        before = self._nodes
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        data = self._content(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(data, self._nodes - before + 1)
        return data

    def _content(self, event: Any, path: FieldPath) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if event.tag not in _CONTAINER_TAGS:
            self._refuse_tag(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: FieldPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: FieldPath) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            first = self._document.keys.get(here)
            value = self._node(next(self._events), here)
            if key == "<<" and event.implicit[0]:
                merged += self._merged(value, event, path)
            elif first is not None:
                expected = f"each key once (first on line {first.line})"
                self._report("2108", here, event, f"the key {show(key)} again", expected)
            else:
                self._document.keys[here] = self._mark(event)
                entries[key] = value
        for other in merged:
            entries = {**other, **entries}
        return entries

    def _key(self, event: Any, path: FieldPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop("2114", path, event, "a key that is not text", "a plain word as a key")
        self._count(event, path, 1)
        return str(event.value)

    def _merged(self, value: Any, event: Any, path: FieldPath) -> list[dict[str, Any]]:
        candidates = value if isinstance(value, list) else [value]
        if all(isinstance(candidate, dict) for candidate in candidates):
            self._count(event, path, sum(len(candidate) for candidate in candidates))
            return candidates
        self._report("2115", (*path, "<<"), event, "a merge of something else", "an alias of a mapping")
        return []

    def _alias(self, event: Any, path: FieldPath) -> Any:
        known = self._anchors.get(event.anchor)
        if known is None:
            inside = event.anchor in self._anchors
            got = f"the alias *{event.anchor} inside its own anchor" if inside else f"*{event.anchor}"
            self._stop("2110", path, event, got, "an alias of an anchor that stands before it")
        self._count(event, path, known.nodes)
        return known.data

    def _scalar(self, event: Any, path: FieldPath) -> Any:
        if event.tag is not None:
            if event.tag not in _STRING_TAGS:
                self._refuse_tag(event, path)
            return event.value
        return _resolve(event.value) if event.implicit[0] else event.value

    def _refuse_tag(self, event: Any, path: FieldPath) -> None:
        self._report("2109", path, event, f"the tag {event.tag!r}", "plain YAML without tags")

    def _count(self, event: Any, path: FieldPath, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop("2111", path, event, "more values, aliases counted in full", f"at most {MAX_NODES}")

    def _mark(self, event: Any) -> Mark:
        return Mark(self._document.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _report(self, code: str, path: FieldPath, event: Any, got: str, expected: str) -> None:
        self._document.report(code, path, self._mark(event), got, expected)

    def _stop(self, code: str, path: FieldPath, event: Any, got: str, expected: str) -> NoReturn:
        self._report(code, path, event, got, expected)
        raise _StopError


def _resolve(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
