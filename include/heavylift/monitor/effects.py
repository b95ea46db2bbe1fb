"""How far two distributions are apart, with bounds: the size of an effect, and not the surprise of a test.

The judged effect is the square root of the Vincze-Le Cam distance,
sqrt(sum((p-q)^2 / (p+q)) / 2), from 0 to 1.
For samples of equal size it is Cramér's V of the table of both. Its bounds come from the noncentral
chi-squared distribution of the table's statistic: at any number of rows, equal distributions have a lower
bound of 0 except for the chance that was allowed, and few rows have an upper bound that is far away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from heavylift.monitor.sketches import Keys

MOST_CELLS = 10
LEAST_EXPECTED = 5.0
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Effect:
    """One effect with its bounds, and what others call it.

    :param value: what is left of the measured one when what chance alone would give is taken off.
    :param psi: population stability index; ``js`` the Jensen-Shannon distance with logarithms to base 2.
    """

    value: float
    low: float
    high: float
    psi: float
    js: float
    cells: int


def effect_of(reference: Keys, current: Keys, alpha: float, alpha_high: float | None = None) -> Effect | None:
    """Return the effect between two rows of counts over the same cells; None where a side has none.

    :param alpha: chance that the lower bound is wrong.
    :param alpha_high: that the upper one is; the same by default.
    """
    kept = (reference + current) > 0
    first, second = reference[kept].astype(np.float64), current[kept].astype(np.float64)
    n, m = float(first.sum()), float(second.sum())
    if not n or not m:
        return None
    p, q = first / n, second / m
    scale = 4 * n * m / (n + m)
    distance = float(np.sum((p - q) ** 2 / (p + q))) / 2
    degrees = first.size - 1
    if not degrees:
        return Effect(0.0, 0.0, 0.0, 0.0, 0.0, 1)
    statistic = distance * scale
    low = noncentrality(statistic, degrees, 1 - alpha) / scale
    high = noncentrality(max(statistic, degrees), degrees, alpha_high or alpha) / scale
    value = max(0.0, statistic - degrees) / scale
    return Effect(
        value=math.sqrt(min(1.0, value)),
        low=math.sqrt(min(1.0, low)),
        high=math.sqrt(min(1.0, high)),
        psi=_psi(first, second),
        js=_js(p, q),
        cells=int(first.size),
    )


def noncentrality(statistic: float, degrees: int, share: float) -> float:
    """Return the noncentrality at which the distribution reaches ``share`` at this statistic; at least 0."""
    if chi_squared(statistic, degrees, 0.0) <= share:
        return 0.0
    low, high = 0.0, max(1.0, statistic)
    while chi_squared(statistic, degrees, high) > share:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if chi_squared(statistic, degrees, middle) > share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def chi_squared(x: float, degrees: int, noncentral: float) -> float:
    """Return the noncentral chi-squared distribution function, by Sankaran's approximation of 1963."""
    if x <= 0:
        return 0.0
    k, n = float(degrees), noncentral
    h = 1 - 2 * (k + n) * (k + 3 * n) / (3 * (k + 2 * n) ** 2)
    p = (k + 2 * n) / (k + n) ** 2
    m = (h - 1) * (1 - 3 * h)
    mean = 1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p)
    spread = h * math.sqrt(2 * p) * (1 + 0.5 * m * p)
    return _NORMAL.cdf(((x / (k + n)) ** h - mean) / spread)


def _psi(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    p = (first + 0.5) / (first.sum() + 0.5 * first.size)
    q = (second + 0.5) / (second.sum() + 0.5 * second.size)
    return float(np.sum((p - q) * np.log(p / q)))


def _js(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    middle = (p + q) / 2
    total = 0.0
    for each in (p, q):
        some = each > 0
        total += float(np.sum(each[some] * np.log2(each[some] / middle[some]))) / 2
    return math.sqrt(max(0.0, total))


def ordered_cells(reference: Keys, current: Keys) -> tuple[Keys, Keys]:
    """Join buckets in their order to cells of about equal weight; a heavy bucket stays one cell."""
    n, m = int(reference.sum()), int(current.sum())
    if not n or not m:
        return reference, current
    cells = min(MOST_CELLS, max(2, int(min(n, m) / (2 * LEAST_EXPECTED))))
    weight = reference / n + current / m
    seen = np.cumsum(weight)
    # A bucket belongs to the cell in which its middle lies.
    cell = np.minimum((seen - weight / 2) / seen[-1] * cells, cells - 1).astype(np.int64)
    starts = np.flatnonzero(np.concatenate(([True], cell[1:] != cell[:-1])))
    return np.add.reduceat(reference, starts), np.add.reduceat(current, starts)


def unordered_cells(reference: Keys, current: Keys) -> tuple[Keys, Keys]:
    """Join the rare categories, of which the smaller side cannot be expected to show enough, to one cell."""
    n, m = int(reference.sum()), int(current.sum())
    if not n or not m:
        return reference, current
    expected = (reference / n + current / m) / 2 * min(n, m)
    rare = expected < LEAST_EXPECTED
    if not rare.any():
        return reference, current
    if expected[rare].sum() < LEAST_EXPECTED and not rare.all():
        rare[np.argmin(np.where(rare, np.inf, expected))] = True
    return (
        np.append(reference[~rare], reference[rare].sum()),
        np.append(current[~rare], current[rare].sum()),
    )


def wasserstein(values: NDArray[np.float64], reference: Keys, current: Keys) -> float | None:
    """Return the Wasserstein distance in standard deviations of the reference; None where it has none."""
    n, m = int(reference.sum()), int(current.sum())
    if not n or not m:
        return None
    largest = float(np.abs(values).max())
    if not largest:
        return 0.0
    scaled = values / largest  # squares of the largest floats are no floats
    p, q = reference / n, current / m
    mean = float(np.sum(p * scaled))
    spread = math.sqrt(max(0.0, float(np.sum(p * (scaled - mean) ** 2))))
    distance = float(np.sum(np.abs(np.cumsum(p - q))[:-1] * np.diff(scaled)))
    if not spread:
        return 0.0 if not distance else None
    return distance / spread


def share_bounds(hits: int, total: int, alpha: float) -> tuple[float, float]:
    """Return Wilson's bounds of a share, each wrong with the chance ``alpha``; 0 and 1 of no rows."""
    if not total:
        return 0.0, 1.0
    z = _NORMAL.inv_cdf(1 - alpha)
    share, damp = hits / total, z * z / total
    middle = (share + damp / 2) / (1 + damp)
    half = z * math.sqrt(share * (1 - share) / total + damp / (4 * total)) / (1 + damp)
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_bounds(
    before: tuple[float, float, float], now: tuple[float, float, float]
) -> tuple[float, float]:
    """Return bounds of ``now - before`` of two independent figures (value, low, high), Newcombe's way."""
    gap = now[0] - before[0]
    low = gap - math.hypot(now[0] - now[1], before[2] - before[0])
    high = gap + math.hypot(now[2] - now[0], before[0] - before[1])
    return low, high
