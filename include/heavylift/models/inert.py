"""Formats that hold data only: each is checked to be what it says, so that nothing hides in it."""

from __future__ import annotations

import ast
import base64
import json
import re
import struct
from typing import BinaryIO

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
        return not _are_numbers(header["descr"])
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        return None


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
