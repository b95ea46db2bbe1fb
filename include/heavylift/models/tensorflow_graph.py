"""Reads TensorFlow's SavedModel without TensorFlow: which operators its graphs have, and who calls what.

A graph is a program, and some operators read and write files, or call Python. So operators are held against
a list of those that compute (``data/tensorflow_ops.txt``). Saving and restoring is part of every SavedModel;
it is let through where it is asked for by the saver's own place alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import BinaryIO

from heavylift.models.protobuf import Field, Schema, fields, text, walk

_SCHEMA: Schema = {
    "saved": {2: "meta"},
    "meta": {2: "graph", 3: "saver", 6: "asset"},
    "graph": {1: "node", 2: "library"},
    "library": {1: "function"},
    "function": {1: "signature", 3: "inner"},
    "node": {5: "attribute"},
    "inner": {5: "attribute"},
    "attribute": {2: "value"},
    "value": {1: "list", 10: "called"},
    "list": {9: "called"},
}
_SAVING = frozenset({"SaveV2", "MergeV2Checkpoints"})
_RESTORING = frozenset({"RestoreV2"})
_SAVER_PLACE = re.compile(r"\^?saver_filename(?::0)?\Z")
_ACTS = re.compile(
    r"(?:Read|Write|Matching)Files?|(?:Eager)?PyFunc(?:Stateless)?|PrintV2|(?:Save|Load|Snapshot)\w*Dataset\w*"
    r"|\w*(?:Remote|Rpc|RPC)\w*|\w*Reader(?:V2)?|Save(?:Slices)?|Restore(?:Slice)?|Write\w*Summary|DebugIdentity\w*"
)
_MOST_OBJECTS = 256 * 2**20
_LAMBDA = re.compile(rb'"Lambda"|__lambda__|"marshal')
_MOST_NAMED = 8
Problem = tuple[str, str]


@dataclass
class _Body:
    """A function, or the graph itself: its operators, and which functions it names."""

    name: str = ""
    operators: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)


@dataclass
class _Node:
    name: str = ""
    operator: str = ""
    first: str = ""
    called: set[str] = field(default_factory=set)


@dataclass
class _Read:
    """What has been read of a SavedModel so far."""

    functions: list[_Body] = field(default_factory=list)
    nodes: list[_Node] = field(default_factory=list)
    restored: set[str] = field(default_factory=set)
    assets: list[str] = field(default_factory=list)
    objects: list[Field] = field(default_factory=list)


@cache
def _computing() -> frozenset[str]:
    """Return the names of the operators that compute."""
    listed = files("heavylift.models").joinpath("data", "tensorflow_ops.txt").read_text("utf-8")
    return frozenset(listed.split())


def is_saved_model(stream: BinaryIO, size: int) -> bool:
    """Tell whether a file is a SavedModel's: versions, then graphs, and nothing else."""
    stream.seek(0)
    if size < 4 or stream.read(1) != b"\x08":
        return False
    try:
        found = [(each.number, each.wire) for each in fields(stream, 0, size)]
        return {(1, 0), (2, 2)} == set(found) and any(
            message == "graph" for message, _field in walk(stream, _SCHEMA, "saved", 0, size)
        )
    except ValueError:
        return False


def saved_model_problems(stream: BinaryIO, size: int) -> Iterator[Problem]:
    """Yield rule and detail of what a SavedModel does beyond computing, or why it was not understood."""
    try:
        read = _read(stream, size)
    except ValueError as error:
        yield "unscanned-file", f"a graph that cannot be read ({str(error)[:100]})"
        return
    known = {each.name for each in read.functions}
    operators = {each.operator for each in read.nodes}.union(*(each.operators for each in read.functions))
    odd = operators - known - _computing() - _SAVING - _RESTORING
    acting = sorted(each for each in odd if _ACTS.fullmatch(each))
    if acting:
        yield "malicious-code", f"its graph has the operators {_listed(acting)}"
    unknown = sorted(odd - set(acting))
    if unknown:
        yield "unscanned-file", f"its graph has operators that are not known: {_listed(unknown)}"
    yield from _saver_problems(read)
    for name in read.assets:
        if name.startswith("/") or ".." in name.split("/") or "://" in name:
            yield "path-outside", f"it reads {name[:200]!r}"
    for each in read.objects:
        yield from object_problems(stream, each.begin, each.end)


def object_problems(stream: BinaryIO, begin: int, end: int) -> Iterator[Problem]:
    """Yield where Keras has kept code beside the graph, which it makes a function of again."""
    if end - begin > _MOST_OBJECTS:
        yield "unscanned-file", "what Keras keeps beside the graph is too long to be read"
        return
    stream.seek(begin)
    content = stream.read(end - begin)
    plain = re.sub(rb"\\u00([0-7][0-9a-fA-F])", lambda found: bytes([int(found[1], 16)]), content)
    if _LAMBDA.search(plain):
        yield "malicious-code", "what Keras keeps beside the graph has a Lambda layer, which is code"


def _read(stream: BinaryIO, size: int) -> _Read:
    read, in_graph = _Read(), False
    for message, found in walk(stream, _SCHEMA, "saved", 0, size):
        place = (message, found.number)
        if place == ("library", 1):
            read.functions.append(_Body())
        elif place == ("graph", 1):
            read.nodes.append(_Node())
            in_graph = True
        elif place == ("function", 3):
            in_graph = False
        elif place == ("called", 1):
            called = read.nodes[-1].called if in_graph else read.functions[-1].called
            called.add(text(stream, found))
        elif message == "node":
            _take_node(stream, found, read.nodes[-1])
        else:
            _take_other(stream, found, place, read)
    return read


def _take_other(stream: BinaryIO, found: Field, place: tuple[str, int], read: _Read) -> None:
    if place == ("signature", 1):
        read.functions[-1].name = text(stream, found)
    elif place == ("inner", 2):
        read.functions[-1].operators.add(text(stream, found))
    elif place == ("saver", 3):
        read.restored.add(text(stream, found).partition(":")[0])
    elif place == ("asset", 2):
        read.assets.append(text(stream, found))
    elif place == ("meta", 7):
        read.objects.append(found)


def _take_node(stream: BinaryIO, found: Field, node: _Node) -> None:
    if found.number == 1:
        node.name = text(stream, found)
    elif found.number == 2:
        node.operator = text(stream, found)
    elif found.number == 3 and not node.first:
        node.first = text(stream, found)


def _saver_problems(read: _Read) -> Iterator[Problem]:
    """Yield where saving or restoring is reached from elsewhere than the saver's own place."""
    saving, restoring = (_reaching(read.functions, wanted) for wanted in (_SAVING, _RESTORING))
    either = saving | restoring
    places = {each.operator for each in read.nodes if each.name == "saver_filename"}
    for node in read.nodes:
        if node.operator in _SAVING | _RESTORING:
            yield "unscanned-file", f"its graph saves or restores by itself ({node.name[:100]})"
        reached = (node.called | {node.operator}) & either
        own = bool(_SAVER_PLACE.match(node.first)) and places == {"Placeholder"}
        if reached and not own:
            yield "malicious-code", f"its graph reads or writes files where {node.name[:100]!r} is asked for"
        if reached & saving and (node.name in read.restored or reached & restoring):
            yield "malicious-code", f"its graph writes files where it is restored ({node.name[:100]})"
    inside = [each.name for each in read.functions if (each.called | each.operators) & either]
    if inside:
        yield "malicious-code", f"its functions {_listed(sorted(inside))} read or write files"


def _reaching(functions: list[_Body], wanted: frozenset[str]) -> set[str]:
    """Return the functions that have one of the operators themselves."""
    return {each.name for each in functions if each.operators & wanted}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(name[:60] for name in names[:_MOST_NAMED]) + more
