"""The plan: what moves how and when, what it costs and what can go wrong. Frozen, with a digest."""

from __future__ import annotations

from typing import Literal

from heavylift.evidence.assess_input import Driver, Target
from heavylift.evidence.base import Record
from heavylift.evidence.estimates import Money, PriceNote

Severity = Literal["blocker", "warning", "note"]
Level = Literal["equivalent", "partial", "none", "unknown"]
Treatment = Literal["lift", "replace", "redesign"]
Strategy = Literal["redeploy", "big-bang", "phased", "trickle", "cdc", "none"]
Route = Literal["none", "online", "appliance"]


class Finding(Record):
    """What stands in the way of one component, by which rule.

    :param evidence: what was seen, in words and numbers.
    """

    rule: str
    severity: Severity
    component: str
    evidence: str
    remedy: str


class Rejected(Record):
    """A way that was not taken, and why."""

    way: str
    reason: str


class ComponentPlan(Record):
    """How one component moves.

    :param elapsed_seconds: of its data over the line that the plan takes; None where it never ends.
    :param downtime_seconds: how long nobody can write to it.
    :param moved_bytes: with what changes meanwhile and is sent again.
    :param rpo_seconds: what may be lost if the source dies at the moment of the switch.
    :param accelerator: the instance type that takes over.
    """

    id: str
    wave: int
    treatment: Treatment
    advice: str
    capability: str = ""
    target_service: str = ""
    level: Level = "unknown"
    lost: str = ""
    effort: int = 0
    accelerator: str = ""
    accelerator_reason: str = ""
    strategy: Strategy
    route: Route
    reason: str
    rejected: tuple[Rejected, ...] = ()
    elapsed_seconds: float | None = 0.0
    downtime_seconds: float = 0.0
    moved_bytes: int = 0
    rpo_seconds: float | None = 0.0
    rto_note: str = ""


class Wave(Record):
    """Components that are switched together.

    :param cut: why it ends where it ends.
    :param start_days: from the start of the move, in the middle case.
    """

    number: int
    components: int
    size_bytes: int
    downtime_seconds: float
    start_days: float
    end_days: float
    cut: str
    cycles: tuple[tuple[str, ...], ...] = ()


class TierLine(Record):
    """What one tier of an egress price list takes."""

    gib: float
    usd_per_gib: float
    usd: float


class CostLine(Record):
    """One part of the bill, as a range; ``low`` and ``high`` say in ``why`` what they assume."""

    item: str
    cost: Money
    why: str
    prices: tuple[PriceNote, ...] = ()
    tiers: tuple[TierLine, ...] = ()


class RegimeNote(Record):
    """A law or offer that takes egress charges off.

    :param counted: the cost has it in; else ``saves_usd`` is what it would save at most.
    """

    id: str
    counted: bool
    effect: str
    condition: str
    saves_usd: float | None
    price: PriceNote


class Costs(Record):
    """The bill of the move; ``unknown`` names what has no known price and is in no sum."""

    lines: tuple[CostLine, ...]
    total: Money
    regimes: tuple[RegimeNote, ...] = ()
    unknown: tuple[str, ...] = ()


class Duration(Record):
    """How long the move takes, in days, by simulation; None where it does not end.

    :param never: share of the simulated moves in which catching up never ends.
    :param late: share that is later than the deadline; None without one.
    """

    p10: float | None
    p50: float | None
    p90: float | None
    samples: int
    seed: int
    never: float
    late: float | None
    assumptions: tuple[str, ...]


class Scenario(Record):
    """One way to carry all data: a line, with or without devices.

    :param taken: the plan is made for it.
    """

    name: str
    taken: bool
    reason: str
    days_p90: float | None
    usd_high: float | None
    unknown: int = 0


class Risk(Record):
    """What can go wrong, how one sees it coming, and what to do.

    :param probability: as simulated, or as a word's middle: 0.1 low, 0.3 medium, 0.6 high.
    """

    id: str
    title: str
    probability: float
    impact: Literal["low", "medium", "high"]
    basis: str
    metric: str
    threshold: str
    runbook: str
    components: int = 0


class TargetScore(Record):
    """How one target does by each driver, 0 to 1; None where nothing is known.

    :param excluded: a hard constraint that it breaks, in words; empty where it breaks none.
    """

    target: str
    total: float
    scores: dict[Driver, float | None]
    reasons: dict[Driver, str]
    excluded: str = ""


class TargetChoice(Record):
    """Which target, and what would change that."""

    chosen: str
    reason: str
    weights: dict[Driver, float]
    scores: tuple[TargetScore, ...]
    sensitivity: tuple[str, ...]


class Plan(Record):
    """The plan of a move. Its digest is made over all of this (:mod:`heavylift.assess.document`).

    :param input_sha256: of what it was made from; ``tables_sha256`` of the tables of facts.
    :param met: it keeps the deadline and every component has a way; ``unmet`` says what not.
    :param dangling: ids that components need and nobody listed.
    """

    format: Literal[1] = 1
    migration: str
    source: str
    target: Target
    start: str
    input_sha256: str
    tables_sha256: str
    choice: TargetChoice
    scenarios: tuple[Scenario, ...]
    duration: Duration
    costs: Costs
    waves: tuple[Wave, ...]
    components: tuple[ComponentPlan, ...]
    dependencies: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...]
    risks: tuple[Risk, ...]
    dangling: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    met: bool
    unmet: tuple[str, ...] = ()
