"""Axes for hand-made plots: round ticks over time and over bytes."""

from __future__ import annotations

from datetime import datetime, timedelta

_STEPS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)
_BINARY = (1, 2, 4, 5, 8, 10, 16, 20, 32, 40, 50, 64, 80, 100, 128, 200, 256, 400, 500, 512, 800)


def time_step(seconds: float, at_most: int = 8) -> float:
    """Return a round number of seconds that divides ``seconds`` into at most so many parts."""
    for step in _STEPS:
        if seconds / step <= at_most:
            return float(step)
    days = seconds / 86_400
    return 86_400.0 * max(1, -(-days // at_most))


def elapsed(seconds: float, total: float) -> str:
    """Return a tick's label in the unit that fits an axis of ``total`` seconds, so all are alike."""
    if not seconds:
        return "0"
    if total <= 100:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    if total <= 6000:
        return f"{minutes}:{rest:02d} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d} h" if total <= 172_800 else f"{seconds / 86_400:.3g} d"


def byte_step(top: float, at_most: int = 4) -> float:
    """Return a round number of bytes, in its own unit, that divides ``top`` into few parts."""
    unit = 1.0
    while top / unit >= 1024:
        unit *= 1024
    for step in _BINARY:
        if top / unit / step <= at_most:
            return step * unit
    return 1024 * unit


class TimeScale:
    """Maps times to horizontal positions.

    :param left: position of ``start``.
    :param width: how far ``end`` is from it.
    """

    def __init__(self, start: datetime, end: datetime, left: float, width: float) -> None:
        self.start = start
        self.seconds = max((end - start).total_seconds(), 0.001)
        self._left = left
        self._width = width

    def x(self, time: datetime) -> float:
        """Return the position of ``time``, kept within the plot."""
        return self.at((time - self.start).total_seconds())

    def at(self, seconds: float) -> float:
        """Return the position so many seconds after the start, kept within the plot."""
        share = min(max(seconds / self.seconds, 0.0), 1.0)
        return round(self._left + share * self._width, 2)

    def ticks(self) -> list[tuple[float, str]]:
        """Return position and label of each tick."""
        step = time_step(self.seconds)
        count = int(self.seconds / step + 1e-9)
        return [(self.at(step * n), elapsed(round(step * n, 3), self.seconds)) for n in range(count + 1)]

    def holds(self, time: datetime) -> bool:
        """Tell whether ``time`` lies within the plot."""
        return time <= self.start + timedelta(seconds=self.seconds)
