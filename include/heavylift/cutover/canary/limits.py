"""What the target may do at most, and how often the analysis may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from heavylift.cutover.canary.samples import Tolerance
from heavylift.errors import SpecError
from heavylift.spec.canary_rules import Direction
from heavylift.spec.sections_platform import Cutover


@dataclass(frozen=True)
class Range:
    """Where good ends and bad begins; between the two either answer is right.

    :param good: up to here the target is good: aborted with at most the probability ``false_abort``.
    :param bad: from here on it is bad: promoted with at most the probability ``miss``.
    """

    good: float
    bad: float


@dataclass(frozen=True)
class Limits:
    """Everything that a verdict depends on besides the samples.

    :param errors: by how much the target's error rate may be above the source's at the same moment.
    :param latency: ratio of the target's latency to the source's, at each of ``quantiles``.
    :param mismatch: rate of pairs whose predictions differ.
    :param shift: largest difference of the shares of predictions above any value, or of any label.
    :param business: by which share the business metric may be worse.
    :param steps: among which ``false_abort`` is shared out: all steps of the canary, and the shadow.
    :param max_baseline_errors: above this rate the source itself is unwell, and nothing can be compared.
    """

    errors: Range = Range(0.001, 0.005)
    latency: Range = Range(1.2, 1.5)
    mismatch: Range = Range(0.001, 0.01)
    shift: Range = Range(0.05, 0.15)
    business: Range = Range(0.05, 0.2)
    business_direction: Direction = Direction.HIGHER
    quantiles: tuple[float, ...] = (0.5, 0.95)
    false_abort: float = 0.02
    miss: float = 0.05
    steps: int = 6
    min_samples: int = 300
    max_samples: int = 1_000_000
    warm_up_seconds: float = 20.0
    block_seconds: float = 1.0
    max_baseline_errors: float = 0.1
    tolerance: Tolerance = field(default_factory=Tolerance)

    @classmethod
    def of(cls, cutover: Cutover) -> Limits:
        """Return what a spec's section ``cutover`` sets.

        :raises SpecError: what is bad begins below where good ends.
        """
        analysis = cutover.analysis
        steps = len(cutover.traffic.steps) if cutover.traffic else 1
        shadow = bool(cutover.traffic and cutover.traffic.shadow)
        business = analysis.business
        return cls(
            errors=range_of("error_rate", cutover.max_error_rate, analysis.bad_error_rate),
            latency=range_of("latency_ratio", cutover.max_latency_ratio, analysis.bad_latency_ratio),
            mismatch=range_of("mismatch_rate", analysis.max_mismatch_rate, analysis.bad_mismatch_rate),
            shift=range_of("shift", analysis.max_shift, analysis.bad_shift),
            business=range_of("drop", business.max_drop, business.bad_drop) if business else cls.business,
            business_direction=business.direction if business else cls.business_direction,
            quantiles=analysis.latency_quantiles,
            false_abort=analysis.false_abort,
            miss=analysis.miss,
            steps=steps + shadow,
            min_samples=analysis.min_samples,
            max_samples=analysis.max_samples,
            warm_up_seconds=analysis.warm_up,
            block_seconds=analysis.block,
            max_baseline_errors=analysis.max_baseline_errors,
            tolerance=Tolerance(analysis.absolute_tolerance, analysis.relative_tolerance),
        )


def range_of(name: str, good: float, bad: float) -> Range:
    """Return the range of a limit of that name.

    :raises SpecError: what is bad begins below where good ends.
    """
    if bad <= good:
        raise SpecError(
            "reading the limits of the section cutover",
            got=f"bad_{name} {bad:g} and max_{name} {good:g}",
            expected="the limit from which the target is bad to be above the one up to which it is good",
            state="nothing was asked and nothing was changed",
            remedy=f"raise bad_{name} below cutover.analysis, or lower max_{name}",
            code="8761",
        )
    return Range(good, bad)
