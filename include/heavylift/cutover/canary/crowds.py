"""The metrics of requests that only one side each was asked: live traffic."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.cutover.canary.claims import Claim, Levels
from heavylift.cutover.canary.ladders import Floats, crowd_above, crowd_below
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.metrics import Metric, Trouble
from heavylift.cutover.canary.samples import Block, Crowd, Latencies

_DECILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_ENOUGH = 50
_MOST_KEPT = 4000

Values = NDArray[Any]
"""Numbers, or labels."""


def _pair(hits: Floats | float, total: float) -> tuple[Floats, Floats]:
    found = np.atleast_1d(np.asarray(hits, dtype=np.float64))
    return found, total - found


class CrowdErrors(Metric):
    """By how much more often the target's live requests fail than the source's of the same time."""

    unit = "rate above the source's"

    def __init__(self, limits: Limits, levels: Levels, rungs: Floats, *, proves: bool) -> None:
        super().__init__("live_errors", Claim(limits.errors, rungs, levels), proves=proves)
        self._sums = np.zeros(4)
        self._trouble = Trouble()

    def feed(self, block: Block, warm: bool) -> None:
        """Take in a block in which both sides were asked; without one of them there is no comparison."""
        if not isinstance(block, Crowd) or not block.source.requests or not block.target.requests:
            return
        trouble = self._trouble.now()
        self._trouble.add(block.source.requests, block.source.errors)
        if trouble:
            return
        source = _pair(block.source.errors, block.source.requests)
        target = _pair(block.target.errors, block.target.requests)
        _, failed, _, asked = self._sums
        centre = (failed + 0.5) / (asked + 100)
        self.claim.feed(
            lambda at: crowd_above(target, source, centre, at),
            lambda at: crowd_below(target, source, centre, at),
        )
        self._sums += (block.target.errors, block.source.errors, block.target.requests, block.source.requests)
        self.samples += block.target.requests
        self.blocks += 1

    def estimate(self) -> float | None:
        """Return the difference of the error rates."""
        bad, failed, requests, asked = self._sums
        return float(bad / requests - failed / asked) if requests and asked else None

    def _own(self) -> dict[str, Any]:
        return {"sums": self._sums.tolist()}

    def _take(self, state: dict[str, Any]) -> None:
        self._sums = np.array(state["sums"], dtype=np.float64)


class _Latest:
    """The latest durations of a side, as buckets."""

    def __init__(self) -> None:
        self.rows: Floats = np.empty((3, 0))

    def add(self, latencies: Latencies) -> None:
        """Add some; the oldest go."""
        new = np.array([latencies.low, latencies.high, latencies.counts])
        self.rows = np.concatenate([self.rows, new], axis=1)[:, -_MOST_KEPT:]

    def quantile(self, share: float) -> float | None:
        """Return the upper edge below which so many of all lie, where there are enough."""
        if self.rows[2].sum() < _ENOUGH:
            return None
        low, high, counts = self.rows[:, np.argsort(self.rows[1], kind="stable")]
        found = Latencies(low, high, counts).quantile(share)
        return found if found is not None and math.isfinite(found) else None

    def state(self) -> list[list[float | None]]:
        """Return it as plain JSON."""
        return [[None if math.isinf(each) else each for each in row] for row in self.rows[:, -200:].tolist()]

    def restore(self, state: list[list[float | None]]) -> None:
        """Go on from a state."""
        self.rows = np.array([[math.inf if each is None else each for each in row] for row in state])


class CrowdLatency(Metric):
    """Whether a quantile of the target's live latency is beyond a multiple of the source's.

    Of a histogram only what a bucket's edges say for certain is used: coarse buckets weaken the evidence and
    never make it wrong.
    """

    unit = "ratio to the source's"

    def __init__(
        self, limits: Limits, levels: Levels, rungs: Floats, quantile: float, *, proves: bool
    ) -> None:
        claim = Claim(limits.latency, rungs, levels)
        super().__init__(f"live_latency_p{quantile * 100:g}", claim, proves=proves)
        self.quantile = quantile
        self._sides = {name: _Latest() for name in ("baseline", "source", "target")}
        self._threshold: float | None = None
        self._seen = 0

    def feed(self, block: Block, warm: bool) -> None:
        """Take in a block in which both sides were asked."""
        if not isinstance(block, Crowd):
            return
        source, target = block.source.latencies, block.target.latencies
        if self._seen < 30 or self._seen % 10 == 0:
            self._threshold = self._sides["baseline"].quantile(self.quantile)
        self._seen += 1
        if source.total and target.total and warm:
            if self._threshold is not None:
                self._bet(source, target, self._threshold)
            self._sides["source"].add(source)
            self._sides["target"].add(target)
        self._sides["baseline"].add(source)

    def _bet(self, source: Latencies, target: Latencies, threshold: float) -> None:
        at_source = np.array([threshold])
        centre = min(max(1 - self.quantile, 0.01), 0.9)

        def above(at: Floats) -> Floats:
            ours = _pair(target.surely_above(threshold * at), target.total)
            return crowd_above(
                ours, _pair(source.maybe_above(at_source), source.total), centre, np.zeros(len(at))
            )

        def below(at: Floats) -> Floats:
            ours = _pair(target.maybe_above(threshold * at), target.total)
            return crowd_below(
                ours, _pair(source.surely_above(at_source), source.total), centre, np.zeros(len(at))
            )

        self.claim.feed(above, below)
        self.samples += target.total
        self.blocks += 1

    def estimate(self) -> float | None:
        """Return the ratio of the quantile, by the upper edges of buckets."""
        source, target = (self._sides[name].quantile(self.quantile) for name in ("source", "target"))
        return None if source is None or target is None else target / max(source, 1e-9)

    def _own(self) -> dict[str, Any]:
        return {"sides": {name: each.state() for name, each in self._sides.items()}}

    def _take(self, state: dict[str, Any]) -> None:
        for name, each in self._sides.items():
            each.restore(state["sides"][name])


class CrowdShift(Metric):
    """How far the distribution of the target's predictions is from the source's.

    The shares above some values of the source's (or of its commonest labels) are held against each other,
    in both directions. Against "no share differs by more" the bet is on the one that differed most until
    now; against "some share differs by as much" each of them must be refuted.
    """

    unit = "largest difference of shares"

    def __init__(self, limits: Limits, levels: Levels) -> None:
        claim = Claim(limits.shift, np.empty(0), levels, alternatives=2 * len(_DECILES))
        super().__init__("shift", claim, proves=True)
        self._known: list[Values] = [np.empty(0), np.empty(0)]
        self._marks: Values = np.empty(0)
        self._seen = 0

    def feed(self, block: Block, warm: bool) -> None:
        """Take in the predictions of a block in which both sides were asked."""
        if not isinstance(block, Crowd) or not block.source.values or not block.target.values:
            return
        values = [np.array(each) for each in (block.source.values, block.target.values)]
        if self._seen < 30 or self._seen % 10 == 0:
            self._marks = _marks(self._known[0])
        self._seen += 1
        if len(self._marks) and len(self._known[1]):
            self._bet(*values)
        for side, new in enumerate(values):
            known = self._known[side]
            # An answer of another kind than before begins the memory anew.
            alike = len(known) and known.dtype.kind == new.dtype.kind
            self._known[side] = (np.concatenate([known, new]) if alike else new)[-_MOST_KEPT:]

    def _bet(self, source: Values, target: Values) -> None:
        sizes = float(len(source)), float(len(target))
        hits = [_hits(each, self._marks) for each in (source, target)]
        pairs = [_sided(hits[1], hits[0], sizes, up) for up in (True, False)]
        differences = self._differences()
        place = int(np.abs(differences).argmax())
        one, other = (_pair(*_at(side, place)) for side in pairs[int(differences[place] <= 0)])
        self.claim.feed(
            lambda at: crowd_above(one, other, 0.5, at),
            lambda at: np.concatenate([_all_below(pair, float(at[0])) for pair in pairs]),
        )
        self.samples += len(target)
        self.blocks += 1

    def _differences(self) -> Floats:
        source, target = (_hits(each, self._marks) / len(each) for each in self._known)
        return target - source

    def estimate(self) -> float | None:
        """Return the largest difference of shares."""
        known = len(self._marks) and len(self._known[1])
        return float(np.abs(self._differences()).max()) if known else None

    def _own(self) -> dict[str, Any]:
        return {"known": [each[-200:].tolist() for each in self._known]}

    def _take(self, state: dict[str, Any]) -> None:
        self._known = [np.array(each) for each in state["known"]]


def _marks(known: Values) -> Values:
    """Return the values of the source that shares are counted above, or its commonest labels."""
    if len(known) < _ENOUGH:
        return np.empty(0)
    if known.dtype.kind == "U":
        return np.array([label for label, _ in Counter(known.tolist()).most_common(len(_DECILES))])
    return np.quantile(known, _DECILES)


_Side = tuple[Floats, float]


def _sided(target: Floats, source: Floats, sizes: tuple[float, float], up: bool) -> tuple[_Side, _Side]:
    """Return which side's share is thought to be the larger one, and then the other."""
    sides = (target, sizes[1]), (source, sizes[0])
    return sides if up else (sides[1], sides[0])


def _at(side: _Side, place: int) -> _Side:
    return side[0][place : place + 1], side[1]


def _all_below(pair: tuple[_Side, _Side], limit: float) -> Floats:
    """Return gains against "this share differs by as much", for each mark; fewer marks come again."""
    one, other = (_pair(*side) for side in pair)
    gains = crowd_below(one, other, 0.5, np.full(len(one[0]), limit))
    return gains[np.arange(len(_DECILES)) % len(gains)]


def _hits(values: Values, marks: Values) -> Floats:
    """Return how many values are above each mark, or are that label; of another kind than the marks: none."""
    if values.dtype.kind != marks.dtype.kind:
        return np.zeros(len(marks))
    found = values[:, None] == marks if marks.dtype.kind == "U" else values[:, None] > marks
    made: Floats = found.sum(axis=0).astype(np.float64)
    return made
