"""What an endpoint does today: latency, throughput and errors at stepped rates, with the histograms.

A record lies under ``<run>/~baselines/<connection>/``. It holds figures and digests; of the requests,
the answers and the credentials it holds nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import Finding, RunKey, utc_now
from heavylift.histograms import Histogram

BASELINES_FOLDER = "~baselines"
Limit = Literal["", "endpoint", "errors", "connections", "client"]


def baseline_folder(run: RunKey, connection: str) -> str:
    """Return the folder of the baselines of one endpoint in a run."""
    return f"{run.folder}/{BASELINES_FOLDER}/{safe_segment(connection)}"


def baseline_path(run: RunKey, connection: str, number: int) -> str:
    """Return the path of the ``number``-th baseline of one endpoint in a run, from 1."""
    return f"{baseline_folder(run, connection)}/endpoint-baseline-{number}.json"


def is_baseline_path(path: str) -> bool:
    """Tell whether a path of the evidence store is that of an endpoint's baseline."""
    return f"/{BASELINES_FOLDER}/" in path and path.rsplit("/", 1)[-1].startswith("endpoint-baseline-")


class HistogramRecord(Record):
    """A log-linear histogram (:mod:`heavylift.histograms`): bucket → count. Counts of two may be added."""

    unit: Literal["us"] = "us"
    sub_bucket_bits: Literal[8] = 8
    counts: dict[int, int] = Field(default_factory=dict)

    @classmethod
    def of(cls, histogram: Histogram) -> HistogramRecord:
        """Return the written form."""
        return cls(counts=dict(sorted(histogram.counts.items())))

    def histogram(self) -> Histogram:
        """Return the form that is worked with."""
        return Histogram.from_counts(self.counts)


class Machine(Record):
    """The machine that measured: durations of another one hold another way to the endpoint."""

    cores: int
    cpu: str
    kernel: str
    python: str
    architecture: str


class QuantileFigure(Record):
    """One quantile of the latency in milliseconds, with its interval at 95 %.

    :param high_ms: None where there are too few requests for any upper bound.
    """

    quantile: float
    ms: float
    low_ms: float
    high_ms: float | None


class StepRecord(Record):
    """What happened at one rate. ``planned`` is the sum of ``answered``, ``errors`` and ``not_sent``.

    :param rate: requests a second that were due; ``achieved`` that were answered well.
    :param errors: kind → count: ``http 503``, ``timeout``, ``no answer`` …; not in the latencies.
    :param not_sent: requests that were not due yet when the step was stopped.
    :param late_p99_ms: how late the client itself began; it is part of the latency.
    :param waited_p99_ms: for a free connection; part of the latency, too.
    :param most_waiting: requests that waited for a connection at once.
    :param limited_by: what kept the rate from being sustained; empty where it was.
    :param blocks: the latencies in parts of equal numbers of requests, in the order in which these were due.
    """

    rate: float
    seconds: float
    planned: int
    answered: int
    errors: dict[str, int]
    not_sent: int
    reconnected: int
    achieved: float
    error_rate: float
    quantiles: tuple[QuantileFigure, ...]
    largest_ms: float | None
    late_p99_ms: float
    waited_p99_ms: float
    most_waiting: int
    sustained: bool
    limited_by: Limit = ""
    reason: str = ""
    blocks: tuple[HistogramRecord, ...]

    def histogram(self) -> Histogram:
        """Return the histogram of all latencies of the step."""
        return Histogram().merged(*(each.histogram() for each in self.blocks))


class RatioFigure(Record):
    """The ratio of one quantile of two measurements, with its interval at 95 %; None: no bound."""

    quantile: float
    ratio: float
    low: float
    high: float | None


class NoiseFloor(Record):
    """The endpoint measured against itself in turn: what a ratio between two endpoints can't tell apart."""

    rate: float
    requests: int
    ratios: tuple[RatioFigure, ...]


class ComparedStep(Record):
    """One rate that both measurements have."""

    rate: float
    ratios: tuple[RatioFigure, ...]
    passed: bool


class BaselineComparison(Record):
    """This measurement held against an earlier one.

    :param judged: the quantile whose ratio decides: its upper bound must not be above ``max_ratio``.
    """

    baseline: str
    baseline_sha256: str
    judged: float
    max_ratio: float
    same_machine: bool
    steps: tuple[ComparedStep, ...]
    max_sustained_before: float | None
    max_sustained_now: float | None
    passed: bool
    statement: str


class PredictionCost(Record):
    """What 1,000 predictions cost, as decimal text, and what it was made from.

    :param basis: in words: the bill's rows and predictions, or the price of an hour and the rate.
    """

    per_thousand: str
    currency: str
    amount: str
    predictions: str
    basis: str


class QualityFigure(Record):
    """One metric of the golden rows, or of a part of them.

    :param part: ``column=value``; empty for all rows.
    :param low: with ``high`` the interval at 95 %; None where the rows give no bound.
    :param again: the same metric of the answers to the second asking.
    """

    metric: str
    part: str = ""
    rows: int
    value: float
    low: float | None = None
    high: float | None = None
    again: float | None = None


class GoldenQuality(Record):
    """How good the endpoint's predictions are, by golden rows whose truth is known.

    All rows were asked twice, the second time in reverse order: ``changed`` rows were answered differently,
    and ``changed_bound`` is the most that their rate can be at 95 %.

    :param inputs: where the golden rows lie.
    :param unlabelled: rows without a label, which were not asked.
    :param largest_change: of a number that is answered; None where labels are.
    """

    inputs: str
    golden_sha256: str
    label: str
    task: Literal["classification", "regression"]
    rows: int
    unlabelled: int = 0
    threshold: float | None = None
    figures: tuple[QualityFigure, ...]
    changed: int
    changed_bound: float
    largest_change: float | None = None
    seed: int
    took_seconds: float
    statement: str

    def figure(self, metric: str, part: str = "") -> QualityFigure | None:
        """Return one figure; None where it was not measured."""
        found = (each for each in self.figures if (each.metric, each.part) == (metric, part))
        return next(found, None)


class EndpointBaseline(Record):
    """The measured baseline of one live endpoint.

    :param address: without credentials and query.
    :param max_sustained: the highest rate that was sustained; None where none was.
    :param quality: of its predictions; None where no golden rows with labels were given.
    :param ceiling_reached: a higher rate was tried and not sustained: else it may be able to do more.
    """

    schema_version: Literal["heavylift/endpoint-baseline/v1"] = "heavylift/endpoint-baseline/v1"
    run: RunKey
    connection: str
    address: str
    measured_at: datetime = Field(default_factory=utc_now)
    machine: Machine
    requests_sha256: str
    bodies: int
    arrivals: Literal["poisson", "even"]
    seed: int
    connections: int
    timeout_seconds: float
    warm_up_requests: int
    max_error_rate: float
    min_achieved: float
    steps: tuple[StepRecord, ...]
    not_tried: tuple[float, ...] = ()
    noise_floor: NoiseFloor | None = None
    max_sustained: float | None
    ceiling_reached: bool
    comparison: BaselineComparison | None = None
    cost: PredictionCost | None = None
    quality: GoldenQuality | None = None
    findings: tuple[Finding, ...] = ()
    statement: str
    passed: bool
    took_seconds: float
