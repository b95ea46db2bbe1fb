"""Whether an endpoint holds its objective at a rate: at a step's end, or before it where it surely fails.

The objective says that at most a share of requests may be late. While that is true, what a bet against it has
become is a supermartingale, and that it ever reaches 1/a has at most the probability a (Ville), however often
one looks. So a step is ended as soon as the bet has won.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heavylift.load.driving import Outcome
from heavylift.optimize.checks import demand

SLOW = "slow"
"""The word with which a step is stopped."""
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
_BETS = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Objective:
    """So large a share of requests is to be answered well within so many milliseconds.

    :param wrong: how often, at most, a step is stopped early although the objective holds.
    """

    quantile: float
    limit_ms: float
    wrong: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse an objective that can't be judged."""
        fine = self.quantile in QUANTILES and math.isfinite(self.limit_ms) and self.limit_ms > 0
        got = f"{self.limit_ms:g} ms for the quantile {self.quantile:g}"
        expected = f"milliseconds above 0, for one of {', '.join(map(str, QUANTILES))}"
        demand(fine and 0 < self.wrong < 0.5, "reading the objective", got, expected, "9246")

    @property
    def share(self) -> float:
        """Which share of requests may be late."""
        return 1 - self.quantile

    def kept(self, outcome: Outcome) -> bool:
        """Tell whether a request that has ended was answered well and in time."""
        return outcome.latency is not None and outcome.latency * 1e3 <= self.limit_ms


class Watching:
    """Watches the requests of one step as they end."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        share = objective.share
        rates = [min(0.95, share * factor) for factor in _BETS] + [0.5, 0.9]
        # What a bet is multiplied with by a late request, and by one in time.
        self._steps = [(math.log(r / share), math.log((1 - r) / (1 - share))) for r in rates if r > share]
        self.ended = 0
        self.late = 0

    def __call__(self, outcome: Outcome) -> str:
        """Count one request; return :data:`SLOW` once the objective surely does not hold."""
        self.ended += 1
        if self._objective.kept(outcome):
            return ""  # every bet has lost by it: none can have won just now
        self.late += 1
        return SLOW if self.lost else ""

    @property
    def lost(self) -> bool:
        """Whether the average of all bets has reached what it reaches by chance hardly ever."""
        kept = self.ended - self.late
        wealth = [self.late * late + kept * in_time for late, in_time in self._steps]
        top = max(wealth)
        total = top + math.log(sum(math.exp(each - top) for each in wealth) / len(wealth))
        return total >= -math.log(self._objective.wrong)

    def holds(self, planned: int) -> bool:
        """Tell whether the objective holds in a step that was sent whole."""
        return self.ended == planned and self.late <= self._objective.share * planned + 1e-9
