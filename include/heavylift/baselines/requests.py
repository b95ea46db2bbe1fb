"""What a baseline is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from heavylift.connections import Connection
from heavylift.evidence.baseline_records import PredictionCost
from heavylift.evidence.records import RunKey
from heavylift.platforms.places import Place

PHASE = "assess"
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


@dataclass(frozen=True)
class Held:
    """An earlier baseline that the new one is held against.

    :param path: of its record in the evidence store.
    :param max_ratio: how much slower the judged quantile may be, at most, with its interval's upper bound.
    """

    path: str
    judged: float = 0.95
    max_ratio: float = 1.1


@dataclass(frozen=True)
class BaselineRequest:
    """The baseline of one endpoint.

    :param requests: a file or object with bodies, one JSON document a line.
    :param usd_per_hour: what the endpoint costs while it stands; divided by what it was shown to sustain.
    """

    run: RunKey
    connection: Connection
    requests: Path | Place
    plan: LoadPlan
    evidence_url: str | None = None
    evidence_connection: Connection | None = None
    path: str = ""
    held: Held | None = None
    cost: PredictionCost | None = None
    usd_per_hour: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
