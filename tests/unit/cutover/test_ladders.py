"""The wealths are what they are said to be: no claim that is true loses more often than stated."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from heavylift.cutover.canary.ladders import (
    MOST_OF_A_BLOCK,
    Ladder,
    crowd_above,
    crowd_below,
    paired_above,
    paired_below,
    single_above,
    single_below,
)


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


def mean_of(factors: list[tuple[float, np.ndarray]]) -> np.ndarray:
    return sum(chance * np.exp(gains) for chance, gains in factors)  # type: ignore[return-value]


@pytest.mark.parametrize("limit", [0.0, 0.001, 0.1])
@pytest.mark.parametrize("source", [0.0, 0.002, 0.3])
def test_a_bet_on_pairs_is_fair_at_its_limit_and_loses_within(limit, source):
    for excess, at_most in ((limit, 1 + 1e-12), (limit / 2 - 0.0001, 1.0)):
        target = source + excess
        chances = {(1, 0): target * (1 - source), (0, 1): source * (1 - target)}
        chances[0, 0] = 1 - sum(chances.values())
        found = mean_of(
            [
                (chance, paired_above(one(plus), one(minus), one(1 - plus - minus), one(limit)))
                for (plus, minus), chance in chances.items()
            ]
        )
        assert (found <= at_most).all()
    better = mean_of(
        [
            (0.4, paired_above(one(1), one(0), one(0), one(limit))),
            (0.6, paired_above(one(0), one(0), one(1), one(limit))),
        ]
    )
    assert (better > 1).all()


def test_a_bet_the_other_way_is_fair_at_its_limit():
    limit, source = 0.02, 0.01
    target = source + limit
    chances = {(1, 0): target * (1 - source), (0, 1): source * (1 - target)}
    chances[0, 0] = 1 - sum(chances.values())
    found = mean_of(
        [
            (chance, paired_below(one(plus), one(minus), one(1 - plus - minus), one(limit)))
            for (plus, minus), chance in chances.items()
        ]
    )
    assert found == pytest.approx(np.ones_like(found))


@pytest.mark.parametrize("limit", [0.001, 0.05, 0.5])
def test_single_bets_are_fair_at_their_limit(limit):
    for act in (single_above, single_below):
        found = mean_of(
            [(limit, act(one(1), one(0), one(limit))), (1 - limit, act(one(0), one(1), one(limit)))]
        )
        assert found == pytest.approx(np.ones_like(found))


@pytest.mark.parametrize(("requests", "asked"), [(1, 1), (1, 7), (6, 2), (3, 3)])
@pytest.mark.parametrize("source", [0.0, 0.03, 0.4, 0.9])
@pytest.mark.parametrize("limit", [0.0, 0.01, 0.1])
def test_bets_on_crowds_are_never_more_than_fair_whatever_the_rates(requests, asked, source, limit):
    for act, target in ((crowd_above, source + limit), (crowd_below, source + limit)):
        factors = []
        for hits, failed in itertools.product(range(requests + 1), range(asked + 1)):
            chance = math.comb(requests, hits) * target**hits * (1 - target) ** (requests - hits)
            chance *= math.comb(asked, failed) * source**failed * (1 - source) ** (asked - failed)
            pair = (one(hits), one(requests - hits)), (one(failed), one(asked - failed))
            factors.append((chance, act(*pair, 0.05, one(limit))))
        assert (mean_of(factors) <= 1 + 1e-9).all()


def test_one_block_doubles_the_wealth_at_most():
    ladder = Ladder(1)
    ladder.block(paired_above(one(1000), one(0), one(0), one(0.001)))
    assert 0 < ladder.log_wealth[0] <= MOST_OF_A_BLOCK
    for _ in range(9):
        ladder.block(paired_above(one(1000), one(0), one(0), one(0.001)))
    assert 9 * MOST_OF_A_BLOCK < ladder.log_wealth[0] <= 10 * MOST_OF_A_BLOCK


def test_what_turns_bad_late_is_found_by_bets_that_began_late():
    early, both = Ladder(1, 1), Ladder(1)
    calm = paired_above(one(0), one(2), one(98), one(0.001))
    bad = paired_above(one(2), one(0), one(98), one(0.001))
    for gains in [calm] * 600 + [bad] * 40:
        early.block(gains)
        both.block(gains)
    assert both.peak[0] > 10 > 1 > early.peak[0]


def test_a_wealth_that_was_written_down_goes_on_as_it_was():
    generator = np.random.default_rng(1)
    blocks = [
        paired_above(one(generator.poisson(0.5)), one(generator.poisson(0.4)), one(20), np.array([0.0, 0.01]))
        for _ in range(200)
    ]
    whole, first, second = Ladder(2), Ladder(2), Ladder(2)
    for gains in blocks:
        whole.block(gains)
    for gains in blocks[:130]:
        first.block(gains)
    second.restore(first.state())
    for gains in blocks[130:]:
        second.block(gains)
    assert second.log_wealth == pytest.approx(whole.log_wealth, abs=1e-3)
    assert second.peak == pytest.approx(whole.peak, abs=1e-3)
    # Rounded in the direction that makes no evidence.
    assert (second.log_wealth <= whole.log_wealth + 1e-9).all()


def test_a_true_claim_is_refuted_no_more_often_than_stated():
    """At the limit itself, where it is hardest, with as many looks as there are blocks."""
    generator, refuted, trials = np.random.default_rng(7), 0, 400
    for _ in range(trials):
        ladder = Ladder(1)
        for errors, failed in generator.binomial(20, [0.05, 0.04], size=(200, 2)):
            plus, minus = errors, failed
            both = min(plus, minus)
            ladder.block(
                paired_above(one(plus - both), one(minus - both), one(20 - abs(plus - minus)), one(0.01))
            )
            if ladder.peak[0] >= math.log(20):
                refuted += 1
                break
    assert refuted <= 0.05 * trials
