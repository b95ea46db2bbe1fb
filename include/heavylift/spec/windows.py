"""Time windows as people write them: ``22:00-06:00 Europe/Berlin``, ``Sat-Sun``, ``Mon-Fri 20:00-24:00``.

A window is days, times and a time zone, in this order, each of which may be left out (but not both
days and times): all days, the whole day, UTC. A window whose end is not after its begin ends on the
next day. What a window means at a given moment is :mod:`heavylift.objects.windows`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

from heavylift.spec.base import wrong
from heavylift.spec.suggest import nearest

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
WINDOW_EXPECTED = (
    "a window: days, times or both, then a time zone (UTC where none is named), such as"
    " '22:00-06:00 Europe/Berlin', 'Sat-Sun' or 'Mon-Fri 20:00-24:00 America/New_York'"
)
_TIMES = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_LOOSE_TIMES = re.compile(
    r"(\d{1,2})(?::?(\d{2}))?\s*([ap]m)?-(\d{1,2})(?::?(\d{2}))?\s*([ap]m)?", re.IGNORECASE
)
_DAY_RANGE = re.compile(r"([A-Za-z]+)(?:-([A-Za-z]+))?")
_ABBREVIATION = re.compile(r"[A-Z]{2,5}|GMT[+-]?\d*|[+-]\d{1,2}(?::?\d{2})?")


@dataclass(frozen=True)
class Window:
    """One window as written.

    :param days: on which it opens; 0 is Monday.
    :param opens: minutes after midnight.
    :param closes: minutes after the same midnight; more than :data:`DAY_MINUTES` where it ends on the
        next day.
    :param zone: name in the IANA time zone database.
    """

    days: frozenset[int]
    opens: int
    closes: int
    zone: str


def parse_window(text: str) -> Window:
    """Return the window that ``text`` means.

    :raises PydanticCustomError: it is none; the message says what was probably meant.
    """
    words = re.sub(r"\s*([-,])\s*", r"\1", text.strip()).split()
    days, times, zone = _sorted_out(words, text)
    if not days and not times:
        raise wrong("window", WINDOW_EXPECTED, _hint(text))
    opens, closes = _minutes(times) if times else (0, DAY_MINUTES)
    return Window(frozenset(_days(days)) if days else frozenset(range(7)), opens, closes, _zone(zone))


def _sorted_out(words: list[str], text: str) -> tuple[str, str, str]:
    """Tell days, times and zone apart; each may stand once, in this order."""
    found = {"days": "", "times": "", "zone": ""}
    order = list(found)
    place = 0
    for word in words:
        kind = _kind(word)
        if order.index(kind) < place:
            raise wrong("window", WINDOW_EXPECTED, _hint(text))
        place = order.index(kind) + 1
        found[kind] = word
    return found["days"], found["times"], found["zone"]


def _kind(word: str) -> str:
    if _TIMES.fullmatch(word):
        return "times"
    ranges = [_DAY_RANGE.fullmatch(part) for part in word.split(",")]
    names = [name for match in ranges if match for name in match.groups() if name]
    if all(ranges) and any(_day(name) is not None for name in names):
        return "days"
    return "zone"


def _minutes(times: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(times)
    if match is None:
        raise wrong("window", WINDOW_EXPECTED)
    hour, minute, end_hour, end_minute = map(int, match.groups())
    opens, closes = hour * 60 + minute, end_hour * 60 + end_minute
    if opens >= DAY_MINUTES or closes > DAY_MINUTES or minute > 59 or end_minute > 59:
        raise wrong("window", f"times from 00:00 to 24:00 in {times}")
    if opens == closes:
        raise wrong("window", "two different times", "for the whole day leave the times out: Mon-Sun")
    return opens, closes if closes > opens else closes + DAY_MINUTES


def _days(word: str) -> Iterator[int]:
    for part in word.split(","):
        first, _, last = part.partition("-")
        low, high = _known_day(first), _known_day(last or first)
        yield from ((low + step) % 7 for step in range((high - low) % 7 + 1))


def _known_day(name: str) -> int:
    day = _day(name)
    if day is None:
        close = nearest(name.capitalize()[:3], DAYS)
        raise wrong("window", "days of " + ", ".join(DAYS), f"perhaps {close} is meant" if close else "")
    return day


def _day(name: str) -> int | None:
    return DAYS.index(name.capitalize()) if name.capitalize() in DAYS else None


def _zone(name: str) -> str:
    if name in {"", "UTC"}:
        return "UTC"
    if "/" not in name:
        raise wrong("window", WINDOW_EXPECTED, _zone_hint(name))
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        close = nearest(name, sorted(available_timezones()))
        hint = f"perhaps {close} is meant" if close else ""
        raise wrong("window", f"a time zone of the IANA database instead of {name}", hint) from error
    return name


def _zone_hint(name: str) -> str:
    if _ABBREVIATION.fullmatch(name):
        return f"{name} does not say when clocks change: name a place, such as Europe/Berlin, or UTC"
    return _hint(name)


def _hint(text: str) -> str:
    """Return what was probably meant, where that can be told."""
    mended = re.sub(r"[‐-―−]", "-", text.strip())
    mended = re.sub(r"\s*([-,])\s*", r"\1", re.sub(r"\s+(?=[ap]m\b)", "", mended, flags=re.IGNORECASE))
    for number, name in enumerate(
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    ):
        mended = re.sub(rf"\b{name}s?\b", DAYS[number], mended, flags=re.IGNORECASE)
    mended = re.sub(r"\bweekends?\b", "Sat-Sun", mended, flags=re.IGNORECASE)
    mended = re.sub(r"\b(?:weekdays?|workdays?)\b", "Mon-Fri", mended, flags=re.IGNORECASE)
    mended = _LOOSE_TIMES.sub(_strict_times, mended)
    return f"write '{mended}'" if mended != text and _is_window(mended) else ""


def _strict_times(match: re.Match[str]) -> str:
    hour, minute, half, end_hour, end_minute, end_half = match.groups()
    return f"{_strict(hour, minute, half)}-{_strict(end_hour, end_minute, end_half)}"


def _strict(hour: str, minute: str | None, half: str | None) -> str:
    number = int(hour)
    if half:
        number = number % 12 + (12 if half.lower() == "pm" else 0)
    return f"{number:02d}:{minute or '00'}"


def _is_window(text: str) -> bool:
    words = text.split()
    kinds = [_kind(word) for word in words]
    known = all(
        kind != "zone" or "/" in word or word == "UTC" for kind, word in zip(kinds, words, strict=True)
    )
    return known and bool({"days", "times"} & set(kinds))


def _check_window(text: str) -> str:
    parse_window(text)
    return text


WindowText = Annotated[str, AfterValidator(_check_window), Field(max_length=200)]
"""A time window, such as ``22:00-06:00 Europe/Berlin``; see :func:`parse_window`."""
