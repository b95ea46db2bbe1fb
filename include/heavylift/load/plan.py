"""How an endpoint is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arrivals = Literal["poisson", "even"]


@dataclass(frozen=True)
class LoadPlan:
    """How an endpoint is asked.

    :param rates: requests a second, ascending; a rate that is not sustained ends the measurement.
    :param connections: open at once at most; a request that waits for one is late by so much.
    :param timeout_seconds: from the moment a request is due; then it counts as an error.
    :param waiting_seconds: a step is stopped when a request has waited so long for a connection.
    :param floor: measure the endpoint against itself as well.
    """

    rates: tuple[float, ...]
    step_seconds: float = 10.0
    warm_up_seconds: float = 3.0
    connections: int = 64
    timeout_seconds: float = 30.0
    waiting_seconds: float = 5.0
    arrivals: Arrivals = "poisson"
    max_error_rate: float = 0.01
    min_achieved: float = 0.98
    seed: int = 20260101
    floor: bool = True

    @property
    def seconds(self) -> float:
        """How long all steps take where every one is tried."""
        floor = 2 * self.step_seconds if self.floor else 0.0
        return self.warm_up_seconds + floor + len(self.rates) * self.step_seconds
