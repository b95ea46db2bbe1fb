"""What trials are asked for."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.optimize.checks import demand
from heavylift.optimize.judging import Objective
from heavylift.optimize.spaces import Setting, Space

_LONGEST, _FEWEST = 10.0, 20
"""Steps that a slow one may take in place of one, and the requests that it has at least."""


@dataclass(frozen=True)
class Kept:
    """Whose evidence it is, and where that lies."""

    run: RunKey
    name: str
    evidence_url: str | None = None
    evidence_connection: Connection | None = None


@dataclass(frozen=True)
class HourlyPrice:
    """What a server costs in an hour.

    :param usd: with every setting; or, where ``knob`` is named, by its value, as ``by_value`` says.
    """

    usd: float = 0.0
    knob: str = ""
    by_value: Mapping[str, float] = field(default_factory=dict)

    def of(self, setting: Setting) -> float:
        """Return the price of a server with a setting."""
        return self.by_value[str(dict(setting)[self.knob])] if self.knob else self.usd

    def check(self, space: Space) -> None:
        """Refuse a price that is none, or a value of the knob without one.

        :raises SpecError: so it is.
        """
        prices = [self.usd]
        if self.knob:
            known = next((knob.values for knob in space.knobs if knob.name == self.knob), ())
            prices = [self.by_value.get(str(value), math.nan) for value in known]
        fine = bool(prices) and all(math.isfinite(price) and price > 0 for price in prices)
        got = f"a price that is missing, or not above 0 (knob {self.knob!r})"
        demand(fine, "reading the prices of trials", got, "a price above 0 for each value", "9247")


@dataclass(frozen=True)
class TrialPlan:
    """How settings are tried.

    :param most_trials: with those that repeat the best setting, ``repeats`` times, and its nearest rival.
    :param first_rate: requests a second that the very first trial begins with; later ones begin with what the
        best setting would need to be matched.
    :param step_seconds: at each rate; a step has at least ``least_requests``, so slow ones last longer.
    :param worst: a setting that costs more than so many times the best is not measured further.
    """

    most_trials: int = 30
    repeats: int = 2
    first_rate: float = 20.0
    most_rate: float = 2000.0
    step_seconds: float = 3.0
    least_requests: int = 100
    warm_up_seconds: float = 2.0
    worst: float = 2.0
    timeout_seconds: float = 10.0
    seed: int = 20260101

    def seconds_at(self, rate: float) -> float:
        """Return how long a step takes: long enough for its requests, but at a crawl for fewer of them."""
        enough = min(self.least_requests / rate, _LONGEST * self.step_seconds)
        return max(self.step_seconds, enough, _FEWEST / rate)

    def __post_init__(self) -> None:
        """Refuse a plan that can't be carried out."""
        fine = (
            self.most_trials > 2 * self.repeats >= 2
            and 0 < self.first_rate <= self.most_rate <= 1e6
            and self.step_seconds > 0
            and self.least_requests >= 20
            and self.worst > 1
        )
        got = f"{self.most_trials} trials of which {self.repeats} repeat, from {self.first_rate:g} a second"
        demand(
            fine,
            "reading the plan of trials",
            got,
            "more than twice as many trials as repeats, rates above 0",
            "9248",
        )


@dataclass(frozen=True)
class StudyRequest:
    """One study: which settings, for which objective.

    :param requests_sha256: of what the servers are asked.
    :param served: in words and for the digest: what the servers are started with.
    :param baseline: path of an endpoint's baseline in the evidence store, to compare with; empty for none.
    """

    kept: Kept
    space: Space
    objective: Objective
    price: HourlyPrice
    plan: TrialPlan
    requests_sha256: str
    served: str
    baseline: str = ""

    @property
    def digest(self) -> str:
        """Tells studies apart: trials of another one are not taken up."""
        space = [[knob.name, list(knob.values)] for knob in self.space.knobs]
        goal = [self.objective.quantile, self.objective.limit_ms, self.objective.wrong]
        prices = [self.price.usd, self.price.knob, sorted(self.price.by_value.items())]
        plan = sorted((name, value) for name, value in vars(self.plan).items() if name != "most_trials")
        text = json.dumps([space, goal, prices, plan, self.requests_sha256, self.served])
        return hashlib.sha256(text.encode()).hexdigest()
