"""Evidence that may be looked at after every request, and means the same each time.

For each limit that a metric may be held against (a rung) there is a wealth: what a bet against "the metric
is within this limit" has become, beginning with 1. While the claim is true the wealth is a supermartingale,
whatever is looked at and whenever one stops: the probability that it *ever* reaches 1/a is at most a
(Ville's inequality). Bets of several sizes are made side by side and averaged (Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", 2024), and new ones begin as time goes on, so
that what turns bad late is found soon. Every average of such wealths is one again.

Time is cut into blocks. What one block says counts at most double: an outage of a second is one mishap,
however many requests it struck. The smaller of a factor and 2 keeps the bound, and also holds it where
mishaps come in bursts that strike either side as often.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FRACTIONS = np.array([0.02, 0.05, 0.12, 0.3, 0.6, 0.9])
"""The bets, as shares of the largest one that can never lose everything."""

MOST_OF_A_BLOCK = math.log(2)
RESTART_BLOCKS = 60
MOST_STARTS = 12
_FIRST = 0.8
_LATER = (1 - _FIRST) * 6 / math.pi**2


class Ladder:
    """The wealths of one metric, one for each rung.

    :param rungs: how many limits there are.
    :param starts: bets that begin later, at most; 1 where only the first ones are wanted.
    """

    def __init__(self, rungs: int, starts: int = MOST_STARTS) -> None:
        self._starts = starts
        self._logs = np.zeros((rungs, 1, len(FRACTIONS)))
        self._blocks = 0
        self._weights = [_FIRST if starts > 1 else 1.0]
        self.log_wealth: Floats = np.zeros(rungs)
        self.peak: Floats = np.zeros(rungs)

    def block(self, gains: Floats) -> None:
        """Take in one block.

        :param gains: logarithm of the factor of each rung (rows) and bet (columns).
        """
        if self._blocks and self._blocks % RESTART_BLOCKS == 0 and len(self._weights) < self._starts:
            self._weights.append(_LATER / len(self._weights) ** 2)
            fresh = np.zeros((len(self._logs), 1, len(FRACTIONS)))
            self._logs = np.concatenate([self._logs, fresh], axis=1)
        self._blocks += 1
        self._logs += np.minimum(gains, MOST_OF_A_BLOCK)[:, None, :]
        self.log_wealth = self._wealth()
        self.peak = np.maximum(self.peak, self.log_wealth)

    def _wealth(self) -> Floats:
        weights = np.log(np.array(self._weights) / len(FRACTIONS))
        rungs, starts, bets = self._logs.shape
        parts = (self._logs + weights[None, :, None]).reshape(rungs, starts * bets)
        kept = 1 - sum(self._weights)
        top = np.maximum(parts.max(axis=1), 0.0)
        total = np.exp(parts - top[:, None]).sum(axis=1) + max(kept, 0.0) * np.exp(-top)
        made: Floats = top + np.log(total)
        return made

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on after a restart, as plain JSON."""
        # Rounded down: what is lost by it makes no evidence.
        logs = np.floor(self._logs * 1e6) / 1e6
        return {
            "logs": logs.tolist(),
            "starts": len(self._weights),
            "blocks": self._blocks,
            "peak": self.peak.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        shape = (len(self._logs), int(state["starts"]), len(FRACTIONS))
        self._logs = np.array(state["logs"], dtype=np.float64).reshape(shape)
        self._blocks = int(state["blocks"])
        later = range(1, shape[1])
        self._weights = [self._weights[0], *(_LATER / number**2 for number in later)]
        self.peak = np.array(state["peak"], dtype=np.float64)
        self.log_wealth = self._wealth()


def paired_above(plus: Floats, minus: Floats, same: Floats, limits: Floats) -> Floats:
    """Return the gains of bets against "the mean of the pairs' differences is at most the limit".

    The differences are 1 (the target alone), -1 (the source alone) and 0, so often in this block; each may
    be one number, or one for each limit.
    """
    plus, minus, same = (_column(each) for each in (plus, minus, same))
    limits = limits[:, None]
    bets = FRACTIONS[None, :] / (1 + limits)
    won, lost, even = 1 + bets * (1 - limits), 1 - bets * (1 + limits), 1 - bets * limits
    return plus * np.log(won) + minus * np.log(lost) + same * np.log(even)


def paired_below(plus: Floats, minus: Floats, same: Floats, limits: Floats) -> Floats:
    """Return the gains of bets against "the mean of the pairs' differences is at least the limit"."""
    return paired_above(minus, plus, same, -limits)


def single_above(hits: Floats, misses: Floats, limits: Floats) -> Floats:
    """Return the gains of bets against "a hit is at most as probable as the limit"; limits above 0."""
    limits = limits[:, None]
    bets = FRACTIONS[None, :] / limits
    return _column(hits) * np.log(1 + bets * (1 - limits)) + _column(misses) * np.log(1 - bets * limits)


def single_below(hits: Floats, misses: Floats, limits: Floats) -> Floats:
    """Return the gains of bets against "a hit is at least as probable as the limit"; limits below 1."""
    return single_above(misses, hits, 1 - limits)


def crowd_above(
    target: tuple[Floats, Floats], source: tuple[Floats, Floats], centre: float, limits: Floats
) -> Floats:
    """Return the gains of bets against "the target's rate is at most the source's plus the limit".

    Both rates may be anything, and others in each block: with n requests of the target and m of the source,
    the factors 1 + b(y - c - limit) of the target's and 1 - b(n/m)(y - c) of the source's have a product
    whose mean is at most exp(bn(p - q - limit)), whatever the centre c. It is the e-value of Turner, Ly and
    Grünwald ("Generic E-variables for exact sequential k-sample tests", 2024) for this claim.

    :param target: hits and misses; ``source`` too.
    :param centre: about the source's rate, as earlier blocks tell it.
    """
    hits, misses = (_column(each) for each in target)
    source_hits, source_misses = (_column(each) for each in source)
    limits = limits[:, None]
    # Kept from the ends, where a factor would be 0.
    centre_of_source = np.clip(centre, np.maximum(1e-4, 1e-4 - limits), np.minimum(0.999, 0.999 - limits))
    centre_of_target = centre_of_source + limits
    ratio = np.maximum(hits + misses, 1) / np.maximum(source_hits + source_misses, 1)
    bets = FRACTIONS[None, :] * np.minimum(1 / centre_of_target, 1 / (ratio * (1 - centre_of_source)))
    made: Floats = (
        hits * np.log1p(bets * (1 - centre_of_target))
        + misses * np.log1p(-bets * centre_of_target)
        + source_hits * np.log1p(-bets * ratio * (1 - centre_of_source))
        + source_misses * np.log1p(bets * ratio * centre_of_source)
    )
    return made


def crowd_below(
    target: tuple[Floats, Floats], source: tuple[Floats, Floats], centre: float, limits: Floats
) -> Floats:
    """Return the gains of bets against "the target's rate is at least the source's plus the limit"."""
    return crowd_above(source, target, centre, -limits)


def _column(values: Floats) -> Floats:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))[:, None]
