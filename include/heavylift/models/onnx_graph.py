"""Reads of an ONNX model which operators of others it needs, and which files its tensors lie in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from heavylift.models.protobuf import Schema, fields, text, walk

_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_GRAPH, _OPSETS = 7, 8
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "com.microsoft"})
_SCHEMA: Schema = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_LOCATION = "location"


@dataclass(frozen=True)
class OnnxGraph:
    """What a model of ONNX needs.

    :param domains: of operators beyond the usual.
    :param files: that hold its tensors, as it names them.
    """

    domains: tuple[str, ...]
    files: tuple[str, ...]


def read_onnx(stream: BinaryIO, size: int) -> OnnxGraph | None:
    """Return what a model of ONNX needs; None where the file is none."""
    stream.seek(0)
    if stream.read(1) != b"\x08":
        return None
    try:
        seen = {field.number for field in fields(stream, 0, size)}
        if not {_GRAPH, _OPSETS} <= seen <= _MODEL_FIELDS:
            return None
        return _read(stream, size)
    except ValueError:
        return None


def _read(stream: BinaryIO, size: int) -> OnnxGraph:
    domains: list[str] = []
    files: list[str] = []
    keys: list[str] = []
    values: list[str] = []
    for message, field in walk(stream, _SCHEMA, "model", 0, size):
        if message == "opset" and field.number == 1:
            domains.append(text(stream, field))
        elif message == "entry" and field.number in {1, 2}:
            (keys if field.number == 1 else values).append(text(stream, field))
            # They come in any order, and of several the last counts: each that may be meant is taken.
            if _LOCATION in keys:
                files += values
        elif message == "tensor":
            # What else lies in an entry may be text of any length; an entry without a key names no file.
            keys, values = [], []
    return OnnxGraph(
        tuple(dict.fromkeys(each for each in domains if each not in _DOMAINS)), tuple(dict.fromkeys(files))
    )
