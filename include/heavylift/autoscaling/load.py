"""Loads: series of requests a minute, from a file or made."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from heavylift.autoscaling.documents import bad, read_text

SHAPES = ("steady", "step", "ramp", "day", "burst")
MOST_MINUTES = 7 * 24 * 60


def read_load(path: Path) -> tuple[float, ...]:
    """Return the requests of each minute: a JSON list, or a CSV whose column ``requests`` has them.

    :raises SpecError: it is neither, has a negative number, or more than a week of minutes.
    :raises NotFoundError: it cannot be read.
    """
    text = read_text(path)
    try:
        if text.lstrip().startswith("["):
            found = [float(each) for each in json.loads(text)]
        else:
            found = [float(row["requests"]) for row in csv.DictReader(text.splitlines())]
    except (ValueError, TypeError, KeyError) as error:
        raise bad(
            path.name, "the load", type(error).__name__, "numbers, or a CSV with the column requests"
        ) from error
    if not found or len(found) > MOST_MINUTES or not all(math.isfinite(each) and each >= 0 for each in found):
        raise bad(
            path.name, "the load", f"{len(found)} minutes", f"1 to {MOST_MINUTES} numbers, none below 0"
        )
    return tuple(found)


def made_load(shape: str, base: float, peak: float, minutes: int) -> tuple[float, ...]:
    """Return a series of one of :data:`SHAPES`, between ``base`` and ``peak``.

    :raises SpecError: there is no such shape, or its numbers make no sense.
    """
    if shape not in SHAPES or not 0 <= base <= peak or not 1 <= minutes <= MOST_MINUTES:
        raise bad(
            "the load", shape, f"{base:g} to {peak:g} in {minutes} minutes", f"one of {', '.join(SHAPES)}"
        )
    return tuple(base + (peak - base) * _share(shape, minute, minutes) for minute in range(minutes))


def _share(shape: str, minute: int, minutes: int) -> float:
    part = minute / minutes
    if shape == "step":
        return 1.0 if 0.25 <= part < 0.75 else 0.0
    if shape == "ramp":
        return min(1.0, 2 * part) if part < 0.75 else max(0.0, 1 - (part - 0.75) * 4)
    if shape == "day":
        return (1 - math.cos(2 * math.pi * part)) / 2
    if shape == "burst":
        return 1.0 if minute % 60 >= 50 else 0.0
    return 0.0
