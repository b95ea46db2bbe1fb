"""Read manifests without trusting them: bounded, no tags, no duplicate keys, templates told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from heavylift.errors import HeavyliftError, SpecError, UnsupportedError

MOST_BYTES = 64 * 1024 * 1024
MOST_DEPTH = 100
MOST_NODES = 2_000_000
"""Nodes of a document after its aliases are written out: what a bomb of aliases would come to."""

SUFFIXES = (".yaml", ".yml", ".json")
_MARK = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_CONTENT = re.compile(r"^(?!\s*(?:#|\r?$)|---\s*(?:#|\r?$)|%|\.\.\.\s*$)", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{-?\s*(?:\.|include|template|toYaml|if|range|with|end|define|\$|/\*)")
CHART = re.compile(r"\{\{-?[^}]*\.(?:Values|Release|Chart|Capabilities)\b")
"""What stands only in the templates of a Helm chart."""


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: times are text, and a key stands once."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if not tag.endswith((":timestamp", ":value"))]
    for first, rows in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        name = (key.tag, key.value if isinstance(key, yaml.ScalarNode) else id(key))
        if name in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {str(key.value)[:60]!r} stands twice", key.start_mark
            )
        seen.add(name)
    loader.flatten_mapping(node)
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


@dataclass(frozen=True)
class Chunk:
    """One document of a file as it stands there.

    :param data: what it says; None where it holds nothing but comments.
    :param aliased: it uses anchors, so that one text stands in several places.
    """

    file: str
    number: int
    text: str
    data: Any = None
    is_json: bool = False
    aliased: bool = False

    @property
    def name(self) -> str:
        """What a message calls it."""
        return f"{self.file} (document {self.number})"


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read, and why."""

    file: str
    error: HeavyliftError


def find_files(paths: list[Path]) -> list[tuple[Path, str]]:
    """Return every manifest file below ``paths`` with its name relative to what was asked for.

    :raises SpecError: a path is missing, or nothing is there.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file() and each.suffix in SUFFIXES)
            rows = [(each, each.relative_to(path).as_posix()) for each in inside]
        else:
            rows = [(path, path.name)]
        for each, name in rows:
            if name in found and found[name].resolve() != each.resolve():
                raise SpecError(
                    f"reading {each}",
                    got=f"another file of the same name, {found[name]}",
                    expected="one file of a name, as names are kept in the output",
                    state="nothing was written",
                    remedy="translate the two in runs of their own",
                    code="8501",
                )
            found[name] = each
    if not found:
        raise SpecError(
            "reading manifests",
            got="no file",
            expected=f"files that end with {', '.join(SUFFIXES)}",
            state="nothing was written",
            remedy="name files, or a folder that holds some",
            code="8502",
        )
    return [(path, name) for name, path in found.items()]


def read_file(path: Path, name: str) -> list[Chunk]:
    """Return the documents of a file, in their order.

    :raises SpecError: it cannot be read as manifests; the message says where.
    """
    text = _text_of(path, name)
    if text.lstrip()[:1] in {"{", "["} and (chunk := _json_chunk(text, name)):
        return [chunk]
    starts = [0, *(match.start() for match in _MARK.finditer(text) if match.start())]
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    line = 0
    chunks: list[Chunk] = []
    for piece in pieces:
        number = 1 + sum(each.data is not None for each in chunks)
        chunks.append(_chunk(piece, name, number, line))
        line += piece.count("\n")
    return chunks


def parse(text: str) -> Any:
    """Return what one YAML document says, read as strictly as the input was."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a loader of plain values only


def objects_in(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the Kubernetes objects of a document with their paths; lists are opened."""
    if not isinstance(data, dict) or not _is_object(data):
        return
    items = data.get("items")
    if str(data["kind"]).endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            yield from objects_in(item, (*path, "items", index))
        return
    yield path, data


def is_empty_list(data: Any) -> bool:
    """Whether a document is a list of objects and holds none."""
    return (
        isinstance(data, dict)
        and _is_object(data)
        and str(data["kind"]).endswith("List")
        and data.get("items", 0) in ([], None)
    )


def _is_object(data: dict[Any, Any]) -> bool:
    return isinstance(data.get("apiVersion"), str) and isinstance(data.get("kind"), str)


def _text_of(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            got = f"{path.stat().st_size} bytes"
        else:
            # Bytes are decoded here, since text mode would change line ends.
            return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        got = f"{type(error).__name__}" + (
            f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        )
    raise SpecError(
        f"reading {name}",
        got=got,
        expected=f"UTF-8 text of at most {MOST_BYTES} bytes",
        state="this file was not translated; others are",
        remedy="split the file, or write it as UTF-8",
        code="8503",
    )


def _json_chunk(text: str, name: str) -> Chunk | None:
    """Return the JSON document that ``text`` is; None where it may be YAML in braces, or a template."""
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except (_TwiceError, RecursionError) as error:
        raise _bad(name, str(error) or "too deep", 1) from None
    except ValueError:
        return None
    _demand_shallow(data, name)
    return Chunk(name, 1, text, data, is_json=True)


class _TwiceError(Exception):
    """A key of a JSON object stands twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise _TwiceError(f"the key {twice[:60]!r} stands twice")
    return data


def _demand_shallow(data: Any, name: str) -> None:
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise _bad(name, f"more than {MOST_DEPTH} levels", 1)
        inner = [each for each in level if isinstance(each, (dict, list))]
        level = [value for each in inner for value in (each.values() if isinstance(each, dict) else each)]


def _chunk(text: str, name: str, number: int, line: int) -> Chunk:
    if not _CONTENT.search(text):
        return Chunk(name, number, text)
    try:
        aliased = _demand_bounded(text)
        return Chunk(name, number, text, parse(text), aliased=aliased)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        if _TEMPLATE.search(text):
            raise UnsupportedError(
                f"reading {name}",
                got="a template with {{ }}, which is no YAML",
                expected="finished manifests",
                state="this file was not translated; others are",
                remedy="run helm template (or kustomize build) first and translate what it prints",
                code="8504",
            ) from None
        mark = getattr(error, "problem_mark", None)
        where = line + (mark.line if mark else 0) + 1
        problem = getattr(error, "problem", None) or (str(error) if type(error) is yaml.YAMLError else "")
        raise _bad(name, str(problem or type(error).__name__), where) from None


def _bad(name: str, problem: str, line: int) -> SpecError:
    return SpecError(
        f"reading {name}, line {line}",
        got=problem[:200],
        expected="YAML or JSON of plain values in which each key stands once",
        state="this file was not translated; others are",
        remedy="correct the file there",
        code="8505",
    )


def _demand_bounded(text: str) -> bool:
    """Hold depth and written-out size against the bounds; return whether anchors are used.

    Goes through events, which need no recursion, before anything is built.
    """
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total, aliased, anchors = 0, False, 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            aliased = True
            total += sizes.get(str(event.anchor), 1)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            open_nodes.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        anchors += bool(getattr(event, "anchor", None))
        if len(open_nodes) > MOST_DEPTH or total > MOST_NODES:
            raise yaml.YAMLError(f"more than {MOST_DEPTH} levels or {MOST_NODES} values")
    return aliased or anchors > 0
