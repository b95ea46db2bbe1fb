"""The statistics hold what they promise: bounds are exact, power and false alarms are as stated.

The simulations are small by default; HEAVYLIFT_TRIALS=N makes them larger.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from heavylift.models.latency import BLOCK, LatencyPlan, judge, rounded_to
from heavylift.scoring.statistics import mismatch_bound, paired_bootstrap, ratios_of_quantiles
from tests.support.latency_shapes import REQUESTS, SHAPES, judged, shape_passes
from tests.support.model_trials import fast_enough

TRIALS = int(os.environ.get("HEAVYLIFT_TRIALS", "20"))


@pytest.mark.parametrize(
    ("mismatches", "compared", "bound"),
    # By R: binom.test(k, n, alternative = "less")$conf.int[2]
    [
        (0, 1000, 0.0029912),
        (0, 10, 0.2588656),
        (1, 100, 0.0465606),
        (5, 100, 0.1022531),
        (10, 10, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_bound_on_the_rate_of_mismatches_is_exact(mismatches: int, compared: int, bound: float) -> None:
    assert mismatch_bound(mismatches, compared) == pytest.approx(bound, rel=1e-3)


def test_none_of_n_is_three_of_n() -> None:
    assert mismatch_bound(0, 5000) == pytest.approx(3 / 5000, rel=0.01)


def test_the_interval_of_a_paired_difference_holds_it_as_often_as_it_says() -> None:
    held, widths = 0, []
    for seed in range(100):
        generator = np.random.default_rng(seed)
        one = generator.normal(size=300)
        other = one + 0.1 + 0.05 * generator.normal(size=300)
        found = paired_bootstrap(
            300, lambda rows, d=other - one: float(np.mean(d[rows])), generator, resamples=200
        )
        held += found.low < 0.1 < found.high
        widths.append(found.high - found.low)
    assert 88 <= held <= 100
    assert max(widths) < 0.02, "pairing takes away what both have in common"


def test_equal_systems_pass_and_a_tenth_more_at_p95_does_not() -> None:
    equal = sum(fast_enough(1.0, seed) for seed in range(TRIALS))
    slower = sum(fast_enough(1.1, 10_000 + seed) for seed in range(TRIALS))
    print(f"of {TRIALS} each: equal {equal} passed, a tenth slower {slower}")
    # At the limit itself one in twenty may pass; so few trials are allowed two more by chance.
    assert equal >= 0.95 * TRIALS
    assert slower <= 0.05 * TRIALS + 2


def test_a_target_that_is_faster_passes_and_one_that_is_much_slower_never_does() -> None:
    assert all(fast_enough(0.8, seed) for seed in range(5))
    assert not any(fast_enough(1.25, seed) for seed in range(5))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tenth_more_at_p95_is_found_in_durations_of_any_shape(shape: str) -> None:
    passed = [seed for seed in range(3) if shape_passes(shape, 1.1, seed)]
    assert len(passed) <= 1, passed


@pytest.mark.parametrize("shape", ["rounded to 1 ms", "autocorrelated, 0.95", "two modes", "drifting"])
def test_equal_durations_of_other_shapes_pass(shape: str) -> None:
    refused = [seed for seed in range(3) if not shape_passes(shape, 1.0, seed)]
    assert len(refused) <= 1, refused


def test_more_is_asked_only_where_the_first_requests_are_too_few_to_tell() -> None:
    assert judged("two modes", 1.0, 0).requests == REQUESTS
    assert judged("two modes", 1.5, 0).requests == REQUESTS
    assert judged("two modes", 1.1, 0).requests == 4 * REQUESTS


def test_a_clock_that_is_too_coarse_to_tell_proves_nothing() -> None:
    generator = np.random.default_rng(0)
    sides = [list(np.round(generator.lognormal(-0.9, 0.5, (200, BLOCK)) * factor)) for factor in (1.0, 1.1)]
    assert rounded_to(*sides) == 1.0
    assert not judge(sides[0], sides[1], LatencyPlan(), generator).passed
    assert rounded_to(list(generator.random((200, BLOCK))), []) == 0.0


def test_a_ratio_is_that_of_the_quantiles() -> None:
    generator = np.random.default_rng(1)
    source = [np.full(5, 2.0) for _ in range(20)]
    found = ratios_of_quantiles(source, [each * 1.5 for each in source], (0.95,), generator)[0.95]
    assert (found.low, found.estimate, found.high) == pytest.approx((1.5, 1.5, 1.5))
