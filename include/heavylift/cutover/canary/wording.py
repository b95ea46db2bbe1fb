"""What the metrics say, in words and numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.metrics import BusinessDrop, Metric


@dataclass(frozen=True)
class MetricFigure:
    """One metric, with its numbers.

    :param estimate: what the figure seems to be; None where nothing is known.
    :param low: it is above this, at the confidence of an abort; None where no bound is known.
    :param high: it is below this, at the confidence of a promotion.
    :param against: the evidence that the target is not good; ``abort_at`` is what aborts.
    :param passed: the target is shown not to be bad. ``evidence`` for that, and ``pass_at`` what is needed.
    :param proves: a step is promoted only where this has passed.
    :param needs: what would change it, in words.
    """

    name: str
    unit: str
    good: float
    bad: float
    estimate: float | None
    low: float | None
    high: float | None
    samples: int
    against: float
    abort_at: float
    evidence: float
    pass_at: float
    passed: bool
    proves: bool
    needs: str


def why_not_good(metric: Metric) -> str:
    """Return why this metric aborts."""
    claim = metric.claim
    return (
        f"{metric.name} is beyond {claim.range.good:g} ({metric.unit}): about {_told(metric.estimate())},"
        f" of {metric.samples:,} samples; evidence {_wealth(claim.log_against_good):,.0f} :"
        f" {1 / claim.levels.abort:,.0f}"
    )


def why_good(metric: Metric) -> str:
    """Return why this metric lets the step be promoted."""
    claim = metric.claim
    return (
        f"{metric.name} is below {claim.range.bad:g} ({metric.unit}): about {_told(metric.estimate())},"
        f" of {metric.samples:,} samples; evidence {_wealth(claim.log_against_bad):,.0f} :"
        f" {1 / claim.levels.miss:,.0f}"
    )


def is_open(metric: Metric, limits: Limits) -> bool:
    """Tell whether this metric stands in the way of a promotion."""
    enough = _enough(metric, limits.min_samples)
    if metric.proves:
        # The estimate last: it is the dear part.
        return metric.samples < enough or not metric.claim.passed or metric.beyond
    return metric.samples >= enough and metric.beyond


def why_open(metric: Metric, limits: Limits) -> str:
    """Return why this metric stands in the way."""
    good, bad = metric.claim.range.good, metric.claim.range.bad
    enough = _enough(metric, limits.min_samples)
    if (metric.claim.passed and metric.samples >= enough) or not metric.proves:
        return (
            f"{metric.name} seems to be {_told(metric.estimate())}, nearer to {bad:g} than to {good:g}"
            f" ({metric.unit}); {metric.samples:,} samples do not settle it"
        )
    return f"{metric.name} is not shown to be below {bad:g}: {_needs(metric, enough)}"


def _enough(metric: Metric, least: int) -> int:
    # Readings of a business metric are minutes apart.
    return 1 if isinstance(metric, BusinessDrop) else least


def _needs(metric: Metric, enough: int) -> str:
    """Return in words how much more is needed, if it goes on as it did."""
    claim = metric.claim
    if not metric.samples:
        return "there are no samples of it"
    if claim.passed:
        return f"{max(enough - metric.samples, 0):,} more samples are needed at least"
    if claim.log_now <= 0:
        return f"the {metric.samples:,} samples say nothing for it"
    left = (claim.levels.log_pass - claim.log_now) * metric.samples / claim.log_now
    return f"about {max(math.ceil(left), enough - metric.samples):,} more samples are needed"


def figure_of(metric: Metric, least: int) -> MetricFigure:
    """Return a metric with its numbers."""
    claim, enough = metric.claim, _enough(metric, least)
    if claim.refuted:
        needs = "nothing more: the target is not good"
    elif claim.passed and not metric.beyond and metric.samples >= enough:
        needs = "nothing more"
    else:
        needs = _needs(metric, enough)
    return MetricFigure(
        name=metric.name,
        unit=metric.unit,
        good=claim.range.good,
        bad=claim.range.bad,
        estimate=metric.estimate(),
        low=claim.low,
        high=claim.high,
        samples=metric.samples,
        against=_wealth(claim.log_against_good),
        abort_at=1 / claim.levels.abort,
        evidence=_wealth(claim.log_against_bad),
        pass_at=1 / claim.levels.miss,
        passed=claim.passed,
        proves=metric.proves,
        needs=needs,
    )


def _wealth(log: float) -> float:
    return float(f"{math.exp(min(log, 200.0)):.6g}")


def _told(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
