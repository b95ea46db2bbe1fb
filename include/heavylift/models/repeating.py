"""Compares noisy models by four runs: two of the source and two of the target.

One run of each side cannot tell a rare, large outlier from another model. Two of each can: what belongs to
a model comes back, what belongs to chance does not. Where both sides are equal, the four answers to a row
may be dealt to the sides in any way, so that the two other ways to make two pairs of them tell how often,
and how far, chance alone sets two pairs apart. No shape of the noise is assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.models.comparing import (
    ColumnResult,
    Parity,
    Policy,
    Tolerance,
    close_calls,
    differences,
    shape_problem,
    unproved,
)
from heavylift.scoring.outputs import Outputs, is_float
from heavylift.scoring.statistics import mismatch_bound

Floats = NDArray[np.float64]

_FURTHER = 4.0
"""So many times as far as chance ever set pairs apart must the sides be: with a tail of the fourth power
(two outliers of Student's t with 2 degrees of freedom at once) chance does that in one of 750 trials."""
_RARE = 0.005
"""What chance does more seldom is taken for another model."""
_CLEARLY = 0.05
"""By so much must a share be beyond what chance makes: less, however surely, is no other model."""
_COMMON = 0.75
"""Noise in fewer rows than the others hides no other model: it differs in these."""
_SIGMAS, _MORE, _FEWEST = 4.0, 0.05, 20
"""Of the mean: standard errors, part of the usual noise, and rows. Two runs of each side tell it better than
the one of :mod:`heavylift.models.comparing`, so that less is told apart."""


@dataclass(frozen=True)
class Runs:
    """Four answers to the same rows; ``again`` and ``repeated`` come from fresh processes."""

    source: Outputs
    again: Outputs
    target: Outputs
    repeated: Outputs


@dataclass(frozen=True)
class _Column:
    """One column's pairs, a row each.

    :param apart: how far the sides are apart beyond their own noise; ``by_chance`` the same of the other
        two ways to pair, the larger; ``alone`` whether the sides' way is the only one that is apart.
    :param within: the source's own differences, and the target's; ``across``: the four others.
    :param allowed: the tolerance of each row without any noise.
    """

    apart: Floats
    by_chance: Floats
    within: tuple[Floats, Floats]
    across: tuple[Floats, ...]
    allowed: Floats
    tolerance: Tolerance
    values: tuple[Floats, Floats] | None

    @property
    def reach(self) -> float:
        """How far chance alone sets two pairs apart at most."""
        return float(np.max(self.by_chance[np.isfinite(self.by_chance)], initial=0.0))


def needs_repeat(first: Parity, policy: Policy) -> bool:
    """Tell whether one run of the target is too few: the source is noisy, or the target differs."""
    asked_for = policy.absolute is not None or policy.relative is not None
    noisy = any(each.noise > 0 for each in first.columns)
    return not asked_for and not first.problem and (noisy or not first.holds(policy.rate))


def settle(runs: Runs, first: Parity, policy: Policy) -> Parity:
    """Return what four runs show, in place of ``first``, which is what three did."""
    problem = shape_problem(runs.target, runs.repeated, "the target, asked twice,", kinds=True)
    if problem:
        return Parity(problem=problem)
    floats = [each for each in first.columns if is_float(runs.source.columns[each.name])]
    excusable = close_calls(runs.source, runs.target, floats)
    reasons, columns = [unproved(runs.source, runs.again, floats, policy, _COMMON)], []
    unsteady = np.zeros(first.rows, bool)
    for each in first.columns:
        column = _column(runs, each.name, policy)
        unsteady |= column.within[1] > column.allowed
        wrong, excused = _wrong(column), 0
        if column.values is None:
            kept = wrong[~excusable[wrong]]
            wrong, excused = kept, len(wrong) - len(kept)
        columns.append(_result(each, column, wrong, excused))
        reasons.append(_too_often(each.name, column) or _noisier(each.name, column))
        reasons.append(_further(each.name, column))
    if not unsteady.any() and not any(each.noise > 0 for each in first.columns):
        return first  # nothing is left to chance
    mismatched = len({int(row) for each in columns for row in each.wrong})
    return replace(
        first,
        columns=tuple(columns),
        mismatched=mismatched,
        unsteady=int(unsteady.sum()),
        bound=mismatch_bound(mismatched, first.rows),
        unproved=next((reason for reason in reasons if reason), ""),
    )


def _column(runs: Runs, name: str, policy: Policy) -> _Column:
    kept = [each.columns[name] for each in (runs.source, runs.again, runs.target, runs.repeated)]
    if is_float(kept[0]):
        numbers = [each.astype(np.float64) for each in kept]
        far = {(i, j): differences(numbers[i], numbers[j]) for i in range(4) for j in range(i + 1, 4)}
        narrower = min(kept[0], kept[2], key=lambda each: each.dtype.itemsize)
        tolerance = policy.of(narrower)
        size = np.abs(np.where(np.isfinite(numbers[0]), numbers[0], 0.0))
        allowed = tolerance.absolute + tolerance.relative * size
        values: tuple[Floats, Floats] | None = (numbers[0], numbers[2])
    else:
        texts = [each.astype(str) for each in kept]
        far = {(i, j): (texts[i] != texts[j]).astype(np.float64) for i in range(4) for j in range(i + 1, 4)}
        tolerance = Tolerance(0.0, 0.0, "labels: equal")
        allowed, values = np.zeros(len(texts[0])), None
    sides = (far[0, 1], far[2, 3])
    return _Column(
        apart=_gap(far, sides),
        by_chance=np.maximum(_gap(far, (far[0, 2], far[1, 3])), _gap(far, (far[0, 3], far[1, 2]))),
        within=sides,
        across=(far[0, 2], far[0, 3], far[1, 2], far[1, 3]),
        allowed=allowed,
        tolerance=tolerance,
        values=values,
    )


def _gap(far: dict[tuple[int, int], Floats], pairs: tuple[Floats, Floats]) -> Floats:
    """Return how much further the nearest two of different pairs are apart than those of one pair."""
    others: list[Any] = [each for each in far.values() if not any(each is pair for pair in pairs)]
    with np.errstate(invalid="ignore"):
        gap = np.minimum.reduce(others) - np.maximum(*pairs)
    return np.where(np.isnan(gap), -np.inf, gap)


def _wrong(column: _Column) -> NDArray[np.intp]:
    """Return the rows whose answers are others, and not by chance."""
    # A label is either another one or it is not; there is nothing further than that.
    labels = column.values is None
    least = np.zeros_like(column.allowed) if labels else column.allowed + _FURTHER * column.reach
    rows = np.flatnonzero(column.apart > least)
    rows = rows[np.argsort(-column.apart[rows], kind="stable")]
    noise = np.sort(column.within[0])
    # In so many rows the source differs from itself by as much as the sides do; two such chances may meet.
    likes = len(noise) - np.searchsorted(noise, column.apart[rows], side="left")
    met = int((column.by_chance > column.allowed).sum()) if labels else 0
    chance = {int(alike): _by_chance(int(alike), met) for alike in np.unique(likes)}
    beyond = [place for place, alike in enumerate(likes) if place + 1 > chance[int(alike)]]
    return np.sort(rows[: beyond[-1] + 1]) if beyond else rows[:0]


def _by_chance(alike: int, met: int) -> int:
    """Return how many rows chance may set apart, but for one of 200 trials.

    Where a row differs from itself with the probability p (twice that of one answer to be the odd one), both
    sides agree with themselves and not with each other with p²/2, which is at most p/4.

    :param alike: rows in which the source differs from itself.
    :param met: rows that another way to pair sets apart; there are two others.
    """
    expected = min(alike / 4, (met + 1) / 2)
    rows, left, term = 0, 1.0, math.exp(-expected)
    while (left := left - term) > _RARE:
        rows += 1
        term *= expected / rows
    return rows


def _too_often(name: str, column: _Column) -> str:
    """Return why the target is another model: its answers stand apart in more rows than chance makes."""
    apart, chance = column.apart > column.allowed, column.by_chance > column.allowed
    if column.values is None:
        return ""  # counted, row by row, as labels that differ
    return _share(
        int((apart & ~chance).sum()),
        int((chance & ~apart).sum()),
        1 / 3,
        f"in {name} both answers of the target stand apart from both of the source in {{0:,}} rows of the"
        " {1:,} in which two answers stand apart from two, and chance makes a third",
    )


def _noisier(name: str, column: _Column) -> str:
    """Return why the target is another model: it differs from itself more than the source does."""
    source, target = column.within
    return _share(
        int((target > source + column.allowed).sum()),
        int((source > target + column.allowed).sum()),
        1 / 2,
        f"in {name} the target, asked twice, differs from itself more than the source does in {{0:,}} rows of"
        " the {1:,} in which they are not alike, and chance makes a half",
    )


def _share(found: int, others: int, expected: float, words: str) -> str:
    total = found + others
    if not total or found / total <= expected + _CLEARLY:
        return ""
    if total <= 1000:
        chance = math.fsum(
            math.comb(total, k) * expected**k * (1 - expected) ** (total - k) for k in range(found, total + 1)
        )
    else:
        sigma = math.sqrt(total * expected * (1 - expected))
        chance = math.erfc((found - total * expected) / sigma / math.sqrt(2)) / 2
    # Each column is judged twice; a tenth of what is rare leaves room for some of them.
    return words.format(found, total) if chance < _RARE / 10 else ""


def _further(name: str, column: _Column) -> str:
    """Return why the target is another model: on average the sides are further apart than their own runs."""
    if column.values is None or len(column.allowed) < _FEWEST:
        return ""
    # What one outlier of a heavy tail weighs is bounded, or no mean would tell anything.
    most = float(4 * np.quantile(column.within[0], 0.9))
    if not 0 < most < math.inf:
        return ""
    noise, across = (
        np.mean([np.minimum(each, most) for each in pairs], axis=0)
        for pairs in (column.within, column.across)
    )
    more, usual = across - noise, float(noise.mean())
    mean = float(more.mean())
    if mean > _MORE * usual and mean > _SIGMAS * float(more.std()) / math.sqrt(len(more)):
        return (
            f"in {name} the target differs from the source by {usual + mean:.3g} on average, and each, asked"
            f" twice, from itself by {usual:.3g}"
        )
    return ""


def _result(first: ColumnResult, column: _Column, wrong: NDArray[np.intp], excused: int) -> ColumnResult:
    why = f"{column.tolerance.why}; four runs: rows count where both sides agree with themselves alone"
    if column.values is None:
        tolerance = replace(column.tolerance, why=why)
    else:
        absolute = column.tolerance.absolute + _FURTHER * column.reach
        tolerance = Tolerance(absolute, column.tolerance.relative, why, column.reach)
    return replace(first, wrong=wrong, excused=excused, tolerance=tolerance)
