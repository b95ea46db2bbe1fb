"""Is the target slower? Answered so that equal systems pass and a tenth more at P95 does not.

Both sides are asked in turn, in pairs of blocks of which chance decides who begins, so that what the
machine does meanwhile strikes both alike. The target passes where even the upper bound of the ratio of
the two quantiles is within the limit: it has to be shown not to be slower, not merely not shown to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

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
    :param extended: so many times as many are asked in all where the first are too few to tell. That is one
        more look, and not one after each block: each look may by chance let a slow target pass.
    """

    requests: int = 5000
    warm_up: int = 200
    max_ratio: float = 1.1
    quantile: float = 0.95
    confidence: float = 0.99
    extended: int = 4


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

    def undecided(self, plan: LatencyPlan) -> bool:
        """Tell whether the target is neither shown to be fast enough nor to be slower."""
        return not self.passed and self.ratios[plan.quantile].low <= plan.max_ratio


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
    _ask((source, target), durations, plan.requests, rows, generator, check)
    found = judge(durations[0], durations[1], plan, generator)
    if plan.extended <= 1 or not found.undecided(plan):
        return found
    _ask((source, target), durations, (plan.extended - 1) * plan.requests, rows, generator, check)
    return judge(durations[0], durations[1], plan, generator)


def _ask(
    sides: tuple[Asked, Asked],
    durations: tuple[list[Floats], list[Floats]],
    requests: int,
    rows: int,
    generator: np.random.Generator,
    check: Callable[[], None],
) -> None:
    for block in _blocks(requests, rows, generator):
        check()
        first = int(generator.integers(2))
        for side in (first, 1 - first):
            durations[side].append(np.array(sides[side](block), dtype=np.float64))


def judge(
    source: Sequence[Floats], target: Sequence[Floats], plan: LatencyPlan, generator: np.random.Generator
) -> Latency:
    """Judge durations that were measured in pairs of blocks."""
    step = rounded_to(source, target)
    exact = unrounded(source, target, step, generator)
    ratios = ratios_of_quantiles(
        *grouped(*exact, plan.quantile),
        QUANTILES,
        generator,
        confidence=plan.confidence,
    )
    sides = [np.concatenate(side) for side in (source, target)]
    ratios[plan.quantile] = _in_doubt(ratios[plan.quantile], sides, step, plan.quantile)
    curve = [np.quantile(side, _CURVE) for side in sides]
    return Latency(
        source={q: float(np.quantile(sides[0], q)) for q in QUANTILES},
        target={q: float(np.quantile(sides[1], q)) for q in QUANTILES},
        ratios=ratios,
        requests=len(sides[0]),
        passed=ratios[plan.quantile].high <= plan.max_ratio,
        curves=tuple((q, float(a), float(b)) for q, a, b in zip(_CURVE, *curve, strict=True)),
    )


_FEW_VALUES = 0.05
"""Of so small a part of the durations are there values: then a clock has rounded them."""
_COARSE = 0.5
"""So large a step beside the quantile hides what happens within it."""
_GROUPS = (8, 4, 2)
"""Blocks that may be taken together where those that follow one another are alike."""
_ALIKE = 1.5
"""So many times as much as of independent blocks must the means of groups vary: chance makes less of 25."""


def rounded_to(source: Sequence[Floats], target: Sequence[Floats]) -> float:
    """Return the step that a clock has rounded durations to; nothing where it was a fine one."""
    values, counts = np.unique(np.concatenate([*source, *target]), return_counts=True)
    fine = len(values) < 2 or len(values) > _FEW_VALUES * counts.sum()
    return 0.0 if fine else float(np.min(np.diff(values)))


def _in_doubt(ratio: Interval, sides: Sequence[Floats], step: float, quantile: float) -> Interval:
    """Return the ratio with what it may be where a step is too large beside the quantile to see within it."""
    one, other = (float(np.quantile(side, quantile)) for side in sides)
    if step < _COARSE * one or not step:
        return ratio
    return replace(ratio, high=max(ratio.high, (other + step / 2) / max(one - step / 2, step / 1e3)))


def unrounded(
    source: Sequence[Floats], target: Sequence[Floats], step: float, generator: np.random.Generator
) -> tuple[list[Floats], list[Floats]]:
    """Return durations as they may have been before a coarse clock rounded them.

    A quantile of rounded ones stays where it is, or jumps by a whole step: a target that is a tenth slower
    would look as fast, or an equal one much slower.
    """
    if not step:
        return list(source), list(target)
    sides = [
        [np.maximum(block + generator.uniform(-step / 2, step / 2, len(block)), step / 1e3) for block in side]
        for side in (source, target)
    ]
    return sides[0], sides[1]


def grouped(
    source: Sequence[Floats], target: Sequence[Floats], quantile: float
) -> tuple[list[Floats], list[Floats]]:
    """Return blocks that are independent of each other: neighbours that are alike, taken together.

    What is looked at is how many requests of each block take longer than the quantile, on one side more
    than on the other: that is what the ratio of quantiles hangs on.
    """
    if min(map(len, (source, target))) < 2 * _GROUPS[0]:
        return list(source), list(target)
    longer = [
        np.array([float(np.mean(block > at)) for block in side])
        for side in (source, target)
        for at in [np.quantile(np.concatenate(side), quantile)]
    ]
    more = longer[1] - longer[0]
    alone = float(np.var(more))
    for size in _GROUPS:
        whole = more[: len(more) // size * size].reshape(-1, size).mean(axis=1)
        if alone and size * float(np.var(whole)) > _ALIKE * alone:
            return _together(source, size), _together(target, size)
    return list(source), list(target)


def _together(blocks: Sequence[Floats], size: int) -> list[Floats]:
    return [np.concatenate(blocks[begin : begin + size]) for begin in range(0, len(blocks), size)]


def _blocks(requests: int, rows: int, generator: np.random.Generator) -> Iterator[list[int]]:
    for begin in range(0, requests, BLOCK):
        yield [int(each) for each in generator.integers(0, rows, min(BLOCK, requests - begin))]
