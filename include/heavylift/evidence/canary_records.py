"""What the analysis of a canary step or of the shadow decided, with every number that it decided by.

A record lies under ``<run>/~canary/<step>/``; beside it the state from which an analysis that was cut off
goes on. Neither holds requests, answers or credentials.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, utc_now

CANARY_FOLDER = "~canary"
VerdictWord = Literal["promote", "hold", "abort"]


def canary_folder(run: RunKey, step: str) -> str:
    """Return the folder of the analyses of one step in a run."""
    return f"{run.folder}/{CANARY_FOLDER}/{safe_segment(step)}"


def canary_path(run: RunKey, step: str, number: int) -> str:
    """Return the path of the ``number``-th analysis of one step in a run, from 1."""
    return f"{canary_folder(run, step)}/canary-analysis-{number}.json"


class CanaryMetric(Record):
    """One metric of the target against the source at the same moment.

    :param good: up to here the target is good; ``bad``: from here on it is bad.
    :param estimate: what the figure seems to be; None where nothing is known.
    :param low: it is above this limit, at the confidence of an abort; None where it is above none.
    :param high: it is below this limit, at the confidence of a promotion; None where it is below none.
    :param against: what a bet against "good" has become at most; ``abort_at`` aborts.
    :param evidence: what a bet against "bad" has become at most; ``pass_at`` is needed.
    :param proves: a step is promoted only where this metric has passed.
    :param needs: what would change it.
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


class LookMetric(Record):
    """One metric at one look: the estimate and both evidences."""

    estimate: float | None
    against: float
    evidence: float
    samples: int


class Look(Record):
    """One look at the evidence, and what was decided.

    :param seconds: since the analysis of this step began.
    """

    seconds: float
    samples: int
    decision: VerdictWord
    final: bool
    metrics: dict[str, LookMetric]


class SideRecord(Record):
    """What one side did.

    :param statuses: kind of failure → count; empty key: answered well.
    :param quantiles_ms: share → latency in milliseconds, of paired requests or live counters.
    """

    connection: str = ""
    address: str = ""
    requests: int = 0
    statuses: dict[str, int] = Field(default_factory=dict)
    quantiles_ms: dict[str, float] = Field(default_factory=dict)
    live_requests: int = 0
    live_errors: int = 0


class CanaryRecord(Record):
    """The verdict on one step.

    :param step: ``shadow``, or the percentage of traffic that the target answers.
    :param final: more samples would not change it; a hold that is not final ran out of time.
    :param settings_sha256: of everything that the verdict depends on besides the samples.
    :param resumed: how often the analysis went on after it had been cut off.
    :param missed: source of samples → how often it told nothing, such as a counter that could not be read.
    """

    schema_version: Literal["heavylift/canary-analysis/v1"] = "heavylift/canary-analysis/v1"
    run: RunKey
    step: str
    verdict: VerdictWord
    final: bool
    reasons: tuple[str, ...]
    metrics: tuple[CanaryMetric, ...]
    samples: int
    source: SideRecord
    target: SideRecord
    looks: tuple[Look, ...]
    false_abort: float
    miss: float
    steps: int
    settings_sha256: str
    requests_sha256: str = ""
    resumed: int = 0
    missed: dict[str, int] = Field(default_factory=dict)
    decided_at: datetime = Field(default_factory=utc_now)
    took_seconds: float

    @property
    def promoted(self) -> bool:
        """The step may be followed by the next one."""
        return self.verdict == "promote"


class CanaryState(Record):
    """From where an analysis goes on that was cut off.

    :param attempt: the number of the record that it will become.
    :param state: the wealths of all bets, as the analysis writes them.
    """

    attempt: int
    settings_sha256: str
    spent_seconds: float
    resumed: int
    state: dict[str, object]
    looks: tuple[Look, ...]
    source: SideRecord
    target: SideRecord
    missed: dict[str, int]
