"""Reads what a file of GGUF tells beside its numbers: texts, of which one is a template that is rendered."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from heavylift.models.templates import template_problems

_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Type of a number → its bytes."""
_TEXT, _LIST = 8, 9
_MOST_ENTRIES = 2**16
_LONGEST = 2**22
_MOST_WORDS = 2**24
_DEEPEST = 4
Problem = tuple[str, str]


def gguf_problems(stream: BinaryIO) -> Iterator[Problem]:
    """Yield rule and detail of what a file would have its reader do, or why it was not understood."""
    stream.seek(4)
    try:
        version, _tensors, entries = _unpack(stream, "<IQQ")
        if version not in {2, 3} or entries > _MOST_ENTRIES:
            raise ValueError(f"version {version}, {entries} entries")
        for _ in range(entries):
            key = _text(stream)
            value = _value(stream, _unpack(stream, "<I")[0], 0)
            if isinstance(value, str) and "chat_template" in key:
                yield from template_problems(value)
    except (ValueError, struct.error) as error:
        yield "unscanned-file", f"its entries cannot be read ({str(error)[:100]})"


def _unpack(stream: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def _text(stream: BinaryIO) -> str:
    (length,) = _unpack(stream, "<Q")
    content = stream.read(length) if length <= _LONGEST else b""
    if len(content) != length:
        raise ValueError("a text that has no end")
    return content.decode("utf-8", "replace")


def _value(stream: BinaryIO, kind: int, depth: int) -> str | None:
    """Return a text; numbers and lists are passed by."""
    if kind == _TEXT:
        return _text(stream)
    if kind in _WIDTHS:
        stream.seek(_WIDTHS[kind], 1)
        return None
    if kind != _LIST or depth > _DEEPEST:
        raise ValueError(f"a value of the type {kind}")
    inner, number = _unpack(stream, "<IQ")
    if inner in _WIDTHS:
        stream.seek(_WIDTHS[inner] * number, 1)
        return None
    if number > _MOST_WORDS:
        raise ValueError(f"a list of {number} values")
    for _ in range(number):
        _value(stream, inner, depth + 1)
    return None
