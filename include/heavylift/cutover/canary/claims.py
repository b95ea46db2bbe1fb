"""One claim about the target, with the evidence against it being good and against it being bad."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from heavylift.cutover.canary.ladders import Floats, Ladder
from heavylift.cutover.canary.limits import Range

Gains = Callable[[Floats], Floats]
"""From limits to the gains of the bets against each."""


@dataclass(frozen=True)
class Levels:
    """Which probabilities of an error a claim may spend.

    :param abort: that it aborts a good target.
    :param miss: that it passes a bad one.
    """

    abort: float
    miss: float

    @property
    def log_abort(self) -> float:
        """The logarithm of the wealth that aborts."""
        return -math.log(self.abort)

    @property
    def log_pass(self) -> float:
        """The logarithm of the wealth that passes."""
        return -math.log(self.miss)


class Claim:
    """The target is within its range, as far as one figure tells.

    :param rungs: further limits, ascending: which of them are refuted gives the bounds. Empty: no bounds.
    :param alternatives: in how many ways the target may be bad; it has passed when each is refuted.
    """

    def __init__(self, limits: Range, rungs: Floats, levels: Levels, alternatives: int = 1) -> None:
        self.range, self.rungs, self.levels = limits, rungs, levels
        self._good = np.array([limits.good])
        self._bad = np.array([limits.bad])
        self._against_good = Ladder(1)
        self._against_bad = Ladder(alternatives)
        self._above = Ladder(len(rungs), 1)
        self._below = Ladder(len(rungs), 1)

    def feed(self, above: Gains, below: Gains) -> None:
        """Take in a block."""
        self._against_good.block(above(self._good))
        self._against_bad.block(below(self._bad))
        if len(self.rungs):
            self._above.block(above(self.rungs))
            self._below.block(below(self.rungs))

    @property
    def log_against_good(self) -> float:
        """The most that the bets against "good" were worth, as a logarithm."""
        return float(self._against_good.peak[0])

    @property
    def log_against_bad(self) -> float:
        """The most that the bets against "bad" were worth, as a logarithm."""
        return float(self._against_bad.peak.min())

    @property
    def log_now(self) -> float:
        """What the bets against "bad" are worth now, as a logarithm."""
        return float(self._against_bad.log_wealth.min())

    @property
    def refuted(self) -> bool:
        """The target is not good."""
        return self.log_against_good >= self.levels.log_abort

    @property
    def passed(self) -> bool:
        """The target is not bad."""
        return self.log_against_bad >= self.levels.log_pass

    @property
    def low(self) -> float | None:
        """The highest rung that the figure is above, surely enough; None: above none of them."""
        found = self.rungs[self._above.peak >= self.levels.log_abort]
        return float(found.max()) if len(found) else None

    @property
    def high(self) -> float | None:
        """The lowest rung that the figure is below, surely enough; None: below none of them."""
        found = self.rungs[self._below.peak >= self.levels.log_pass]
        return float(found.min()) if len(found) else None

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on after a restart."""
        return {name: ladder.state() for name, ladder in self._ladders()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        for name, ladder in self._ladders():
            ladder.restore(state[name])

    def _ladders(self) -> list[tuple[str, Ladder]]:
        return [
            ("good", self._against_good),
            ("bad", self._against_bad),
            ("above", self._above),
            ("below", self._below),
        ]
