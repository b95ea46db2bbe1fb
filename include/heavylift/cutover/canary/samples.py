"""Samples of both sides, and the blocks of time that the analysis is fed with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from heavylift.cutover.ports import Side

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Prediction = tuple[float, ...] | str


@dataclass(frozen=True)
class Sample:
    """One request and what one side made of it.

    :param moment: when it was due, in seconds of any clock that both sides share.
    :param status: what kind of failure it was; empty where ``ok``.
    :param prediction: its numbers, or the digest of an answer without any; None where it is unknown.
    :param pair: the same request was sent to the other side under this name.
    """

    side: Side
    moment: float
    ok: bool
    seconds: float
    prediction: Prediction | None = None
    business: float | None = None
    pair: str | None = None
    status: str = ""


@dataclass(frozen=True)
class Pairs:
    """A block of requests that both sides were asked at the same moment; the n-th entries belong together.

    :param mismatched: 1.0 where the predictions differ, 0.0 where not, NaN where one is unknown.
    """

    moment: float
    source_ok: Flags
    target_ok: Flags
    source_seconds: Floats
    target_seconds: Floats
    mismatched: Floats


@dataclass(frozen=True)
class Latencies:
    """Durations by bucket, ascending; of a single duration both edges are itself."""

    low: Floats
    high: Floats
    counts: Floats

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latencies:
        """Return single durations."""
        values = np.sort(np.fromiter(seconds, dtype=np.float64))
        # Above x is what is greater than x, of a duration as of a bucket.
        return cls(np.nextafter(values, -math.inf), values, np.ones(len(values)))

    @property
    def total(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    def surely_above(self, seconds: Floats) -> Floats:
        """Return how many are above each value for certain."""
        before = np.concatenate([[0.0], np.cumsum(self.counts)])
        found: Floats = before[-1] - before[np.searchsorted(self.low, seconds, side="left")]
        return found

    def maybe_above(self, seconds: Floats) -> Floats:
        """Return how many may be above each value."""
        before = np.concatenate([[0.0], np.cumsum(self.counts)])
        found: Floats = before[-1] - before[np.searchsorted(self.high, seconds, side="right")]
        return found

    def quantile(self, share: float) -> float | None:
        """Return the upper edge below which ``share`` of all lie; None where there are none."""
        if not self.total:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), share * self.counts.sum() - 1e-9))
        return float(self.high[min(place, len(self.high) - 1)])


@dataclass(frozen=True)
class SideCrowd:
    """What one side did within a block, request by request or as counters.

    :param values: of predictions: one number each, or labels; None where they are unknown.
    """

    requests: int = 0
    errors: int = 0
    latencies: Latencies = field(default_factory=lambda: Latencies.of(()))
    values: tuple[float, ...] | tuple[str, ...] | None = None


@dataclass(frozen=True)
class Crowd:
    """A block of requests that only one side each was asked."""

    moment: float
    source: SideCrowd
    target: SideCrowd


@dataclass(frozen=True)
class Business:
    """One reading of the business metric of both sides, of the same moment."""

    moment: float
    source: float
    target: float


Block = Pairs | Crowd | Business


@dataclass(frozen=True)
class Tolerance:
    """How far two predictions may be apart and still be the same."""

    absolute: float = 1e-6
    relative: float = 1e-4


def differ(source: Prediction | None, target: Prediction | None, tolerance: Tolerance) -> float:
    """Return 1.0 where two predictions differ, 0.0 where not, NaN where one of them is unknown."""
    if source is None or target is None:
        return math.nan
    if isinstance(source, str) or isinstance(target, str):
        return float(source != target)
    if len(source) != len(target):
        return 1.0
    one, other = np.array(source), np.array(target)
    return float(
        not np.allclose(other, one, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True)
    )


def value_of(prediction: Prediction) -> float | str:
    """Return the one value by which the distribution of predictions is watched: a label, or the mean."""
    return prediction if isinstance(prediction, str) else float(np.mean(prediction)) if prediction else ""


def blocks_of(samples: Sequence[Sample], seconds: float, tolerance: Tolerance) -> list[Block]:
    """Return samples as blocks of so many seconds each, in the order of time.

    A sample that names a pair whose other half is missing counts as one without a pair.
    """
    halves: dict[str, dict[Side, Sample]] = {}
    for each in samples:
        if each.pair is not None:
            halves.setdefault(each.pair, {})[each.side] = each
    pairs = {name: found for name, found in halves.items() if len(found) == 2}
    numbered: dict[int, tuple[list[tuple[Sample, Sample]], list[Sample]]] = {}
    for found in pairs.values():
        place = int(found[Side.SOURCE].moment // seconds)
        numbered.setdefault(place, ([], []))[0].append((found[Side.SOURCE], found[Side.TARGET]))
    for each in samples:
        if each.pair not in pairs:
            numbered.setdefault(int(each.moment // seconds), ([], []))[1].append(each)
    made: list[Block] = []
    for place, (together, alone) in sorted(numbered.items()):
        moment = place * seconds
        if together:
            made.append(_pairs(moment, together, tolerance))
        if alone:
            made.append(_crowd(moment, alone))
        made += _business(moment, [each for pair in together for each in pair] + alone)
    return made


def _pairs(moment: float, pairs: Sequence[tuple[Sample, Sample]], tolerance: Tolerance) -> Pairs:
    return Pairs(
        moment,
        np.array([source.ok for source, _ in pairs]),
        np.array([target.ok for _, target in pairs]),
        np.array([source.seconds for source, _ in pairs]),
        np.array([target.seconds for _, target in pairs]),
        np.array(
            [
                differ(source.prediction, target.prediction, tolerance)
                if source.ok and target.ok
                else math.nan
                for source, target in pairs
            ]
        ),
    )


def _differ(source: Sample, target: Sample, tolerance: Tolerance) -> float:
    both = source.ok and target.ok
    return differ(source.prediction, target.prediction, tolerance) if both else math.nan


def _crowd(moment: float, samples: Sequence[Sample]) -> Crowd:
    sides = {side: [each for each in samples if each.side is side] for side in Side}
    return Crowd(moment, _side(sides[Side.SOURCE]), _side(sides[Side.TARGET]))


def _side(samples: Sequence[Sample]) -> SideCrowd:
    good = [each for each in samples if each.ok]
    known = [value_of(each.prediction) for each in good if each.prediction is not None]
    labels = any(isinstance(each, str) for each in known)
    values: tuple[float, ...] | tuple[str, ...] | None = None
    if known:
        values = tuple(str(each) for each in known) if labels else tuple(float(each) for each in known)
    return SideCrowd(
        len(samples), len(samples) - len(good), Latencies.of(each.seconds for each in good), values
    )


def _business(moment: float, samples: Sequence[Sample]) -> list[Business]:
    """Return the mean of both sides within the block as one reading, where both have any."""
    found: Mapping[Side, list[float]] = {
        side: [each.business for each in samples if each.side is side and each.business is not None]
        for side in Side
    }
    if not all(found.values()):
        return []
    return [Business(moment, *(float(np.mean(found[side])) for side in (Side.SOURCE, Side.TARGET)))]
