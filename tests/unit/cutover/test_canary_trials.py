"""Seeded trials of whole canaries: bad targets are stopped at the first step, good ones are not aborted."""

from __future__ import annotations

import pytest

from heavylift.cutover.canary.analysis import Verdict
from tests.support.canary_trials import BAD, judged_step, whole_canary
from tests.support.longer import first_then_long

FEW, MANY = range(10), range(1000, 1200)


@pytest.mark.parametrize("seeds", first_then_long([FEW, MANY]))
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_target_is_aborted_at_the_first_step(kind, seeds):
    verdicts = [judged_step(seed, kind).verdict for seed in seeds]
    assert verdicts.count(Verdict.PROMOTE) == 0
    assert verdicts.count(Verdict.ABORT) >= 0.95 * len(seeds)


@pytest.mark.parametrize("seeds", first_then_long([range(5), MANY]))
def test_a_good_target_is_promoted_step_after_step(seeds):
    last = [whole_canary(seed, "good")[-1].verdict for seed in seeds]
    assert last.count(Verdict.ABORT) <= 0.02 * len(seeds)
    assert last.count(Verdict.PROMOTE) >= 0.9 * len(seeds)


@pytest.mark.parametrize("kind", BAD)
def test_live_traffic_alone_stops_a_bad_target(kind):
    verdicts = [judged_step(seed, kind, live=True, rate=100.0).verdict for seed in range(6)]
    assert verdicts.count(Verdict.ABORT) == len(verdicts)


@pytest.mark.parametrize("seeds", first_then_long([range(3), MANY]))
def test_live_traffic_alone_aborts_no_good_target(seeds):
    verdicts = [judged_step(seed, "good", live=True, rate=100.0).verdict for seed in seeds]
    assert verdicts.count(Verdict.ABORT) <= 0.02 * len(seeds)
    assert verdicts.count(Verdict.PROMOTE) >= 0.8 * len(seeds)
