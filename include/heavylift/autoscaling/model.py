"""The neutral policy: bounds, metrics with targets, pace, rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class System(StrEnum):
    """Whose settings they are."""

    AWS = "aws"
    HPA = "hpa"
    KEDA = "keda"
    VERTEX = "vertex"
    AZURE = "azure"


class Kind(StrEnum):
    """What a metric counts, each of one replica."""

    REQUESTS = "requests"
    """requests that arrive in a minute"""
    CPU = "cpu"
    """per cent of the processors"""
    GPU = "gpu"
    """per cent of the accelerators"""
    WAITING = "waiting"
    """requests that are being worked on or wait"""
    CUSTOM = "custom"
    """anything else"""


@dataclass(frozen=True)
class Metric:
    """A metric and the value that is kept in each replica.

    :param name: as its platform calls it.
    """

    kind: Kind
    target: float
    name: str = ""


@dataclass(frozen=True)
class Limit:
    """At most so many replicas, or per cent of them, in so many seconds.

    :param unit: ``pods`` or ``percent``.
    """

    unit: str
    value: int
    period_s: int


@dataclass(frozen=True)
class Pace:
    """How fast one direction may go.

    :param window_s: how long a need must hold: Kubernetes' stabilisation window.
    :param cooldown_s: after a step, until the next.
    :param select: which of several limits counts: ``max``, ``min``, or ``disabled`` for no step at all.
    """

    window_s: int | None = None
    cooldown_s: int | None = None
    limits: tuple[Limit, ...] = ()
    select: str = "max"


@dataclass(frozen=True)
class Rule:
    """A step that is made beyond a threshold.

    :param unit: ``change``, ``percent`` or ``exact``.
    :param least: the smallest step of a percentage.
    """

    metric: Metric
    above: bool
    threshold: float
    window_s: int
    unit: str
    value: float
    cooldown_s: int
    least: int = 0


@dataclass(frozen=True)
class Policy:
    """How one endpoint scales.

    :param metrics: targets that are tracked; the one that asks for most counts.
    :param rules: steps, of systems that go by thresholds; then ``metrics`` is empty.
    :param schedules: what is done by the clock, in words: no system's simulation follows it.
    :param tolerance: a difference from the target that is let be.
    """

    name: str
    system: System
    minimum: int
    maximum: int
    metrics: tuple[Metric, ...] = ()
    rules: tuple[Rule, ...] = ()
    out: Pace = Pace()
    back: Pace = Pace()
    schedules: tuple[str, ...] = ()
    tolerance: float = 0.1
    resource: str = ""

    @property
    def yardstick(self) -> Metric:
        """The metric by which both sides are compared: the first target, or the lowest threshold outwards."""
        if self.metrics:
            return self.metrics[0]
        outward = [rule for rule in self.rules if rule.above]
        lowest = min(outward or self.rules, key=lambda rule: rule.threshold)
        return Metric(lowest.metric.kind, lowest.threshold, lowest.metric.name)


@dataclass(frozen=True)
class Loss:
    """What a system cannot hold, or must have.

    :param blocks: whether the translation must not be used as it is.
    """

    subject: str
    what: str
    remedy: str
    blocks: bool = False
