"""Numbers in words, the same in gate results, summaries and reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SHOWN = 5

_HOW = {
    "": "{} of both stores, equal",
    "read_back": "target read back, {} equal to the source's own",
    "read_source": "source read, {} equal to the target's own",
    "read_both": "both sides read in full, {} equal",
    "deep": "{} of the target, equal to the one recorded",
    "deep_read": "target read back, {} equal to the one recorded",
}
_ALGORITHMS = {
    "crc32c": "CRC32C",
    "crc64nvme": "CRC-64/NVME",
    "crc32": "CRC-32",
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "md5_parts": "multipart MD5",
    "etag": "ETag, an MD5 where equal,",
}


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 object``, ``12,345 objects``; the plural ends in s where none is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def differ(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row differs``, ``12,345 rows differ``."""
    return f"{counted(number, noun, plural)} {'differs' if number == 1 else 'differ'}"


def enumeration(items: Sequence[object], shown: int = _SHOWN) -> str:
    """Return the first few items, and how many more there are."""
    text = ", ".join(str(item) for item in items[:shown])
    return text if len(items) <= shown else f"{text} and {len(items) - shown:,} more"


def shortened(text: str, most: int = 300) -> str:
    """Return a text of at most ``most`` characters: of a longer one its beginning and its end."""
    if len(text) <= most:
        return text
    return f"{text[: most * 2 // 3]} … {text[-(most // 3 - 3) :]}"


def size(size_bytes: float) -> str:
    """Return a number of bytes with a binary unit: ``1.5 MiB``."""
    value, unit = float(size_bytes), 0
    while abs(value) >= 1023.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:,.0f} B" if unit == 0 else f"{value:,.1f} {_UNITS[unit]}"


def use_in_words(value: float | None, unit: str) -> str:
    """Return how much of something is used: ``37 %`` of a share, ``1.2 cores``, ``3.4 GiB``; ``unknown``."""
    if value is None:
        return "unknown"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return size(value) if unit == "bytes" else f"{value:.3g} {unit}"


def duration(span: timedelta) -> str:
    """Return a span of time with its two largest units: ``2 h 5 min``, ``850 ms``."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    while parts[0][0] == 0:
        parts = parts[1:]
    return " ".join(f"{value} {unit}" for value, unit in parts[:2] if value)


def days_in_words(days: float) -> str:
    """Return how long something takes that is told in days: short spans in hours."""
    hours = days * 24
    if hours < 1:
        return "less than an hour"
    return counted(round(hours), "hour") if hours < 48 else f"{days:,.1f} days"


def method_in_words(method: str) -> str:
    """Return how objects were proved equal, from the name in a verification record."""
    how, _, algorithm = method.rpartition(":")
    if how not in _HOW or algorithm not in _ALGORITHMS:
        return method.replace("_", " ")
    return _HOW[how].format(_ALGORITHMS[algorithm])
