"""How many machines are bought for good, how many by the hour, and how many that may be taken away.

Exact, not searched: what a level of commitment costs is a sum over the hours, and sums over sorted hours are
differences of running totals, so that every whole level is priced.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heavylift.optimize.checks import demand

Floats = NDArray[np.float64]
MOST_MACHINES = 100_000


@dataclass(frozen=True)
class Commitment:
    """Paid for each hour of its term, used or not."""

    name: str
    usd_per_hour: float
    term_hours: float


@dataclass(frozen=True)
class Prices:
    """What one machine costs in an hour.

    :param spot: of one that may be interrupted; None where there is none.
    :param spot_factor: hours that are billed for an hour of work, interruptions, restarts and all.
    """

    on_demand: float
    spot: float | None = None
    commitments: tuple[Commitment, ...] = ()
    spot_factor: float = 1.0

    def __post_init__(self) -> None:
        """Refuse prices that are none."""
        given = [self.on_demand, *(each.usd_per_hour for each in self.commitments), self.spot_factor]
        given += [] if self.spot is None else [self.spot]
        fine = all(math.isfinite(price) and price > 0 for price in given)
        demand(fine, "reading prices", "a price that is not above 0, or no number", "prices above 0", "9249")

    @property
    def spot_work(self) -> float | None:
        """What an hour of work costs where it may be interrupted; None where on demand is no dearer."""
        if self.spot is None or self.spot * self.spot_factor >= self.on_demand:
            return None
        return self.spot * self.spot_factor


@dataclass(frozen=True)
class Mix:
    """What is bought, and what that costs over the hours of the series.

    :param committed: machines, all the time; ``commitment`` is what it is called.
    :param spot_hours: of machines that may be interrupted; ``on_demand_hours`` the rest.
    :param break_even: use from which on a machine is cheaper committed; None without commitments.
    """

    committed: int
    commitment: str
    committed_hours: float
    spot_hours: float
    on_demand_hours: float
    cost: float
    all_on_demand: float
    break_even: float | None

    @property
    def saving_share(self) -> float:
        """Of what all would cost on demand."""
        return 1 - self.cost / self.all_on_demand if self.all_on_demand else 0.0


def whole_machines(values: Sequence[float] | Floats) -> Floats:
    """Return a demand in whole machines, rounded up.

    :raises SpecError: no demand, or one that cannot be.
    """
    made = np.ceil(np.asarray(values, dtype=np.float64) - 1e-9)
    fine = made.size > 0 and bool(np.isfinite(made).all()) and made.min() >= 0 and made.max() <= MOST_MACHINES
    demand(
        fine,
        "reading the demand for machines",
        "no hour, or a demand that is missing, below 0 or too large",
        f"from 0 to {MOST_MACHINES:,} machines for each hour",
        "9250",
    )
    return made


def best_mix(hours: Floats, prices: Prices, spot_share: float = 0.0) -> Mix:
    """Return the cheapest mix for a demand in whole machines, one value an hour.

    All commitments cost as much whether used or not, so that the cheapest of them is the only one of use.

    :param spot_share: of each hour's demand that may be interrupted; from 0 to 1.
    """
    demand(0 <= spot_share <= 1, "sharing a demand", f"a share of {spot_share:g}", "one from 0 to 1", "9251")
    cheapest = min(prices.commitments, key=lambda each: each.usd_per_hour, default=None)
    levels = np.arange(int(hours.max()) + 1 if cheapest else 1, dtype=np.float64)
    costs = _costs(hours, prices, spot_share, levels, cheapest.usd_per_hour if cheapest else 0.0)
    return priced(hours, prices, spot_share, int(np.argmin(costs)))


def priced(hours: Floats, prices: Prices, spot_share: float, committed: int) -> Mix:
    """Return what a given number of committed machines comes to."""
    cheapest = min(prices.commitments, key=lambda each: each.usd_per_hour, default=None)
    beyond, spot = _beyond(hours, prices, spot_share, committed)
    paid = committed * len(hours)
    return Mix(
        committed=committed,
        commitment=cheapest.name if cheapest and committed else "",
        committed_hours=float(paid),
        spot_hours=float(spot.sum()),
        on_demand_hours=float((beyond - spot).sum()),
        cost=float(hourly_cost(hours, prices, spot_share, committed).sum()),
        all_on_demand=float(hours.sum()) * prices.on_demand,
        break_even=cheapest.usd_per_hour / prices.on_demand if cheapest else None,
    )


def hourly_cost(hours: Floats, prices: Prices, spot_share: float, committed: int) -> Floats:
    """Return what each hour costs."""
    cheapest = min((each.usd_per_hour for each in prices.commitments), default=0.0)
    beyond, spot = _beyond(hours, prices, spot_share, committed)
    work = prices.spot_work or 0.0
    cost: Floats = committed * cheapest + prices.on_demand * (beyond - spot) + work * spot
    return cost


def _beyond(hours: Floats, prices: Prices, share: float, committed: int) -> tuple[Floats, Floats]:
    beyond = np.maximum(hours - committed, 0)
    spot = np.minimum(beyond, np.floor(share * hours + 1e-9)) if prices.spot_work is not None else 0 * hours
    return beyond, spot


def _costs(hours: Floats, prices: Prices, share: float, levels: Floats, price: float) -> Floats:
    """Return what each level of commitment costs over all hours."""
    ordered = np.sort(hours)
    totals = np.concatenate([[0.0], np.cumsum(ordered)])
    above = np.searchsorted(ordered, levels, side="right")
    beyond = (totals[-1] - totals[above]) - levels * (len(ordered) - above)
    spot = np.zeros_like(levels)
    if prices.spot_work is not None and share > 0:
        # The whole excess, but no more than the share: up to some demand the first, from there the other.
        may = np.floor(share * ordered + 1e-9)
        must = ordered - may
        shares = np.concatenate([[0.0], np.cumsum(may)])
        bound = np.searchsorted(
            must, levels, side="right"
        )  # demand - share > level: the share is the smaller
        bound = np.maximum(bound, above)
        spot = (totals[bound] - totals[above]) - levels * (bound - above) + (shares[-1] - shares[bound])
    cost: Floats = (
        price * levels * len(ordered) + prices.on_demand * (beyond - spot) + (prices.spot_work or 0.0) * spot
    )
    return cost
