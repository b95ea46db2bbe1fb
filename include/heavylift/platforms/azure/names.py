"""Metadata names and values in the forms that Azure accepts, and back. Pure.

Azure's metadata names are C# identifiers and its values are header text. What is neither is
encoded, reversibly:

- In a name each other character becomes ``_x<hex>_`` (its code point), as does a leading digit
  and a ``_`` before an ``x``: ``mlflow-run`` is kept as ``mlflow_x2d_run``.
- A value that HTTP cannot carry unchanged becomes one encoded-word of RFC 2047:
  ``=?utf-8?B?<base64>?=``.

Reading decodes what has exactly these forms, whoever wrote it.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache

_ESCAPE = re.compile(r"_x([0-9a-f]{2,6})_")
_TO_ESCAPE = re.compile(r"^[0-9]|_(?=x)|[^A-Za-z0-9_]", re.ASCII)
_PLAIN_VALUE = re.compile(r"[!-~]+( [!-~]+)*")
_WORD = re.compile(r"=\?utf-8\?B\?([A-Za-z0-9+/]*={0,2})\?=")


@lru_cache(maxsize=1024)
def encode_name(name: str) -> str:
    """Return a metadata name as an identifier."""
    return _TO_ESCAPE.sub(lambda match: f"_x{ord(match[0]):02x}_", name)


@lru_cache(maxsize=1024)
def decode_name(name: str) -> str:
    """Return the name that ``encode_name`` was given; one in no such form is returned as it is."""
    decoded = _ESCAPE.sub(_character, name)
    return decoded if encode_name(decoded) == name else name


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code <= 0x10FFFF else match[0]


def encode_value(value: str) -> str:
    """Return a metadata value as header text that arrives unchanged."""
    if _PLAIN_VALUE.fullmatch(value) and not _WORD.fullmatch(value):
        return value
    return f"=?utf-8?B?{base64.b64encode(value.encode()).decode()}?="


def decode_value(value: str) -> str:
    """Return the value that ``encode_value`` was given; plain text is returned as it is."""
    match = _WORD.fullmatch(value) if value.startswith("=?") else None
    if match is None:
        return value
    try:
        return base64.b64decode(match[1], validate=True).decode()
    except ValueError:
        return value
