"""Is the target slower? Answered so that equal systems pass and a tenth more at P95 does not.

Both sides are asked in turn, in pairs of blocks of which chance decides who begins, so that what the
machine does meanwhile strikes both alike. The target passes where even the upper bound of the ratio of
the two quantiles is within the limit: it has to be shown not to be slower, not merely not shown to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from heavylift.scoring.statistics import Floats, Interval, ratios_of_quantiles

QUANTILES = (0.5, 0.95, 0.99)
BLOCK = 25
"""Requests that are sent to one side in a row."""

_CURVE = (*(round(step / 100, 2) for step in range(1, 100)), 0.995, 0.999)

Asked = Callable[[Sequence[int]], Sequence[float]]
"""From numbers of rows to how long each request took, in milliseconds."""


@dataclass(frozen=True)
class LatencyPlan:
    """How much is asked.

    :param requests: of each side.
    :param warm_up: before that, of each side; not counted.
    :param confidence: of the bound: blocks are few, so that a bootstrap of them promises a little too much.
    """

    requests: int = 5000
    warm_up: int = 200
    max_ratio: float = 1.1
    quantile: float = 0.95
    confidence: float = 0.98


@dataclass(frozen=True)
class Latency:
    """What came of it, in milliseconds.

    :param ratios: quantile → its ratio, target to source.
    :param curves: both sides' quantiles, for the plot.
    """

    source: dict[float, float]
    target: dict[float, float]
    ratios: dict[float, Interval]
    requests: int
    passed: bool
    curves: tuple[tuple[float, float, float], ...]


def measure(
    source: Asked,
    target: Asked,
    rows: int,
    plan: LatencyPlan,
    generator: np.random.Generator,
    check: Callable[[], None] = lambda: None,
) -> Latency:
    """Ask both sides in turn and judge the target.

    :param rows: how many rows there are to ask about; their numbers are drawn.
    :param check: called between blocks; raises where the work is to stop.
    """
    for ask in (source, target):
        for block in _blocks(plan.warm_up, rows, generator):
            check()
            ask(block)
    durations: tuple[list[Floats], list[Floats]] = ([], [])
    for block in _blocks(plan.requests, rows, generator):
        check()
        first = int(generator.integers(2))
        for side in (first, 1 - first):
            ask = (source, target)[side]
            durations[side].append(np.array(ask(block), dtype=np.float64))
    return judge(durations[0], durations[1], plan, generator)


def judge(
    source: Sequence[Floats], target: Sequence[Floats], plan: LatencyPlan, generator: np.random.Generator
) -> Latency:
    """Judge durations that were measured in pairs of blocks."""
    ratios = ratios_of_quantiles(source, target, QUANTILES, generator, confidence=plan.confidence)
    sides = [np.concatenate(side) for side in (source, target)]
    curve = [np.quantile(side, _CURVE) for side in sides]
    return Latency(
        source={q: float(np.quantile(sides[0], q)) for q in QUANTILES},
        target={q: float(np.quantile(sides[1], q)) for q in QUANTILES},
        ratios=ratios,
        requests=len(sides[0]),
        passed=ratios[plan.quantile].high <= plan.max_ratio,
        curves=tuple((q, float(a), float(b)) for q, a, b in zip(_CURVE, *curve, strict=True)),
    )


def _blocks(requests: int, rows: int, generator: np.random.Generator) -> Iterator[list[int]]:
    for begin in range(0, requests, BLOCK):
        yield [int(each) for each in generator.integers(0, rows, min(BLOCK, requests - begin))]
