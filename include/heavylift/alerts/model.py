"""What an alert rule says, whichever platform it is of."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.alerts.formula import Formula


class Platform(StrEnum):
    """Whose rules these are."""

    CLOUDWATCH = "cloudwatch"
    GOOGLE = "google"
    AZURE = "azure"
    PROMETHEUS = "prometheus"


class Aggregation(StrEnum):
    """How the samples of a window become one number."""

    AVG = "avg"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    PERCENTILE = "percentile"


class Comparison(StrEnum):
    """When a window is bad."""

    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="

    def holds(self, value: float, threshold: float) -> bool:
        """Tell whether a value is bad."""
        return _HOLDS[self](value, threshold)


_HOLDS: dict[Comparison, Callable[[float, float], bool]] = {
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}


class Missing(StrEnum):
    """What a window without samples means."""

    BAD = "breaching"
    GOOD = "not_breaching"
    KEEP = "keep"
    """The state stays where the windows with samples do not settle it."""
    UNKNOWN = "unknown"
    """CloudWatch's own default: where nothing at all is there, the alarm is neither on nor off."""


@dataclass(frozen=True)
class Metric:
    """A metric by its platform's name.

    :param namespace: CloudWatch's namespace, Google's and Azure's type of resource; empty for Prometheus.
    :param unit: of its values: ``s``, ``ms``, ``us``, ``bytes``, ``percent`` (of 100), ``ratio`` (of 1),
        ``count``; empty where nobody knows.
    """

    platform: Platform
    namespace: str
    name: str
    unit: str = ""


@dataclass(frozen=True)
class Rule:
    """An alert: at least ``needed`` of the last ``windows`` windows of ``period`` seconds are bad.

    :param step: seconds from one window to the next; CloudWatch's windows touch, others' overlap.
    :param extra: older windows that take the place of those without samples; CloudWatch alone has them.
    :param every: seconds between evaluations.
    :param actions: whom it tells, as its platform names them. They do not move.
    :param formula: what is compared, where it is reckoned of several metrics; ``metric`` then names it, and a
        window's only sample is the formula's number.
    """

    name: str
    metric: Metric
    aggregation: Aggregation
    comparison: Comparison
    threshold: float
    period: int
    windows: int = 1
    needed: int = 1
    step: int = 60
    extra: int = 0
    every: int = 60
    missing: Missing = Missing.GOOD
    percentile: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    severity: str = ""
    description: str = ""
    actions: tuple[str, ...] = ()
    formula: Formula | None = None

    def value(self, samples: list[float]) -> float | None:
        """Return a window's number; ``None`` for one without samples."""
        if not samples:
            return None
        if self.formula is not None:
            return samples[0]
        if self.aggregation is Aggregation.PERCENTILE:
            return quantile((self.percentile or 0.0) / 100, samples)
        return AGGREGATES[self.aggregation](samples)


@dataclass(frozen=True)
class Loss:
    """What did not come along, or not as it was, and what mends it."""

    rule: str
    what: str
    remedy: str


def quantile(share: float, samples: list[float]) -> float:
    """Return a quantile by linear interpolation between the two nearest ranks, as Prometheus computes it."""
    ordered = sorted(samples)
    rank = share * (len(ordered) - 1)
    low = max(0, math.floor(rank))
    high = min(len(ordered) - 1, low + 1)
    weight = rank - math.floor(rank)
    return ordered[low] * (1 - weight) + ordered[high] * weight


AGGREGATES: dict[Aggregation, Callable[[list[float]], float]] = {
    Aggregation.AVG: lambda samples: math.fsum(samples) / len(samples),
    Aggregation.SUM: math.fsum,
    Aggregation.MIN: min,
    Aggregation.MAX: max,
    Aggregation.COUNT: lambda samples: float(len(samples)),
}
"""How each of them but the percentile is computed."""
