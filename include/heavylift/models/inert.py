"""Formats that hold data only: each is checked to be what it says, so that nothing hides in it."""

from __future__ import annotations

import ast
import base64
import json
import math
import re
import struct
from typing import Any, BinaryIO

import numpy as np

_MAX_HEADER = 100 * 2**20
_NUMBERS = re.compile(r"[<>|=]?(?:[biufcSUV?]\d*|[mM]8?(?:\[\w+\])?)", re.ASCII)
"""Kinds of elements that are no objects, as numpy writes them; it reads more names, such as ``object``."""

MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"ARROW1\x00\x00", "arrow"),
    (b"CBM1", "catboost"),
    (b"GGUF", "gguf"),
)
"""First bytes → kind, for formats whose readers run nothing of what they read."""


_PICKLED_TYPE = b"arrow.py_extension_type"
_SIGNS = (
    _PICKLED_TYPE,
    # A scheme in Parquet's footer is written in Base64, beginning anywhere.
    *(base64.b64encode(b"\0" * n + _PICKLED_TYPE)[4 if n else 0 : -4] for n in range(3)),
)
_CHUNK = 2**20


def names_pickled_types(stream: BinaryIO) -> bool:
    """Tell whether a file of Arrow or Parquet names types whose description is a pickle.

    Readers before pyarrow 14.0.1 unpickle it as soon as the file is opened.
    """
    stream.seek(0)
    before = b""
    while chunk := stream.read(_CHUNK):
        if any(sign in before + chunk for sign in _SIGNS):
            return True
        before = chunk[-64:]
    return False


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
        header = json.loads(stream.read(length), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    if not isinstance(header, dict):
        return False
    told = header.pop("__metadata__", None)
    if told is not None and not (isinstance(told, dict) and all(isinstance(e, str) for e in told.values())):
        return False
    at = 0
    for begin, end in sorted(_place(entry) for entry in header.values()):
        # One after the other, without gaps: a reader could find something else in what lies between.
        if begin != at or end < begin:
            return False
        at = end
    return bool(at == size - 8 - length)


_WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2,
           "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # fmt: skip
_NOWHERE = (-1, -1)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name that is there twice")
    return made


def _place(entry: object) -> tuple[int, int]:
    """Return where a tensor lies behind the header; nowhere that may be where it does not fit its shape."""
    if not isinstance(entry, dict):
        return _NOWHERE
    offsets: Any = entry.get("data_offsets")
    shape: Any = entry.get("shape")
    if not (_are_lengths(offsets) and len(offsets) == 2 and _are_lengths(shape)):
        return _NOWHERE
    width = _WIDTHS.get(str(entry.get("dtype")))
    if width is not None and offsets[1] - offsets[0] != width * math.prod(shape):
        return _NOWHERE
    return offsets[0], offsets[1]


def _are_lengths(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


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
        return not _are_numbers(header["descr"])
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        return None


def npy_end(stream: BinaryIO) -> int:
    """Return where an array of numbers or texts ends, its header being read; -1 where that is not told."""
    begin = stream.tell()
    stream.seek(6)
    width = 2 if stream.read(1) == b"\x01" else 4
    stream.seek(8 + width)
    try:
        header = ast.literal_eval(stream.read(begin - 8 - width).decode("latin-1").strip())
        size = int(np.dtype(header["descr"]).itemsize * math.prod(header["shape"]))
    except (ValueError, SyntaxError, KeyError, TypeError, OverflowError):
        return -1
    return begin + size


def _are_numbers(descr: object) -> bool:
    """Tell whether elements are numbers and texts alone: one kind, or fields of (name, kind, shape)."""
    if isinstance(descr, str):
        return bool(_NUMBERS.fullmatch(descr))
    if not isinstance(descr, (list, tuple)):
        return False
    if isinstance(descr, tuple):
        # A kind and how many of it.
        return len(descr) == 2 and _are_numbers(descr[0])
    return all(
        isinstance(field, tuple) and len(field) in {2, 3} and _are_numbers(field[1]) for field in descr
    )
