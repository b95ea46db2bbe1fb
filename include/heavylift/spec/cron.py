"""Checks a schedule's form, so that a typing error is found before Airflow reads the DAG."""

from __future__ import annotations

import re
from dataclasses import dataclass

PRESETS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@quarterly", "@yearly", "@annually")

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_ITEM = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>[0-9]{1,4}))?")
_EXPECTED = "five cron fields in UTC such as '0 * * * *', or one of " + ", ".join(PRESETS)


@dataclass(frozen=True)
class CronProblem:
    """Why a schedule is none."""

    expected: str
    hint: str = ""


def check_cron(text: str) -> CronProblem | None:
    """Return what is wrong with ``text`` as a schedule, or None where it is one."""
    if text.startswith("@"):
        return None if text in PRESETS else CronProblem(_EXPECTED)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return CronProblem(_EXPECTED, f"fields: {len(fields)}, not 5")
    for value, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        if not all(_item_is_right(item, low, high, words) for item in value.split(",")):
            return CronProblem(_EXPECTED, f"the {name} {value!r} is not within {low} to {high}")
    return None


def allowed_values(text: str) -> list[set[int]] | None:
    """Return the values that each of five fields allows, Sunday as 0; None where there are no five."""
    if check_cron(text) is not None or text.startswith("@"):
        return None
    found = []
    for value, (_name, low, high, words) in zip(text.split(), _FIELDS, strict=True):
        allowed: set[int] = set()
        for item in value.split(","):
            allowed |= _values(item, low, high, words)
        found.append(allowed)
    found[4] = {day % 7 for day in found[4]}
    return found


def _values(item: str, low: int, high: int, words: dict[str, int]) -> set[int]:
    match = _ITEM.fullmatch(item)
    if match is None:
        return set()
    first, last = low, high
    if match["low"] is not None:
        first = _number(match["low"], words) or 0
        alone = first if match["step"] is None else high
        last = alone if match["high"] is None else _number(match["high"], words) or 0
    return set(range(first, last + 1, int(match["step"] or 1)))


def _item_is_right(item: str, low: int, high: int, words: dict[str, int]) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None:
        return False
    step = match["step"]
    if step is not None and not 1 <= int(step) <= high:
        return False
    if match["low"] is None:
        return True
    first = _number(match["low"], words)
    last = first if match["high"] is None else _number(match["high"], words)
    return first is not None and last is not None and low <= first <= last <= high


def _number(text: str, words: dict[str, int]) -> int | None:
    return words.get(text.lower(), int(text) if text.isascii() and text.isdigit() else None)
