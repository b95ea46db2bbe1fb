"""Sizes, rates and durations as people write them: ``64MiB``, ``200MiB/s``, ``500/s``, ``1h30m``.

In the model they are whole numbers of bytes, bytes a second and seconds; a bare whole number
in a spec is taken in those units, so that a dumped spec can be read again.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_SIZE_TEXT = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s?([A-Za-z]{1,5})"
_SIZE = re.compile(_SIZE_TEXT)
_RATE = re.compile(_SIZE_TEXT + r"/s")
_REQUESTS = re.compile(r"([0-9]{1,12})\s?/\s?s")
_DURATION = re.compile(r"(?:[0-9]{1,12}[smhdw])+")
_DURATION_PART = re.compile(r"([0-9]+)([smhdw])")
_LARGEST = 2**63 - 1

SIZE_EXPECTED = "a size such as 64MiB (units B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)"
RATE_EXPECTED = "a rate such as 200MiB/s (a size unit, then /s)"
REQUESTS_EXPECTED = "a number of requests a second such as 500/s"
DURATION_EXPECTED = "a duration such as 30s, 15m, 24h, 7d or 1h30m"


def parse_size(value: object) -> int:
    """Return the bytes that ``value`` means: a whole number of bytes, or text with a unit.

    :raises PydanticCustomError: not a size.
    """
    if _is_count(value):
        return int(str(value))
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise _wrong("size", SIZE_EXPECTED, _size_hint(value, ""))
    return _bytes(match, "size", SIZE_EXPECTED)


def parse_rate(value: object) -> int:
    """Return the bytes a second that ``value`` means.

    :raises PydanticCustomError: not a rate.
    """
    if _is_count(value):
        return int(str(value))
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise _wrong("rate", RATE_EXPECTED, _size_hint(value, "/s"))
    return _bytes(match, "rate", RATE_EXPECTED)


def parse_requests(value: object) -> int:
    """Return the requests a second that ``value`` means: a whole number, or text such as ``500/s``.

    :raises PydanticCustomError: not a number of requests a second.
    """
    if _is_count(value):
        return int(str(value))
    text = value.strip() if isinstance(value, str) else ""
    match = _REQUESTS.fullmatch(text)
    if match is None:
        hint = f"write {text}/s" if text.isdigit() else ""
        raise _wrong("rate", REQUESTS_EXPECTED, hint)
    return int(match[1])


def parse_duration(value: object) -> int:
    """Return the seconds that ``value`` means.

    :raises PydanticCustomError: not a duration.
    """
    if _is_count(value):
        return int(str(value))
    text = value.strip() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        hint = f"write a unit, for example {text}s" if text.isdigit() else ""
        raise _wrong("duration", DURATION_EXPECTED, hint)
    total = sum(int(count) * DURATION_UNITS[unit] for count, unit in _DURATION_PART.findall(text))
    if total > _LARGEST:
        raise _wrong("duration", DURATION_EXPECTED, "")
    return total


def format_size(size_bytes: int) -> str:
    """Return ``size_bytes`` in the largest binary unit that divides it: ``16MiB``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % SIZE_UNITS[unit] == 0:
            return f"{size_bytes // SIZE_UNITS[unit]}{unit}"
    return f"{size_bytes}B"


def format_duration(seconds: int) -> str:
    """Return ``seconds`` in the largest unit that divides it: ``3d``, ``90s``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % DURATION_UNITS[unit] == 0:
            return f"{seconds // DURATION_UNITS[unit]}{unit}"
    return f"{seconds}s"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _bytes(match: re.Match[str], kind: str, expected: str) -> int:
    number, unit = match.groups()
    if unit not in SIZE_UNITS:
        raise _wrong(kind, expected, _unit_hint(number, unit, "/s" if kind == "rate" else ""))
    whole, _, fraction = number.partition(".")
    scaled = int(whole + fraction) * SIZE_UNITS[unit]
    size, rest = divmod(scaled, int(10 ** len(fraction)))
    if rest or size > _LARGEST:
        raise _wrong(kind, expected, "the amount must be a whole number of bytes that fits 63 bits")
    return size


def _size_hint(value: object, suffix: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if text.isdigit():
        return f"write a unit, for example {text}MiB{suffix}"
    if suffix and _SIZE.fullmatch(text):
        return f"a rate is a size each second: write {text}/s"
    if not suffix and _RATE.fullmatch(text):
        return f"a size has no /s: write {text.removesuffix('/s')}"
    return ""


def _unit_hint(number: str, unit: str, suffix: str) -> str:
    # "Mb" and "Mbit" mean bits to half the readers and bytes to the other half: never guess.
    known = {name.lower(): name for name in SIZE_UNITS}
    name = known.get(unit.lower())
    if name is None:
        return ""
    if unit.endswith("b"):
        return f"a small b may mean bits: write {number}{name}{suffix}"
    return f"write {number}{name}{suffix}"


def _wrong(kind: str, expected: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError(f"hl_{kind}", "{expected}", {"expected": expected, "hint": hint})


def _schema(description: str, pattern: str, example: str) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0}],
        "description": description,
        "examples": [example],
    }


_SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)? ?(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)"

SizeBytes = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(_schema("A size, such as 64MiB.", _SIZE_PATTERN + "$", "64MiB")),
]
"""A size in bytes."""

BytesPerSecond = Annotated[
    int,
    BeforeValidator(parse_rate),
    WithJsonSchema(_schema("A rate, such as 200MiB/s.", _SIZE_PATTERN + "/s$", "200MiB/s")),
]
"""A rate in bytes a second."""

RequestsPerSecond = Annotated[
    int,
    BeforeValidator(parse_requests),
    WithJsonSchema(_schema("Requests a second, such as 500/s.", r"^[0-9]+ ?/ ?s$", "500/s")),
]
"""A number of requests a second."""

Seconds = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema(_schema("A duration, such as 24h.", r"^([0-9]+[smhdw])+$", "24h")),
]
"""A duration in seconds."""
