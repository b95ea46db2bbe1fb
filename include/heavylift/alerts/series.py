"""One series of samples: read from a file, or made to try a rule hard."""

from __future__ import annotations

import copy
import json
import math
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from heavylift.alerts.problems import number, unreadable

MAX_SAMPLES = 1_000_000


@dataclass(frozen=True, order=True)
class Sample:
    """A value.

    :param at: seconds, of the epoch or of a clock that begins at 0.
    :param arrived: when the platform gets it; later than ``at`` for one that is late.
    """

    at: float
    value: float
    arrived: float


class Series:
    """Samples in the order of their time, and which of them are there at a moment."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = sorted(samples)
        self._times = [each.at for each in self.samples]
        self._late = any(each.arrived > each.at for each in self.samples)
        self.frame: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def first(self) -> float:
        """Return the time of the oldest sample."""
        return self._times[0] if self._times else 0.0

    @property
    def last(self) -> float:
        """Return the time of the newest arrival."""
        return max((each.arrived for each in self.samples), default=0.0)

    def framed(self, whole: Series) -> Self:
        """Return the same series, looked at for as long as another one is."""
        found = copy.copy(self)
        found.frame = whole.first, whole.last
        return found

    @property
    def looked_at(self) -> tuple[float, float]:
        """Return from when and until when it is looked at."""
        return self.frame or (self.first, self.last)

    def window(self, start: float, end: float, now: float) -> list[float]:
        """Return the values with ``start <= at < end`` that have arrived."""
        found = self.samples[bisect_left(self._times, start) : bisect_left(self._times, end)]
        if not self._late:
            return [each.value for each in found if each.at <= now]
        return [each.value for each in found if each.arrived <= now]

    def of(self, metric: str, labels: tuple[tuple[str, str], ...]) -> Series:
        """Return the series of a metric: this one, where there is one only."""
        return self

    def in_order(self) -> Series:
        """Return what a platform keeps that refuses samples older than its newest."""
        kept: list[Sample] = []
        for each in sorted(self.samples, key=lambda sample: (sample.arrived, sample.at)):
            if not kept or each.at > kept[-1].at:
                kept.append(each)
        found = Series(kept)
        found.frame = self.frame
        return found

    def scaled(self, by: float) -> Series:
        """Return the same series in another unit."""
        return Series([Sample(each.at, each.value * by, each.arrived) for each in self.samples])


def read_series(path: Path) -> Series:
    """Read JSON lines: ``{"at": SECONDS, "value": NUMBER}``, with ``"arrived"`` for one that came late.

    :raises SpecError: a line is none of these.
    """
    samples = []
    with path.open(encoding="utf-8") as lines:
        for row, line in enumerate(lines, 1):
            if row > MAX_SAMPLES:
                raise unreadable(f"the series {path}", f"over {MAX_SAMPLES} lines", "fewer")
            if line.strip():
                samples.append(_sample(f"the series {path}, line {row}", line))
    if not samples:
        raise unreadable(f"the series {path}", "no samples", "at least one")
    return Series(samples)


def _sample(what: str, line: str) -> Sample:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise unreadable(what, line, "a JSON object") from None
    if not isinstance(found, dict) or not {"at", "value"} <= found.keys() <= {"at", "value", "arrived"}:
        raise unreadable(what, line, 'an object with "at" and "value"')
    at = number(what, found["at"])
    arrived = number(what, found.get("arrived", at))
    if arrived < at or math.fabs(arrived) > 1e12 or math.fabs(at) > 1e12:
        raise unreadable(what, line, "seconds, and an arrival that is not before the sample's time")
    return Sample(at, number(what, found["value"]), arrived)
