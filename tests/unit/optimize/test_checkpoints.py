"""Checkpoints and interruptions: the formulas, held to playing it through, and which way each figure goes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.errors import SpecError
from heavylift.optimize.checkpoints import (
    Interruptions,
    chosen_interval,
    daly_interval,
    expected,
    simulate,
    young_interval,
)

RATES = st.floats(1e-4, 2.0)
SMALL = st.floats(0.0, 0.5)
WORK = st.floats(0.5, 100.0)


@pytest.mark.parametrize(
    ("work", "interval", "met"),
    [
        (10.0, 1.0, Interruptions(0.1, 0.0, 0.0, 0.0)),
        (10.0, 0.7, Interruptions(0.3, 0.25, 0.1, 0.05)),
        (3.0, 3.0, Interruptions(0.5, 0.0, 0.2, 0.1)),
        (40.0, 2.5, Interruptions(0.05, 1.0, 0.05, 0.02)),
        (5.0, 0.5, Interruptions(1.5, 0.1, 0.3, 0.05)),
    ],
)
def test_the_closed_form_is_what_comes_of_playing_it_through(
    work: float, interval: float, met: Interruptions
) -> None:
    runs = 40_000
    mean = expected(work, interval, met)
    billed, elapsed = simulate(work, interval, met, runs, np.random.default_rng(5))
    for told, seen in ((mean.billed, billed), (mean.elapsed, elapsed)):
        error = float(seen.std(ddof=1)) / math.sqrt(runs)
        assert abs(float(seen.mean()) - told) < 4 * error
    assert float(billed.min()) >= work
    # The waits are what is not billed.
    assert mean.elapsed - mean.billed == pytest.approx(met.wait * mean.interruptions)


def test_without_interruptions_only_the_checkpoints_are_added() -> None:
    met = Interruptions(0.0, 1.0, 1.0, 0.1)
    assert expected(10.0, 2.0, met).billed == pytest.approx(10 + 4 * 0.1)
    billed, elapsed = simulate(10.0, 2.0, met, 100, np.random.default_rng(1))
    assert set(billed.tolist()) == set(elapsed.tolist())
    assert float(billed[0]) == pytest.approx(10.4)


@given(rate=RATES, checkpoint=st.floats(1e-4, 0.5), work=WORK, restart=SMALL)
@settings(max_examples=60, deadline=None)
def test_daly_is_near_the_best_interval_there_is(
    rate: float, checkpoint: float, work: float, restart: float
) -> None:
    # In the range that the formula is for: a checkpoint takes less than half of the mean time between two.
    if checkpoint * rate > 0.5:
        return
    met = Interruptions(rate, 0.0, restart, checkpoint)
    long = (1000 + work) * daly_interval(rate, checkpoint)
    at_daly = expected(long, daly_interval(rate, checkpoint), met).billed
    tried = [daly_interval(rate, checkpoint) * factor for factor in np.geomspace(0.2, 5, 41)]
    best = min(expected(long, each, met).billed for each in tried)
    assert at_daly <= best * 1.01
    assert at_daly <= expected(long, young_interval(rate, checkpoint), met).billed * 1.01


def test_daly_comes_to_young_where_checkpoints_are_short_and_to_the_mean_where_they_are_long() -> None:
    assert daly_interval(0.01, 1e-6) == pytest.approx(young_interval(0.01, 1e-6), rel=0.01)
    assert daly_interval(1.0, 5.0) == 1.0
    assert daly_interval(0.0, 1.0) == math.inf
    # Daly 2006, figure by hand: M = 24 h, C = 5 min.
    assert daly_interval(1 / 24, 5 / 60) == pytest.approx(1.9449, abs=1e-3)


@given(rate=RATES, more=st.floats(1.0, 3.0), work=WORK, wait=SMALL, restart=SMALL, checkpoint=SMALL)
@settings(max_examples=100, deadline=None)
def test_more_interruptions_never_make_it_cheaper_or_faster(
    rate: float, more: float, work: float, wait: float, restart: float, checkpoint: float
) -> None:
    interval = work / 7
    few = expected(work, interval, Interruptions(rate, wait, restart, checkpoint))
    many = expected(work, interval, Interruptions(rate * more, wait, restart, checkpoint))
    assert many.billed >= few.billed * (1 - 1e-12)
    assert many.elapsed >= few.elapsed * (1 - 1e-12)
    longer = expected(work, interval, Interruptions(rate, wait, restart + 0.1, checkpoint))
    assert longer.billed >= few.billed


@given(rate=RATES, checkpoint=st.floats(1e-6, 5.0), more=st.floats(1.0, 4.0))
def test_longer_checkpoints_never_shorten_the_best_interval(
    rate: float, checkpoint: float, more: float
) -> None:
    assert daly_interval(rate, checkpoint * more) >= daly_interval(rate, checkpoint) * (1 - 1e-9)
    # And the more often it is interrupted, the more often it saves; where checkpoints take as long as two
    # interruptions are apart, the formula has a step, and saving has no use.
    if checkpoint * rate * more < 2:
        assert daly_interval(rate * more, checkpoint) <= daly_interval(rate, checkpoint) * (1 + 1e-9)


def test_the_interval_is_never_longer_than_the_job_and_makes_no_endless_segments() -> None:
    assert chosen_interval(2.0, Interruptions(1e-6, 0, 0, 1.0)) == 2.0
    assert chosen_interval(2.0, Interruptions(0.1)) == pytest.approx(0.02)
    assert chosen_interval(2.0, Interruptions(0.0)) == 2.0


@pytest.mark.parametrize("wrong", [math.nan, -1.0, math.inf])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(SpecError, match="HL-9241"):
        Interruptions(wrong)
    with pytest.raises(SpecError, match="HL-9242"):
        expected(wrong, 1.0, Interruptions(0.1))
    with pytest.raises(SpecError, match="HL-9242"):
        expected(1.0, 1e-9, Interruptions(0.1))


def test_a_job_that_never_ends_is_told_as_such() -> None:
    met = Interruptions(50.0, 0.0, 0.0, 0.0)
    assert expected(24.0, 24.0, met).billed == math.inf
    billed, _ = simulate(24.0, 24.0, met, 10, np.random.default_rng(1))
    assert not np.isfinite(billed).any()
