"""Formats that hold data only: each is checked to be what it says, so that nothing hides in it."""

from __future__ import annotations

import ast
import json
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

_ONNX_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_ONNX_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "com.microsoft"})
_MAX_HEADER = 100 * 2**20
_OBJECT = re.compile(r"\bO\b|\|O")

MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"ARROW1\x00\x00", "arrow"),
    (b"CBM1", "catboost"),
    (b"GGUF", "gguf"),
)
"""First bytes → kind, for formats whose readers run nothing of what they read."""


def is_safetensors(stream: BinaryIO, size: int) -> bool:
    """Tell whether the file is a header that describes all of the bytes after it, and nothing else."""
    stream.seek(0)
    head = stream.read(8)
    if len(head) < 8:
        return False
    (length,) = struct.unpack("<Q", head)
    if not 2 <= length <= min(_MAX_HEADER, size - 8):
        return False
    try:
        header = json.loads(stream.read(length))
    except ValueError:
        return False
    if not isinstance(header, dict):
        return False
    ends = [_end(entry) for name, entry in header.items() if name != "__metadata__"]
    return None not in ends and max([0, *(end for end in ends if end is not None)]) == size - 8 - length


def _end(entry: object) -> int | None:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if isinstance(offsets, list) and len(offsets) == 2 and all(isinstance(each, int) for each in offsets):
        return int(offsets[1])
    return None


def npy_holds_objects(stream: BinaryIO) -> bool | None:
    """Tell whether an array's elements are pickled, and leave the stream where they begin.

    :return: None where the header cannot be read.
    """
    stream.seek(6)
    major = stream.read(2)[:1]
    width, form = (2, "<H") if major == b"\x01" else (4, "<I")
    packed = stream.read(width)
    if len(packed) < width:
        return None
    (length,) = struct.unpack(form, packed)
    if length > _MAX_HEADER:
        return None
    try:
        header = ast.literal_eval(stream.read(length).decode("latin-1").strip())
        return bool(_OBJECT.search(repr(header["descr"])))
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        return None


def onnx_domains(stream: BinaryIO, size: int) -> list[str] | None:
    """Return the domains of operators that an ONNX model uses beyond the usual; None where it is none."""
    stream.seek(0)
    if stream.read(1) != b"\x08":
        return None
    stream.seek(0)
    seen: set[int] = set()
    domains: list[str] = []
    try:
        for number, content in _fields(stream, size):
            if number not in _ONNX_FIELDS:
                return None
            seen.add(number)
            if number == 8:
                domains.append(_domain(content))
    except (ValueError, IndexError):
        return None
    if not {7, 8} <= seen:
        return None
    return [domain for domain in domains if domain not in _ONNX_DOMAINS]


def _fields(stream: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each field of a protobuf message, and the content of short ones."""
    while stream.tell() < size:
        tag = _varint(stream)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _varint(stream)
            yield number, b""
        elif wire == 2:
            length = _varint(stream)
            if stream.tell() + length > size:
                raise ValueError("a field that is longer than the file")
            content = stream.read(length) if length < 4096 else b""
            if length >= 4096:
                stream.seek(length, 1)
            yield number, content
        elif wire in {1, 5}:
            stream.seek(8 if wire == 1 else 4, 1)
            yield number, b""
        else:
            raise ValueError("no protobuf")


def _domain(content: bytes) -> str:
    if not content or content[0] != 0x0A:
        return ""
    return content[2 : 2 + content[1]].decode("utf-8", "replace")


def _varint(stream: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
        if shift > 63:
            raise ValueError("no varint")
