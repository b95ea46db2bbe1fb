"""The bounds of an effect hold as often as they say, and the figures are those of others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heavylift.monitor.effects import (
    chi_squared,
    difference_bounds,
    effect_of,
    ordered_cells,
    share_bounds,
    unordered_cells,
    wasserstein,
)
from heavylift.monitor.sketches import Sketch, keys_of_numbers, together
from tests.support.longer import first_then_long


@pytest.mark.parametrize("degrees", [1, 4, 19, 1000])
@pytest.mark.parametrize("noncentral", [0.0, 5.0, 50.0, 5000.0])
def test_the_distribution_function_is_that_of_scipy(degrees: int, noncentral: float) -> None:
    from scipy import stats

    middle = degrees + noncentral
    spread = math.sqrt(2 * (degrees + 2 * noncentral))
    for x in (middle, middle + spread, middle + 3 * spread):
        theirs = stats.ncx2.cdf(x, degrees, noncentral) if noncentral else stats.chi2.cdf(x, degrees)
        assert chi_squared(x, degrees, noncentral) == pytest.approx(theirs, abs=0.006)


@pytest.mark.parametrize(("n", "m"), [(20, 20), (100, 100), (100, 5000), (2000, 2000)])
def test_equal_distributions_have_a_lower_bound_of_0_as_often_as_is_said(n: int, m: int) -> None:
    generator = np.random.default_rng(n + m)
    above = 0
    for _ in range(400):
        one, other = Sketch(), Sketch()
        one.add(keys_of_numbers(generator.normal(size=n)))
        other.add(keys_of_numbers(generator.normal(size=m)))
        _, before, now, _ = together(one, other)
        found = effect_of(*ordered_cells(before, now), 0.05)
        assert found is not None
        above += found.low > 0
    # 20 are expected of 400; 36 are more than 3.5 standard deviations above.
    assert above <= 36


@pytest.mark.parametrize("share", first_then_long([0.35, 0.5, 0.9]))
def test_the_true_effect_lies_between_the_bounds(share: float) -> None:
    p, q = np.array([0.3, 0.7]), np.array([share, 1 - share])
    true = math.sqrt(np.sum((p - q) ** 2 / (p + q)) / 2)
    generator = np.random.default_rng(5)
    inside = 0
    for _ in range(500):
        found = effect_of(generator.multinomial(800, p), generator.multinomial(1500, q), 0.025)
        assert found is not None
        inside += found.low <= true <= found.high
    assert inside >= 0.93 * 500


def test_figures_are_those_of_scipy() -> None:
    from scipy import stats
    from scipy.spatial import distance

    before, now = np.array([50, 30, 20]), np.array([20, 30, 50])
    found = effect_of(before, now, 0.025)
    assert found is not None
    assert found.js == pytest.approx(distance.jensenshannon(before, now, base=2))
    values = np.array([1.0, 2.0, 5.0])
    expected = stats.wasserstein_distance(values, values, before, now) / math.sqrt(
        np.average((values - np.average(values, weights=before)) ** 2, weights=before)
    )
    assert wasserstein(values, before, now) == pytest.approx(expected)
    table = stats.contingency.association(np.array([before, now]), method="cramer")
    measured = math.sqrt(np.sum((before - now) ** 2 / (before + now)) / 200)
    assert measured == pytest.approx(table)


def test_heavy_values_stay_cells_of_their_own() -> None:
    before = np.array([900, 10, 10, 80])
    cells = ordered_cells(before, before)
    assert cells[0].sum() == 1000
    assert 900 in cells[0]


def test_rare_categories_are_judged_together() -> None:
    before, now = np.array([1000, 1, 1, 1, 1, 1, 1]), np.array([1000, 0, 2, 1, 2, 0, 1])
    cells = unordered_cells(before, now)
    assert cells[0].tolist() == [1000, 6]
    assert cells[1].tolist() == [1000, 6]


def test_bounds_of_shares_and_of_their_difference() -> None:
    assert share_bounds(0, 0, 0.025) == (0.0, 1.0)
    low, high = share_bounds(50, 100, 0.025)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    gap = difference_bounds((0.5, low, high), (0.5, low, high))
    assert gap[0] == pytest.approx(-gap[1])


def test_nothing_has_no_effect() -> None:
    none, some = np.array([0, 0]), np.array([1, 2])
    assert effect_of(none, some, 0.05) is None
    assert wasserstein(np.array([1.0, 2.0]), none, some) is None
    assert wasserstein(np.array([3.0]), np.array([5]), np.array([5])) == 0.0
    assert wasserstein(np.array([1e308, -1e308]), np.array([1, 1]), np.array([1, 1])) == 0.0
