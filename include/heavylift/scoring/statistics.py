"""The statistics that comparisons stand on, each small enough to be checked by simulation.

Every function that draws takes a generator, so that a result can be had again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval that holds the truth with the stated confidence."""

    estimate: float
    low: float
    high: float


def mismatch_bound(mismatches: int, compared: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper bound on the rate of mismatches: exact by Clopper and Pearson, one-sided.

    For none of n it is about 3/n at 95 %. With nothing compared nothing is known: 1.
    """
    if compared <= 0 or mismatches >= compared:
        return 1.0
    if mismatches == 0:
        return float(1 - (1 - confidence) ** (1 / compared))
    ways = [_log_ways(compared, k) for k in range(mismatches + 1)]
    low, high = mismatches / compared, 1.0
    # Once there is no number between the two, they stay as they are.
    while low < (middle := (low + high) / 2) < high:
        if _at_most(ways, compared, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _log_ways(trials: int, successes: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)


def _at_most(ways: Sequence[float], trials: int, rate: float) -> float:
    """Return how probable so few successes are.

    :param ways: the logarithm of in how many ways there are so many successes, from none to the most.
    """
    if rate >= 1.0:
        return 0.0
    one, none = math.log(rate), math.log1p(-rate)
    logs = [each + k * one + (trials - k) * none for k, each in enumerate(ways)]
    largest = max(logs)
    return min(1.0, math.exp(largest) * math.fsum(math.exp(each - largest) for each in logs))


def paired_bootstrap(
    rows: int,
    difference: Callable[[NDArray[np.intp]], float],
    generator: np.random.Generator,
    *,
    resamples: int = 500,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of a difference between two systems that were given the same rows.

    :param difference: of the rows with these numbers; both systems' values of a row go together.
    """
    everything = np.arange(rows)
    found = [difference(generator.integers(0, rows, rows)) for _ in range(resamples)]
    known = np.array([each for each in found if not math.isnan(each)])
    estimate = difference(everything)
    if not len(known):
        return Interval(estimate, -math.inf, math.inf)
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high))


def ratios_of_quantiles(
    source: Sequence[Floats],
    target: Sequence[Floats],
    quantiles: Sequence[float],
    generator: np.random.Generator,
    *,
    resamples: int = 400,
    confidence: float = CONFIDENCE,
) -> dict[float, Interval]:
    """Return the interval of each quantile's ratio, target to source, by a bootstrap of pairs of blocks.

    Requests that follow one another share the machine's moods, so that single ones are no independent
    draws; blocks of them nearly are. The n-th blocks of both sides were measured next to each other and
    are drawn together, so that a mood that struck both cancels out.

    :param source: the durations of each block; as many blocks on both sides.
    :return: ``high`` is the one-sided bound at ``confidence``, ``low`` that on the other side.
    """
    blocks = len(source)
    widest = max(len(each) for each in (*source, *target))
    sides = [_padded(each, widest) for each in (source, target)]
    draws = generator.integers(0, blocks, (resamples, blocks))
    found = np.array([_ratios(sides[0][draw], sides[1][draw], quantiles) for draw in draws])
    estimates = _ratios(sides[0], sides[1], quantiles)
    lows, highs = np.quantile(found, [1 - confidence, confidence], axis=0)
    return {
        quantile: Interval(estimate, float(low), float(high))
        for quantile, estimate, low, high in zip(quantiles, estimates, lows, highs, strict=True)
    }


def _padded(blocks: Sequence[Floats], width: int) -> Floats:
    made = np.full((len(blocks), width), np.nan)
    for row, block in zip(made, blocks, strict=True):
        row[: len(block)] = block
    return made


def _ratios(source: Floats, target: Floats, quantiles: Sequence[float]) -> list[float]:
    pairs = zip(_quantiles(source, quantiles), _quantiles(target, quantiles), strict=True)
    return [float(other / one) if one > 0 else math.inf for one, other in pairs]


def _quantiles(blocks: Floats, quantiles: Sequence[float]) -> Floats:
    """Return quantiles that are values of the blocks themselves; padding sorts to the end."""
    flat = blocks.ravel()
    count = int(np.count_nonzero(~np.isnan(flat)))
    places = [min(count - 1, max(0, math.ceil(quantile * count) - 1)) for quantile in quantiles]
    return np.partition(flat, places)[places]
