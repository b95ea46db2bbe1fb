"""From cumulative counters of live traffic to blocks: the difference of two readings."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from heavylift.cutover.canary.ports import SideFigures
from heavylift.cutover.canary.samples import Crowd, Latencies, SideCrowd
from heavylift.cutover.ports import Side


class Counters:
    """Remembers the last reading of both sides.

    :param resets: how often a counter was found set back.
    """

    def __init__(self) -> None:
        self._last: dict[Side, SideFigures] = {}
        self.resets = 0

    def block(self, moment: float, reading: Mapping[Side, SideFigures]) -> Crowd | None:
        """Return what both sides did since the reading before; None for the first one.

        A counter that was set back counts from 0: what it had before the reset and after the last reading is
        lost, which is known to be too little and not what happened.
        """
        known = set(self._last)
        sides = {side: self._difference(side, reading[side]) for side in Side if side in reading}
        self._last.update(reading)
        if not known:
            return None
        # A side that was not there at the reading before began to count after it, from 0.
        nothing = SideCrowd()
        return Crowd(moment, sides.get(Side.SOURCE, nothing), sides.get(Side.TARGET, nothing))

    def _difference(self, side: Side, now: SideFigures) -> SideCrowd:
        before = self._last.get(side, SideFigures(0, 0))
        if now.requests < before.requests or now.errors < before.errors or _lower(before, now):
            self.resets += 1
            before = SideFigures(0, 0)
        return SideCrowd(
            now.requests - before.requests,
            min(now.errors - before.errors, now.requests - before.requests),
            _latencies(before.latency, now.latency),
        )


def _lower(before: SideFigures, now: SideFigures) -> bool:
    return any(now.latency.get(edge, 0) < count for edge, count in before.latency.items())


def _latencies(before: Mapping[float, int], now: Mapping[float, int]) -> Latencies:
    edges = sorted(now)
    counts, last = [], 0
    for edge in edges:
        until = now[edge] - before.get(edge, _until(before, edge))
        counts.append(float(max(until - last, 0)))
        last = max(until, last)
    lows = [0.0, *edges[:-1]]
    kept = [place for place, count in enumerate(counts) if count]
    return Latencies(
        np.array([lows[place] for place in kept]),
        np.array([edges[place] if math.isfinite(edges[place]) else math.inf for place in kept]),
        np.array([counts[place] for place in kept]),
    )


def _until(before: Mapping[float, int], edge: float) -> int:
    """Return how many were at or below an edge that the reading before did not have."""
    return max((count for other, count in before.items() if other <= edge), default=0)
