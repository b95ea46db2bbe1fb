"""Compares two models' answers to the same rows, value by value, within a stated tolerance.

What counts as equal is decided by where both ran (see :data:`TABLE`), and never by less than the source
differs from itself: that is measured first. A label that differs counts, unless the two best scores are
so close that a difference within the tolerance explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.scoring.outputs import Outputs, is_float
from heavylift.scoring.statistics import mismatch_bound

POINTS = 300
"""How many pairs of values are kept for the plot of parity."""


@dataclass(frozen=True)
class Tolerance:
    """Largest difference that counts as none: ``absolute + relative * |source|``.

    :param floor: of the source's own noise, where that made it wider.
    """

    absolute: float
    relative: float
    why: str = ""
    floor: float = 0.0

    def widened(self, floor: float) -> Tolerance:
        """Return the tolerance where the source differs from itself by ``floor``."""
        if floor <= self.absolute:
            return self
        return Tolerance(2 * floor, self.relative, f"{self.why}; twice the source's own noise", floor)


UNITS = 4
"""Units in the last place that the same environment may differ by: where in memory an array lies may turn
the order of a sum."""

TABLE: dict[tuple[str, int], Tolerance] = {
    ("framework", 8): Tolerance(0.0, 1e-6, "same framework, other environment, 64 bits"),
    ("framework", 4): Tolerance(1e-6, 1e-5, "same framework, other environment, 32 bits"),
    ("runtime", 8): Tolerance(1e-7, 1e-6, "another runtime, 64 bits"),
    ("runtime", 4): Tolerance(1e-5, 1e-3, "another runtime, 32 bits"),
    ("framework", 2): Tolerance(1e-2, 1e-2, "16 bits"),
    ("runtime", 2): Tolerance(1e-2, 1e-2, "16 bits"),
}
"""How far both sides are apart, and the bytes of a number → tolerance."""


@dataclass(frozen=True)
class Policy:
    """Which tolerance holds.

    :param distance: ``same``, ``framework`` or ``runtime``: how far the two environments are apart.
    :param absolute: set by a person, as is ``relative``; both win over the table.
    :param rate: of rows that may differ. Where half as many of the source differ from themselves, they say
        nothing of the others.
    """

    distance: str
    absolute: float | None = None
    relative: float | None = None
    rate: float = 0.0

    def of(self, values: NDArray[Any]) -> Tolerance:
        """Return the tolerance for a column."""
        if self.absolute is not None or self.relative is not None:
            return Tolerance(self.absolute or 0.0, self.relative or 0.0, "as asked for")
        if self.distance == "same":
            unit = float(np.finfo(values.dtype).eps)
            return Tolerance(0.0, UNITS * unit, f"same environment: {UNITS} units in the last place")
        return TABLE[(self.distance, min(8, values.dtype.itemsize))]


@dataclass(frozen=True)
class ColumnResult:
    """How one column compares.

    :param wrong: numbers of the rows that differ.
    :param excused: labels that differ where the scores are too close to tell.
    :param noise: the largest difference of the source from itself.
    """

    name: str
    kind: str
    wrong: NDArray[np.intp]
    compared: int
    tolerance: Tolerance
    largest: float = 0.0
    largest_relative: float = 0.0
    noise: float = 0.0
    excused: int = 0


@dataclass(frozen=True)
class Parity:
    """How the answers compare.

    :param problem: why they cannot be compared at all.
    :param unproved: why equal answers would say nothing.
    :param unsteady: rows that the target, where it was asked twice, answered in two ways.
    :param points: pairs of values, source and target, a sample.
    """

    columns: tuple[ColumnResult, ...] = ()
    rows: int = 0
    mismatched: int = 0
    bound: float = 1.0
    problem: str = ""
    points: tuple[tuple[float, float], ...] = ()
    unproved: str = ""
    unsteady: int = 0

    def holds(self, max_mismatch_rate: float) -> bool:
        """Tell whether no more rows differ than may."""
        return not (self.problem or self.unproved) and self.mismatched <= max_mismatch_rate * self.rows


def compare(source: Outputs, again: Outputs, target: Outputs, policy: Policy) -> Parity:
    """Compare ``target`` with ``source``.

    :param again: the source's answers to the same rows in another process: its noise.
    """
    problem = shape_problem(source, again, "the source, asked twice,", kinds=True) or shape_problem(
        source, target, "the two sides", kinds=policy.distance != "runtime"
    )
    if problem:
        return Parity(problem=problem)
    steady = _steady(source, again, policy)
    floats = [
        _numbers(name, values, again.columns[name], target.columns[name], policy, steady)
        for name, values in source.columns.items()
        if is_float(values)
    ]
    excusable = close_calls(source, target, floats)
    labels = [
        _labels(name, values, again.columns[name], target.columns[name], excusable)
        for name, values in source.columns.items()
        if not is_float(values)
    ]
    columns = (*labels, *floats)
    nothing = unproved(source, again, floats, policy)
    wrong = {int(row) for column in columns for row in column.wrong}
    return Parity(
        columns=columns,
        rows=source.rows,
        mismatched=len(wrong),
        bound=mismatch_bound(len(wrong), source.rows),
        points=_points(source, target),
        unproved=nothing or _beyond_noise(source, again, target, floats, policy),
    )


def _steady(source: Outputs, again: Outputs, policy: Policy) -> NDArray[np.bool_]:
    """Tell which rows' noise counts: not that of so few rows that they may differ altogether."""
    noisy = np.zeros(source.rows, bool)
    for name, values in source.columns.items():
        if is_float(values):
            one, other = values.astype(np.float64), again.columns[name].astype(np.float64)
            noisy |= _beyond(differences(one, other), one, policy.of(values))
    few = int(noisy.sum()) <= int(policy.rate * source.rows) // 2
    return ~noisy if few else np.ones(source.rows, bool)


_NOTICED = 1e-6
"""Noise below this part of the largest answer hides no other model."""


def unproved(
    source: Outputs, again: Outputs, floats: list[ColumnResult], policy: Policy, share: float = 0.95
) -> str:
    """Return why answers within the tolerance prove nothing: it is as wide as answers are apart.

    :param share: of the rows whose noise counts; the widest of the others hides no other model.
    """
    if policy.absolute is not None or policy.relative is not None:
        return ""
    finite = {each.name: source.columns[each.name].astype(np.float64) for each in floats}
    finite = {name: values[np.isfinite(values)] for name, values in finite.items()}
    largest = max((float(np.max(np.abs(values), initial=0.0)) for values in finite.values()), default=0.0)
    for each in floats:
        values = finite[each.name]
        beside = (side.columns[each.name].astype(np.float64) for side in (source, again))
        # Noise of a few rows alone hides no other model: that differs from the source in the others.
        common = float(np.quantile(differences(*beside), share)) if each.tolerance.floor else 0.0
        floor = min(each.tolerance.floor, 2 * common)
        if floor <= _NOTICED * largest or not len(values):
            continue
        low, high = np.quantile(values, [0.05, 0.95])
        if 4 * floor >= high - low:
            return (
                f"asked twice, the source differs from itself by up to {floor:.3g} in {each.name}, where its"
                f" answers to different rows differ by {high - low:.3g}: any model would agree; make it"
                " repeatable, or give a tolerance"
            )
    return ""


_SIGMAS = 4.5
"""So many standard errors above the noise must the target's mean difference be: chance makes no more."""
_MORE = 0.25
"""By this part of the usual noise it must be above it: less is no other model."""
_FEWEST = 20
"""Of fewer rows a mean tells nothing."""


def _beyond_noise(
    source: Outputs, again: Outputs, target: Outputs, floats: list[ColumnResult], policy: Policy
) -> str:
    """Return why the target is another model although no row of it is beyond the noise.

    The largest noise of any row is allowed in each. An equal target differs from the source no more, on
    the whole, than the source does from itself.
    """
    if policy.absolute is not None or policy.relative is not None or source.rows < _FEWEST:
        return ""
    for each in floats:
        if not each.tolerance.floor:
            continue
        one, two, other = (side.columns[each.name].astype(np.float64) for side in (source, again, target))
        most = each.tolerance.absolute
        noise, apart = (np.minimum(differences(one, beside), most) for beside in (two, other))
        more = apart - noise
        mean, usual = float(more.mean()), float(noise.mean())
        if mean > _MORE * usual and mean > _SIGMAS * float(more.std()) / np.sqrt(len(more)):
            return (
                f"in {each.name} the target differs from the source by {usual + mean:.3g} on average, and the"
                f" source, asked twice, from itself by {usual:.3g}"
            )
    return ""


def shape_problem(one: Outputs, other: Outputs, what: str, *, kinds: bool) -> str:
    """Return why two answers cannot be compared; empty where they can.

    :param kinds: numbers must be of the same width: another one is another model.
    """
    if not one.columns or not one.rows:
        return "there are no answers to compare"
    if list(one.columns) != list(other.columns):
        return f"{what} answer in different columns: {_named(one)} and {_named(other)}"
    for side in (one, other):
        lengths = sorted({len(values) for values in side.columns.values()})
        if len(lengths) > 1:
            return f"one of {what} answers in columns of {lengths[0]} and {lengths[-1]} rows"
    if one.rows != other.rows:
        return f"{what} answer {one.rows} and {other.rows} rows"
    for name, values in one.columns.items():
        beside = other.columns[name]
        differs = kinds and values.dtype != beside.dtype and is_float(values)
        if differs or is_float(values) != is_float(beside):
            return f"{what} answer column {name} as {values.dtype} and {beside.dtype}"
    return ""


def _named(outputs: Outputs) -> str:
    names = list(outputs.columns)
    return ", ".join(names[:6]) + ("…" if len(names) > 6 else "") or "none"


def _numbers(
    name: str,
    source: NDArray[Any],
    again: NDArray[Any],
    target: NDArray[Any],
    policy: Policy,
    steady: NDArray[np.bool_],
) -> ColumnResult:
    one, other = (each.astype(np.float64) for each in (source, target))
    noises = differences(one, again.astype(np.float64))
    noise, floor = (float(np.max(each, initial=0.0)) for each in (noises, noises[steady]))
    narrower = min(source, target, key=lambda each: each.dtype.itemsize)
    tolerance = policy.of(narrower).widened(floor if np.isfinite(floor) else 0.0)
    apart = differences(one, other)
    wrong = np.flatnonzero(_beyond(apart, one, tolerance))
    with np.errstate(invalid="ignore", divide="ignore"):
        finite = np.where(np.isfinite(apart), apart, 0.0)
        relative = np.where(one != 0, finite / np.abs(one), 0.0)
    return ColumnResult(
        name=name,
        kind=str(source.dtype),
        wrong=wrong,
        compared=len(one),
        tolerance=tolerance,
        largest=float(np.max(apart, initial=0.0)),
        largest_relative=float(np.nanmax(relative, initial=0.0)),
        noise=noise,
    )


def _beyond(
    differences: NDArray[np.float64], values: NDArray[np.float64], tolerance: Tolerance
) -> NDArray[np.bool_]:
    allowed = tolerance.absolute + tolerance.relative * np.abs(np.where(np.isfinite(values), values, 0.0))
    found: NDArray[np.bool_] = ~(differences <= allowed)
    return found


def differences(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far values are apart: nothing for two NaN or equal infinities, infinity for one of them."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other)
    apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, apart)
    return np.where(np.isnan(apart), np.inf, apart)


def _labels(
    name: str, source: NDArray[Any], again: NDArray[Any], target: NDArray[Any], excusable: NDArray[np.bool_]
) -> ColumnResult:
    differs = source.astype(str) != target.astype(str)
    excused = differs & excusable if len(excusable) == len(differs) else np.zeros(len(differs), bool)
    return ColumnResult(
        name=name,
        kind=str(source.dtype),
        wrong=np.flatnonzero(differs & ~excused),
        compared=len(source),
        tolerance=Tolerance(0.0, 0.0, "labels: equal, unless the scores are too close to tell"),
        noise=float(np.mean(source.astype(str) != again.astype(str))) if len(source) else 0.0,
        excused=int(excused.sum()),
    )


def close_calls(source: Outputs, target: Outputs, floats: list[ColumnResult]) -> NDArray[np.bool_]:
    """Tell for which rows both sides' two best scores are within the tolerance of each other."""
    scores = source.scores
    if len(scores) < 2 or len(scores) != len(target.scores):
        return np.zeros(source.rows, bool)
    by_name = {column.name: column.tolerance for column in floats}
    named = [name for name, values in source.columns.items() if any(values is each for each in scores)]
    widest = max(by_name[name].absolute + by_name[name].relative for name in named)
    close = np.ones(source.rows, bool)
    for side in (scores, target.scores):
        ranked = np.sort(np.column_stack(side).astype(np.float64), axis=1)
        close &= ranked[:, -1] - ranked[:, -2] <= 2 * widest
    return close


def _points(source: Outputs, target: Outputs) -> tuple[tuple[float, float], ...]:
    named = source.positive if source.positive is not None else source.answer
    names = [name for name, values in source.columns.items() if values is named]
    if not names or named is None or not np.issubdtype(named.dtype, np.number):
        return ()
    step = max(1, len(named) // POINTS)
    one, other = (side.columns[names[0]][::step].astype(np.float64) for side in (source, target))
    both = np.isfinite(one) & np.isfinite(other)
    return tuple((float(x), float(y)) for x, y in zip(one[both][:POINTS], other[both][:POINTS], strict=True))
