"""Debezium's times, which are numbers since 1970, as PostgreSQL writes them."""

from __future__ import annotations

from functools import lru_cache

_DAY = 86_400_000_000
_FOREVER, _NEVER = 9_223_372_036_825_200_000, -9_223_372_036_832_400_000
"""What the driver of the PostgreSQL connector makes of the two infinities, in microseconds."""
_FIRST_DAY, _LAST_DAY = -2_440_588, 2_145_031_948
"""4713 BC and 5874897 AD: PostgreSQL's first and last dates; Debezium writes infinite ones as one beyond."""
_FIRST, _LAST = -210_866_803_200_000_000, 9_224_318_016_000_000_000


def date(days: int) -> bytes:
    """Return a date from days since 1970.

    :raises ValueError: PostgreSQL has no such date.
    """
    if not _FIRST_DAY <= days < _LAST_DAY:
        raise ValueError("a date beyond PostgreSQL's, as which Debezium writes infinite ones")
    return _written(days, "").encode()


def clock(micros_of_day: int) -> bytes:
    """Return a time of the day from microseconds.

    :raises ValueError: it is not within one day.
    """
    if not 0 <= micros_of_day <= _DAY:
        raise ValueError("a time that is not within a day")
    return _clock(micros_of_day).encode()


def stamp(micros_since: int) -> bytes:
    """Return a timestamp from microseconds since 1970.

    :raises ValueError: PostgreSQL has no such timestamp.
    """
    if micros_since in (_FOREVER, _NEVER):
        return b"infinity" if micros_since > 0 else b"-infinity"
    if not _FIRST <= micros_since < _LAST:
        raise ValueError("a moment beyond PostgreSQL's")
    days, rest = divmod(micros_since, _DAY)
    return _written(days, " " + _clock(rest)).encode()


def micros(nanos: int) -> int:
    """Return microseconds.

    :raises ValueError: the value is more exact than PostgreSQL's.
    """
    whole, rest = divmod(nanos, 1000)
    if rest:
        raise ValueError("a time that is more exact than microseconds")
    return whole


def zoned(text: str) -> bytes:
    """Return a moment from its ISO form, whose years may have a sign."""
    if text[:1] == "+":
        return text[1:].encode()
    if text[:1] == "-" and text[1:2].isdigit():
        year, _, rest = text[1:].partition("-")
        return f"{int(year) + 1:04d}-{rest} BC".encode()
    return text.encode()


def _clock(micros_of_day: int) -> str:
    seconds, fraction = divmod(micros_of_day, 1_000_000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{fraction:06d}"


def _written(days: int, clock_text: str) -> str:
    year, month, day = _civil(days)
    if year > 0:
        return f"{year:04d}-{month:02d}-{day:02d}{clock_text}"
    return f"{1 - year:04d}-{month:02d}-{day:02d}{clock_text} BC"


@lru_cache(maxsize=4096)
def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the Gregorian calendar; Python's own begins with the year 1."""
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    part = (5 * of_year + 2) // 153
    month = part + 3 if part < 10 else part - 9
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * part + 2) // 5 + 1
