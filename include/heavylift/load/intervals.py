"""Quantiles and their ratios with intervals, from the histograms of blocks.

Requests that follow one another share the endpoint's moods and are no independent draws; blocks of them
nearly are. What is drawn anew are blocks, and only their counts are needed: the same arithmetic serves a
measurement that has just been made and one that was written down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heavylift.evidence.baseline_records import QuantileFigure, RatioFigure
from heavylift.histograms import Histogram, value_of

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
CONFIDENCE = 0.95
RESAMPLES = 1000
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


def quantile_figures(
    blocks: Sequence[Histogram], generator: np.random.Generator, quantiles: Sequence[float] = QUANTILES
) -> tuple[QuantileFigure, ...]:
    """Return each quantile with its interval: the wider end, on each side, of two kinds of interval.

    The bootstrap of blocks knows that requests hang together; order statistics know how little few requests
    say of a far quantile, and give no upper bound at all where there are too few.
    """
    whole = Histogram().merged(*blocks)
    if not whole.total:
        return ()
    found = np.quantile(_resampled(blocks, quantiles, _draws(blocks, generator)), _TAILS, axis=0)
    figures = []
    for at, quantile in enumerate(quantiles):
        below, above = _ranks(whole.total, quantile)
        low = min(float(found[0, at]), _ranked(whole, below))
        high = None if above is None else max(float(found[1, at]), _ranked(whole, above))
        here = whole.quantile(quantile) or 0.0
        figures.append(
            QuantileFigure(
                quantile=quantile,
                ms=_ms(here),
                low_ms=_ms(min(low, here)),
                high_ms=None if high is None else _ms(max(high, here)),
            )
        )
    return tuple(figures)


def ratio_figures(
    before: Sequence[Histogram],
    now: Sequence[Histogram],
    generator: np.random.Generator,
    *,
    paired: bool,
    quantiles: Sequence[float] = QUANTILES,
) -> tuple[RatioFigure, ...]:
    """Return the ratio of each quantile, now to before, with its interval.

    :param paired: the n-th blocks of both were measured next to each other: they are drawn together, so that
        a mood that struck both cancels out.
    """
    wholes = [Histogram().merged(*blocks) for blocks in (before, now)]
    if not all(whole.total for whole in wholes):
        return ()
    often = _draws(before, generator)
    first = _resampled(before, quantiles, often)
    second = _resampled(now, quantiles, often if paired else _draws(now, generator))
    found = np.quantile(second / np.maximum(first, 1e-6), _TAILS, axis=0)
    figures = []
    for at, quantile in enumerate(quantiles):
        one, other = (whole.quantile(quantile) or 0.0 for whole in wholes)
        ratio = other / max(one, 1e-6)
        bounded = all(_ranks(whole.total, quantile)[1] is not None for whole in wholes)
        figures.append(
            RatioFigure(
                quantile=quantile,
                ratio=round(ratio, 4),
                low=round(min(float(found[0, at]), ratio), 4),
                high=round(max(float(found[1, at]), ratio), 4) if bounded else None,
            )
        )
    return tuple(figures)


def _draws(blocks: Sequence[Histogram], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each block (column) is drawn in each resample (row)."""
    return generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), RESAMPLES)


def _resampled(
    blocks: Sequence[Histogram], quantiles: Sequence[float], often: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return quantiles (columns) of as many resamples (rows), in seconds."""
    buckets = sorted({bucket for block in blocks for bucket in block.counts})
    counts = np.array([[block.counts[bucket] for bucket in buckets] for block in blocks], dtype=np.float64)
    values = np.array([value_of(bucket) / 1e6 for bucket in buckets])
    seen = np.cumsum(often @ counts, axis=1)
    made = np.empty((RESAMPLES, len(quantiles)))
    for at, quantile in enumerate(quantiles):
        ranks = np.maximum(1, np.ceil(quantile * seen[:, -1:] - 1e-9))
        made[:, at] = values[np.minimum((seen < ranks).sum(axis=1), len(values) - 1)]
    return made


def _ranks(count: int, quantile: float) -> tuple[int, int | None]:
    """Return the ranks, from 1, between which the true quantile lies, by the binomial distribution.

    None as the upper one: not even the largest of so few values is above the true quantile surely enough.
    """
    # P(at most k values are below the quantile), for k from 0 to count.
    numbers = np.arange(1, count + 1, dtype=np.float64)
    logs = np.concatenate(([0.0], np.cumsum(np.log(numbers))))
    k = np.arange(count + 1)
    log_pmf = logs[-1] - logs - logs[::-1] + k * math.log(quantile) + (count - k) * math.log1p(-quantile)
    below = np.cumsum(np.exp(log_pmf))
    low = int(np.searchsorted(below, _TAILS[0]))
    high = int(np.searchsorted(below, _TAILS[1])) + 1
    return low, high if high <= count else None


def _ranked(whole: Histogram, rank: int) -> float:
    return (whole.ranked(rank) or 0.0) if rank else 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 4)
