"""What optimising finds: trials of settings, sizes, purchases, and the changes that are proposed of them.

They lie under ``<run>/~optimize/``. Sums of money are estimates and numbers, not bills and decimal text.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.baseline_records import Machine, QuantileFigure, RatioFigure, StepRecord
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import Finding, RunKey, utc_now

OPTIMIZE_FOLDER = "~optimize"
SettingRecord = dict[str, str | int | float]
Purpose = Literal["first", "search", "repeat"]
OptimizeKind = Literal["trials", "rightsizing", "mix"]


def subject_folder(run: RunKey, kind: str, name: str) -> str:
    """Return the folder of one study, size or purchase."""
    return f"{run.folder}/{OPTIMIZE_FOLDER}/{kind}/{safe_segment(name)}"


def trial_path(run: RunKey, name: str, number: int) -> str:
    """Return the path of the ``number``-th trial of a study, from 1."""
    return f"{subject_folder(run, 'trials', name)}/trial-{number}.json"


def result_path(run: RunKey, kind: OptimizeKind, name: str, number: int) -> str:
    """Return the path of the ``number``-th result, from 1."""
    return f"{subject_folder(run, kind, name)}/result-{number}.json"


def proposal_path(run: RunKey, number: int) -> str:
    """Return the path of the ``number``-th proposal of changes in a run, from 1."""
    return f"{run.folder}/{OPTIMIZE_FOLDER}/proposal-{number}.json"


def patch_path(run: RunKey, digest: str) -> str:
    """Return the path of the patch of a proposal."""
    return f"{run.folder}/{OPTIMIZE_FOLDER}/change-{digest[:16]}.patch"


class TrialStep(Record):
    """One rate that a setting was tried at.

    :param late: requests beyond the limit, or without a good answer; ``ended`` that came to their end.
    :param holds: the objective held. ``stopped`` before its end: it surely did not.
    """

    step: StepRecord
    ended: int
    late: int
    holds: bool
    stopped: bool


class TrialRecord(Record):
    """One setting, measured on a server that was started for it.

    :param study: digest of all that the trials have in common; a trial of another study is not taken up.
    :param capacity: predictions a second that were shown to keep the objective; None where no rate did.
    :param above: predictions a second that did not; None where no rate failed.
    :param value: logarithm of the cost that the search goes by; ``censored``: it is at least that.
    :param usd_per_thousand: predictions, at the capacity.
    :param failed: why nothing could be measured; empty where it could.
    """

    schema_version: Literal["heavylift/optimize-trial/v1"] = "heavylift/optimize-trial/v1"
    run: RunKey
    name: str
    study: str
    number: int
    purpose: Purpose
    setting: SettingRecord
    usd_per_hour: float
    rows: int
    capacity: float | None
    above: float | None
    value: float
    censored: bool
    usd_per_thousand: float | None
    steps: tuple[TrialStep, ...]
    limited_by_client: bool = False
    failed: str = ""
    measured_at: datetime = Field(default_factory=utc_now)
    took_seconds: float = 0.0


class FrontPoint(Record):
    """A setting at a rate that none of the others beats in cost and latency both."""

    trial: int
    setting: SettingRecord
    predictions_per_second: float
    usd_per_thousand: float
    p95_ms: float
    p99_ms: float


class Estimate(Record):
    """A figure with its interval at 95 %."""

    value: float
    low: float
    high: float


class BestSetting(Record):
    """The setting that was chosen, with its repeats.

    :param capacity: predictions a second of one server; ``usd_per_thousand`` at that rate.
    :param deviation: of the logarithm of the capacity between repeats: what trials can't tell apart.
    """

    setting: SettingRecord
    trials: tuple[int, ...]
    usd_per_hour: float
    rows: int
    capacity: Estimate
    usd_per_thousand: Estimate
    deviation: float
    quantiles: tuple[QuantileFigure, ...]


class Compared(Record):
    """The best setting beside the baseline.

    :param usd_per_thousand: of the baseline; None where it has no cost.
    :param cost_ratio: after to before.
    :param latency: quantiles after to before, each at its own rate.
    """

    baseline: str
    baseline_sha256: str
    rate_before: float
    rate_after: float
    usd_per_thousand: float | None
    cost_ratio: Estimate | None
    latency: tuple[RatioFigure, ...]
    same_requests: bool
    same_machine: bool
    statement: str


class StudyRecord(Record):
    """What the trials of a study came to.

    :param settings: how many there are; ``tried`` how many different ones were measured.
    :param equal: settings that the repeats can't tell from the best.
    """

    schema_version: Literal["heavylift/optimize-trials/v1"] = "heavylift/optimize-trials/v1"
    run: RunKey
    name: str
    study: str
    machine: Machine
    requests_sha256: str
    quantile: float
    limit_ms: float
    seed: int
    settings: int
    tried: int
    trials: tuple[EvidenceRef, ...]
    best: BestSetting | None
    equal: tuple[SettingRecord, ...] = ()
    front: tuple[FrontPoint, ...] = ()
    comparison: Compared | None = None
    findings: tuple[Finding, ...] = ()
    statement: str
    passed: bool
    measured_at: datetime = Field(default_factory=utc_now)
    measuring_seconds: float
    took_seconds: float


class Spread(Record):
    """A figure's tenth, fiftieth and ninetieth percentile."""

    p10: float
    p50: float
    p90: float


class RejectedMachine(Record):
    """A machine that was not chosen, and why."""

    machine: str
    usd_per_hour: float | None
    reason: str


class SizeRecord(Record):
    """A machine, what was used of it, and what would do.

    :param verdict: ``insufficient``: the series says too little, and nothing is recommended.
    :param used: of cores and accelerators the quantile, of memory the peak; ``need`` with headroom, absolute.
    :param saving: a month at list prices; below 0 where a larger machine is needed.
    :param risk: share of resamples of days in which the recommended machine would be too small.
    :param compared: machines of the provider with the same accelerator, or likewise none.
    :param days_left: until a peak that grows as it did meets what the machine has.
    """

    schema_version: Literal["heavylift/optimize-rightsizing/v1"] = "heavylift/optimize-rightsizing/v1"
    run: RunKey
    name: str
    provider: str
    current: str
    recommended: str
    verdict: Literal["smaller", "larger", "keep", "insufficient", "none fits"]
    reasons: tuple[str, ...]
    days: float
    moments: int
    used: dict[str, float]
    need: dict[str, float]
    usd_per_hour: tuple[float | None, float | None]
    prices: tuple[str, ...]
    compared: int
    saving: Spread | None
    risk: float | None
    days_left: dict[str, float] = Field(default_factory=dict)
    rejected: tuple[RejectedMachine, ...] = ()
    findings: tuple[Finding, ...] = ()
    statement: str
    made_at: datetime = Field(default_factory=utc_now)


class MixRecord(Record):
    """What to buy for a demand over time.

    :param committed: machines; ``break_even`` the use from which on one is cheaper committed.
    :param cost: of the hours of the series; ``all_on_demand`` of the same hours.
    :param saving: a month, over resamples of whole days.
    :param held_out: share saved on the second half by what the first half recommends.
    :param insufficient: why nothing is recommended.
    """

    schema_version: Literal["heavylift/optimize-mix/v1"] = "heavylift/optimize-mix/v1"
    run: RunKey
    name: str
    hours: int
    peak: int
    prices: dict[str, float]
    prices_of: str
    spot_share: float
    spot_factor: float
    committed: int
    commitment: str
    break_even: float | None
    committed_hours: float
    spot_hours: float
    on_demand_hours: float
    cost: float
    all_on_demand: float
    saving: Spread | None
    held_out: float | None
    covered: float | None = None
    serving: ServingRecord | None = None
    job: JobRecord | None = None
    insufficient: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    statement: str
    made_at: datetime = Field(default_factory=utc_now)


class ServingRecord(Record):
    """Serving on machines that may be taken away: so many, and how often fewer than needed are there."""

    need: int
    allowed: float
    machines: int | None
    shortfall: float | None
    usd_per_hour: float | None
    on_demand_usd_per_hour: float


class JobRecord(Record):
    """A job on machines that may be taken away.

    :param interval: hours of work between two checkpoints; ``young`` and ``daly`` by formula.
    :param billed: hours, expected; ``simulated`` the mean of so many played ones, with its error.
    :param late: share of jobs beyond the deadline, and its upper bound at 97.5 %.
    """

    work: float
    rate: float
    interval: float
    young: float
    daly: float
    billed: float
    elapsed: float
    cost: float
    on_demand_cost: float
    runs: int
    simulated_cost: float
    simulated_error: float
    costs: Spread
    elapsed_hours: Spread
    saving: Spread
    deadline: float | None
    late: float | None
    late_high: float | None


class Change(Record):
    """What a recommendation would change.

    :param where: ``spec``: the migration's own file, which the phase provision reads; ``by hand``: what no
        phase of Heavylift sets.
    """

    where: Literal["spec", "by hand"]
    field: str
    before: str
    after: str


class Recommendation(Record):
    """One thing to change, with what it is expected to bring and what can go wrong.

    :param saving: a month, in the currency of the prices; None where it can't be told.
    """

    kind: OptimizeKind
    subject: str
    statement: str
    saving: Spread | None
    risk: str
    evidence: EvidenceRef
    changes: tuple[Change, ...]


class ProposalRecord(Record):
    """All that a run recommends, and the patch of the spec: what a person approves by its digest.

    :param spec_sha256: of the file that the patch is for; ``made_of``: the results that were looked at.
    :param nothing_for: results that recommend nothing, each with the reason.
    :param patch: None where the spec stays as it is.
    """

    schema_version: Literal["heavylift/optimize-proposal/v1"] = "heavylift/optimize-proposal/v1"
    run: RunKey
    digest: str
    spec_sha256: str
    made_of: tuple[EvidenceRef, ...]
    recommendations: tuple[Recommendation, ...]
    nothing_for: tuple[str, ...] = ()
    patch: EvidenceRef | None = None
    statement: str
    made_at: datetime = Field(default_factory=utc_now)
