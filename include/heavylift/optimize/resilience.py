"""Serving on machines that may be taken away: how many it takes so that enough are left."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from heavylift.optimize.checks import demand


@dataclass(frozen=True)
class Replaced:
    """How machines come and go.

    :param rate: interruptions of one machine in an hour of running, each for itself.
    :param hours: until it is replaced and serves.
    :param common_rate: of all of them at once, as when a whole pool is taken back.
    """

    rate: float
    hours: float
    common_rate: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no number, or below 0."""
        given = (self.rate, self.hours, self.common_rate)
        fine = all(math.isfinite(each) and each >= 0 for each in given)
        got = "a rate or time that is below 0 or no number"
        demand(fine, "reckoning with replaced machines", got, "finite numbers from 0 on", "9252")


@dataclass(frozen=True)
class SpotServing:
    """So many machines, and the share of time in which fewer than needed are there."""

    machines: int
    shortfall: float


def down_share(rate: float, hours: float) -> float:
    """Return the share of time in which one machine is away: rate x hours to one, in the long run."""
    return rate * hours / (1 + rate * hours)


def shortfall(machines: int, need: int, met: Replaced) -> float:
    """Return the share of time in which fewer than ``need`` of ``machines`` are there."""
    together = down_share(met.common_rate, met.hours)
    alone = _fewer(machines, need, 1 - down_share(met.rate, met.hours))
    return together + (1 - together) * alone


def machines_for(need: int, allowed: float, met: Replaced) -> SpotServing | None:
    """Return the fewest machines with which fewer than ``need`` are there at most ``allowed`` of the time.

    :return: None where no number is enough, since all may be taken at once too often.
    """
    fine = 0 < need <= 10_000 and 0 < allowed < 1
    got = f"{need} machines for {allowed:g} of the time"
    demand(fine, "sizing for interruptions", got, "1 to 10,000, and a share between 0 and 1", "9253")
    if down_share(met.common_rate, met.hours) > allowed:
        return None
    machines = need
    while (short := shortfall(machines, need, met)) > allowed:
        if machines > 20 * need + 100:
            return None
        machines += 1
    return SpotServing(machines, short)


def _fewer(count: int, need: int, up: float) -> float:
    """Return the chance that fewer than ``need`` of ``count`` are up, by the binomial distribution."""
    if need > count:
        return 1.0
    if up >= 1:
        return 0.0
    k = np.arange(need)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    log_pmf = logs[count] - logs[k] - logs[count - k] + k * math.log(up) + (count - k) * math.log1p(-up)
    return float(min(1.0, np.exp(log_pmf).sum()))
