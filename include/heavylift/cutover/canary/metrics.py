"""The metrics of pairs and of the business: how a block of samples becomes evidence."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import numpy as np

from heavylift.cutover.canary.claims import Claim, Levels
from heavylift.cutover.canary.ladders import (
    Floats,
    paired_above,
    paired_below,
    single_above,
    single_below,
)
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.samples import Block, Business, Pairs
from heavylift.spec.canary_rules import Direction

RATES = np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
RATIOS = np.array([0.5, 0.7, 0.8, 0.9, 1.0, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0, 2.5, 3.0, 5.0])
DROPS = np.array([-0.2, -0.1, -0.05, 0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
MOST_KEPT = 4000
"""Durations of a side that are held, the latest ones."""
_ENOUGH = 50


class Metric(ABC):
    """One figure of the target that is judged.

    :param name: stays the same from step to step.
    :param proves: a step is promoted only when this metric has passed; else it can only stand in the way.
    """

    unit = "rate"

    def __init__(self, name: str, claim: Claim, *, proves: bool) -> None:
        self.name = name
        self.proves = proves
        self.claim = claim
        self.samples = 0
        self.blocks = 0

    @abstractmethod
    def feed(self, block: Block, warm: bool) -> None:
        """Take in a block; one of another kind is none of this metric's business.

        :param warm: the warm-up is over.
        """

    @abstractmethod
    def estimate(self) -> float | None:
        """Return what the figure seems to be; None where nothing is known."""

    @property
    def beyond(self) -> bool:
        """The estimate is nearer to what is bad than to what is good."""
        found = self.estimate()
        return found is not None and found > (self.claim.range.good + self.claim.range.bad) / 2

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on after a restart, as plain JSON."""
        return {"claim": self.claim.state(), "samples": self.samples, "blocks": self.blocks, **self._own()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.claim.restore(state["claim"])
        self.samples, self.blocks = int(state["samples"]), int(state["blocks"])
        self._take(state)

    @abstractmethod
    def _own(self) -> dict[str, Any]:
        """Return what this kind of metric keeps besides its claim."""

    @abstractmethod
    def _take(self, state: dict[str, Any]) -> None:
        """Take from a state what ``_own`` has put there."""


class Trouble:
    """Whether the source itself was in trouble just now.

    What both sides suffer then drowns what only one of them does, so that no bet on errors is made. Whether
    one is made depends on earlier blocks only, which every wealth allows.
    """

    def __init__(self) -> None:
        self._latest: deque[tuple[int, int]] = deque(maxlen=3)

    def now(self) -> bool:
        """Tell whether too many of the source's latest requests failed."""
        asked, failed = (sum(each) for each in zip(*self._latest, strict=True)) if self._latest else (0, 0)
        return failed > 0.08 * asked

    def add(self, asked: int, failed: int) -> None:
        """Take in what the source did in a block."""
        self._latest.append((asked, failed))


class PairedErrors(Metric):
    """By how much more often the target fails than the source, asked at the same moment."""

    unit = "rate above the source's"

    def __init__(self, limits: Limits, levels: Levels, rungs: Floats) -> None:
        super().__init__("errors", Claim(limits.errors, rungs, levels), proves=True)
        self._target = self._source = 0
        self._trouble = Trouble()

    def feed(self, block: Block, warm: bool) -> None:
        """Take in a block of pairs, whether it is warm or not: what fails while it warms up fails."""
        if not isinstance(block, Pairs):
            return
        plus = np.count_nonzero(block.source_ok & ~block.target_ok)
        minus = np.count_nonzero(~block.source_ok & block.target_ok)
        total = len(block.source_ok)
        ups, downs, evens = (np.array([float(each)]) for each in (plus, minus, total - plus - minus))
        trouble = self._trouble.now()
        self._trouble.add(total, total - int(np.count_nonzero(block.source_ok)))
        if trouble:
            return
        self.claim.feed(
            lambda at: paired_above(ups, downs, evens, at), lambda at: paired_below(ups, downs, evens, at)
        )
        self.samples += total
        self.blocks += 1
        self._target += total - int(np.count_nonzero(block.target_ok))
        self._source += total - int(np.count_nonzero(block.source_ok))

    def estimate(self) -> float | None:
        """Return the difference of the error rates."""
        return (self._target - self._source) / self.samples if self.samples else None

    def _own(self) -> dict[str, Any]:
        return {"errors": [self._source, self._target]}

    def _take(self, state: dict[str, Any]) -> None:
        self._source, self._target = state["errors"]


class Mismatch(Metric):
    """How many of the requests both sides answer differently."""

    def __init__(self, limits: Limits, levels: Levels, rungs: Floats) -> None:
        super().__init__("mismatch", Claim(limits.mismatch, rungs, levels), proves=True)
        self._differing = 0

    def feed(self, block: Block, warm: bool) -> None:
        """Take in the pairs of which both predictions are known."""
        if not isinstance(block, Pairs):
            return
        known = block.mismatched[~np.isnan(block.mismatched)]
        if not len(known):
            return
        differing = float(known.sum())
        counts = np.array([differing]), np.array([len(known) - differing])
        self.claim.feed(lambda at: single_above(*counts, at), lambda at: single_below(*counts, at))
        self.samples += len(known)
        self.blocks += 1
        self._differing += int(differing)

    def estimate(self) -> float | None:
        """Return the rate of differing answers."""
        return self._differing / self.samples if self.samples else None

    def _own(self) -> dict[str, Any]:
        return {"differing": self._differing}

    def _take(self, state: dict[str, Any]) -> None:
        self._differing = state["differing"]


class Recent:
    """The latest durations of one side."""

    def __init__(self) -> None:
        self.values: Floats = np.empty(0)

    def add(self, values: Floats) -> None:
        """Add some; the oldest go."""
        self.values = np.concatenate([self.values, values])[-MOST_KEPT:]


class PairedLatency(Metric):
    """Whether a quantile of the target's latency is beyond a multiple of the source's.

    With a threshold x that earlier requests of the source fix, the claim "the quantile is at most r times
    the source's" says that the target exceeds r x no more often than the source exceeds x. A mood that
    slows both sides alike changes nothing of that.
    """

    unit = "ratio to the source's"

    def __init__(self, limits: Limits, levels: Levels, rungs: Floats, quantile: float) -> None:
        claim = Claim(limits.latency, rungs, levels)
        super().__init__(f"latency_p{quantile * 100:g}", claim, proves=True)
        self.quantile = quantile
        self._baseline, self._source, self._target = Recent(), Recent(), Recent()
        self._threshold = math.nan
        self._seen = 0

    def feed(self, block: Block, warm: bool) -> None:
        """Take in the pairs of which both were answered well."""
        if not isinstance(block, Pairs):
            return
        both = block.source_ok & block.target_ok
        source, target = block.source_seconds[both], block.target_seconds[both]
        self._refresh()
        if warm and len(source):
            self._source.add(source)
            self._target.add(target)
            if not math.isnan(self._threshold):
                self._bet(source, target)
        # Only now: the threshold must be fixed before the requests that are held against it.
        self._baseline.add(source)
        self._seen += 1

    def _bet(self, source: Floats, target: Floats) -> None:
        slow = source > self._threshold

        def counts(ratios: Floats) -> tuple[Floats, Floats, Floats]:
            late = target[:, None] > self._threshold * ratios
            plus = (late & ~slow[:, None]).sum(axis=0).astype(float)
            minus = (~late & slow[:, None]).sum(axis=0).astype(float)
            return plus, minus, len(source) - plus - minus

        def above(at: Floats) -> Floats:
            return paired_above(*counts(at), np.zeros(len(at)))

        def below(at: Floats) -> Floats:
            return paired_below(*counts(at), np.zeros(len(at)))

        self.claim.feed(above, below)
        self.samples += len(source)
        self.blocks += 1

    def _refresh(self) -> None:
        if len(self._baseline.values) >= _ENOUGH and (self._seen < 30 or self._seen % 10 == 0):
            self._threshold = float(np.quantile(self._baseline.values, self.quantile))

    def estimate(self) -> float | None:
        """Return the ratio of the quantile, of the latest requests."""
        return ratio_of(self._target.values, self._source.values, self.quantile)

    def levels_ms(self) -> tuple[float, float] | None:
        """Return the quantile of source and target in milliseconds; None where nothing is known."""
        if not len(self._source.values):
            return None
        source, target = (
            float(np.quantile(each.values, self.quantile)) * 1e3 for each in (self._source, self._target)
        )
        return source, target

    def _own(self) -> dict[str, Any]:
        sides = (self._baseline, self._source, self._target)
        return {"recent": [np.round(each.values[-200:], 6).tolist() for each in sides]}

    def _take(self, state: dict[str, Any]) -> None:
        for recent, values in zip((self._baseline, self._source, self._target), state["recent"], strict=True):
            recent.values = np.array(values, dtype=np.float64)


def ratio_of(target: Floats, source: Floats, quantile: float) -> float | None:
    """Return the ratio of a quantile; None where a side has nothing."""
    if not len(target) or not len(source):
        return None
    return float(np.quantile(target, quantile) / max(float(np.quantile(source, quantile)), 1e-9))


class BusinessDrop(Metric):
    """By which share the business metric is worse on the target.

    Only the sign of a reading counts, so that neither its scale nor its tails matter: where the target is
    at most so much worse, it is beyond that in no more than half of the readings.
    """

    unit = "share worse than the source's"

    def __init__(self, limits: Limits, levels: Levels, rungs: Floats) -> None:
        super().__init__("business", Claim(limits.business, rungs, levels), proves=True)
        self._sign = 1 if limits.business_direction is Direction.HIGHER else -1
        self._readings = Recent()

    def feed(self, block: Block, warm: bool) -> None:
        """Take in a reading of both sides; one that is no number tells nothing."""
        if not isinstance(block, Business) or not math.isfinite(block.source + block.target):
            return
        drop = self._sign * (block.source - block.target) / max(abs(block.source), 1e-12)
        half = np.array([0.5])

        def above(at: Floats) -> Floats:
            return np.concatenate([self._sided(float(drop > each), half) for each in at])

        def below(at: Floats) -> Floats:
            return np.concatenate([self._sided(float(drop < each), half) for each in at])

        self.claim.feed(above, below)
        self.samples += 1
        self.blocks += 1
        self._readings.add(np.array([drop]))

    @staticmethod
    def _sided(hit: float, half: Floats) -> Floats:
        return single_above(np.array([hit]), np.array([1 - hit]), half)

    def estimate(self) -> float | None:
        """Return the median drop."""
        return float(np.median(self._readings.values)) if len(self._readings.values) else None

    def _own(self) -> dict[str, Any]:
        return {"readings": self._readings.values[-500:].tolist()}

    def _take(self, state: dict[str, Any]) -> None:
        self._readings.values = np.array(state["readings"], dtype=np.float64)
