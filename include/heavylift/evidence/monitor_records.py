"""What the watching of a migration found: one record for each look at one watched thing.

They lie under ``<migration>/monitoring/<watch>/``, for a series goes on through all phases and runs. A record
has counts, shares and digests; no value of a row is in it.
"""

from __future__ import annotations

import base64
import zlib
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from heavylift.errors import AuditError
from heavylift.evidence.base import Record
from heavylift.evidence.baseline_records import HistogramRecord
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import utc_now

MONITORING = "monitoring"
"""The folder of all of it, beside those of the phases."""
MOST_BYTES = 64 * 1024 * 1024

Verdict = Literal["ok", "alarm", "unsure"]
"""``unsure``: there is too little to tell, which is neither an alarm nor a proof."""
WatchKind = Literal["drift", "accuracy", "slo", "latency", "convergence", "gaps", "cost", "profile"]
WatchedSide = Literal["", "source", "target"]
ColumnVerdict = Literal["same", "drift", "unsure", "missing", "new", "type", "not compared"]


def watch_folder(migration: str, watch: str) -> str:
    """Return the folder of one watched thing."""
    return f"{migration}/{MONITORING}/{safe_segment(watch)}"


def watch_path(migration: str, watch: str, kind: WatchKind, number: int) -> str:
    """Return the path of the ``number``-th record of a kind, from 1."""
    return f"{watch_folder(migration, watch)}/{kind}-{number}.json"


class WatchRecord(Record):
    """What all records have: one point of a series.

    :param side: whose data was looked at; a series goes on across the switch from source to target.
    :param run: of the DAG; empty from a shell.
    :param figures: the numbers of the point, by name.
    :param reasons: of an alarm, and of what cannot be told.
    """

    migration: str
    watch: str
    kind: WatchKind
    side: WatchedSide = ""
    run: str = ""
    measured_at: datetime = Field(default_factory=utc_now)
    verdict: Verdict
    figures: dict[str, float]
    reasons: tuple[str, ...] = ()
    statement: str
    took_seconds: float = 0.0


class TableSide(Record):
    """One side of a comparison."""

    url: str
    files: int
    rows: int
    size_bytes: int
    digest: str
    left_out: int


class ColumnDrift(Record):
    """One column of both sides.

    :param effect: see :mod:`heavylift.monitor.effects`; with its bounds, None where nothing can be compared.
    :param missing: share of rows without a value, on both sides, and the bounds of their difference.
    :param unseen: share of the current rows whose category the reference has not, None where not known;
        ``unseen_low`` its lower bound, less the share that a reference of its size may have missed.
    """

    column: str
    verdict: ColumnVerdict
    kind: str
    types: tuple[str, str]
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    psi: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
    cells: int = 0
    missing: tuple[float, float] = (0.0, 0.0)
    missing_low: float = 0.0
    missing_high: float = 0.0
    infinite: tuple[float, float] = (0.0, 0.0)
    unseen: float | None = None
    unseen_low: float = 0.0
    gone: float | None = None
    reason: str = ""


class DriftThresholds(Record):
    """What a comparison was judged by. ``confidence`` holds for all columns together."""

    effect: float
    missing: float
    unseen: float
    confidence: float
    by_column: dict[str, float] = Field(default_factory=dict)


class DriftRecord(WatchRecord):
    """Two tables compared, column by column."""

    schema_version: Literal["heavylift/monitor-drift/v1"] = "heavylift/monitor-drift/v1"
    reference: TableSide
    current: TableSide
    thresholds: DriftThresholds
    columns: tuple[ColumnDrift, ...]


class SketchRecord(Record):
    """A sketch: its level, and its buckets and counts as packed differences."""

    level: int
    size: int
    data: str

    @classmethod
    def of(cls, level: int, buckets: NDArray[np.int64], counts: NDArray[np.int64]) -> SketchRecord:
        """Return the written form."""
        steps = np.diff(buckets, prepend=np.int64(0)) if buckets.size else buckets
        packed = zlib.compress(steps.astype("<i8").tobytes() + counts.astype("<i8").tobytes(), 6)
        return cls(level=level, size=int(buckets.size), data=base64.b64encode(packed).decode())

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return buckets and counts.

        :raises AuditError: the data does not fit the size.
        """
        try:
            raw = zlib.decompressobj().decompress(base64.b64decode(self.data, validate=True), MOST_BYTES)
            if len(raw) != 16 * self.size:
                raise ValueError(f"{len(raw)} bytes for {self.size} buckets")
        except (ValueError, zlib.error) as error:
            raise AuditError(
                "reading a sketch of a profile",
                got=str(error)[:200],
                expected="the sketch as it was written",
                state="nothing was judged",
                remedy="the record was changed or is damaged; make a new profile while the source stands",
                code="8904",
            ) from error
        both = np.frombuffer(raw, dtype="<i8").astype(np.int64)
        return np.cumsum(both[: self.size]), both[self.size :]


class ColumnProfileRecord(Record):
    """One column's counts and sketches."""

    name: str
    nulls: int
    nan: int
    above: int
    below: int
    others: int
    csv_values: int
    types: tuple[str, ...]
    kinds: tuple[str, ...]
    numbers: SketchRecord
    texts: SketchRecord


class ProfileRecord(WatchRecord):
    """A table's profile, to compare with when the table itself is gone."""

    schema_version: Literal["heavylift/monitor-profile/v1"] = "heavylift/monitor-profile/v1"
    table: TableSide
    columns: tuple[ColumnProfileRecord, ...]


class SliceFigure(Record):
    """The metric over all rows (``name`` empty) or one slice of them, such as ``country=de``.

    :param rows: with a label. ``value`` and its bounds are None where there is nothing to compute it from.
    :param drop: how much worse than the baseline, in the metric's own unit, with its bounds.
    """

    name: str
    rows: int
    value: float | None
    low: float | None
    high: float | None
    before: float | None = None
    drop: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    verdict: Verdict = "ok"


class LabelCoverage(Record):
    """How far labels have come.

    :param predictions: with a key of their own; ``mature`` are those old enough to have a label.
    :param repeated: predictions without a key, or with one that is there more than once; they do not count.
    :param conflicting: keys with labels that differ and nothing that tells which is the later.
    :param orphans: labels of no prediction.
    :param unusable: labelled predictions whose values the metric cannot use.
    :param delays: quantile → seconds from prediction to label.
    :param by_day: day → predictions and labelled ones; the newest 31.
    """

    predictions: int
    mature: int
    labelled: int
    mature_labelled: int
    repeated: int
    conflicting: int
    orphans: int
    unusable: int
    delays: dict[str, float] = Field(default_factory=dict)
    by_day: dict[str, tuple[int, int]] = Field(default_factory=dict)


class AccuracyRecord(WatchRecord):
    """Predictions joined with the labels that have come by now.

    :param baseline: path of the record that it is held against, or the number that was given.
    """

    schema_version: Literal["heavylift/monitor-accuracy/v1"] = "heavylift/monitor-accuracy/v1"
    predictions_url: str
    labels_url: str
    metric: str
    positive: str
    baseline: str
    max_drop: float
    min_coverage: float
    confidence: float
    coverage: LabelCoverage
    slices: tuple[SliceFigure, ...]


class BurnWindow(Record):
    """How fast the error budget goes in one pair of windows: an alarm where both are above ``factor``.

    :param burn: of the long window: 1 uses up just the budget; ``burn_low`` its lower bound at 95 %.
    """

    long_seconds: int
    short_seconds: int
    factor: float
    requests: int
    burn: float | None
    burn_low: float | None
    short_burn: float | None
    short_low: float | None
    alarm: bool


class QuantileRatio(Record):
    """One quantile now and in the baseline, in seconds, with bounds of their ratio."""

    quantile: float
    now: float
    before: float | None
    ratio: float | None
    low: float | None
    high: float | None


class SloRecord(WatchRecord):
    """Requests held against an objective, and their latencies against a baseline.

    :param budget_left: of the whole table; below 0 it is overspent.
    :param histogram: of all latencies, so that a later record can be compared with this one.
    """

    schema_version: Literal["heavylift/monitor-slo/v1"] = "heavylift/monitor-slo/v1"
    url: str
    objective: float
    latency_limit: float | None
    requests: int
    bad: int
    until: float | None
    budget_left: float | None
    windows: tuple[BurnWindow, ...]
    baseline: str
    max_ratio: float
    latency: tuple[QuantileRatio, ...]
    histogram: HistogramRecord


class BandPoint(Record):
    """One step of a training run beside the band of the source's seeds."""

    step: float
    value: float | None
    mean: float
    low: float
    high: float


class ConvergenceRecord(WatchRecord):
    """A training run on the target beside the band that runs of the source's seeds make.

    :param diverged_at: the first step of the stretch that left the band; None where none did.
    :param points: at most 200, spread over all steps.
    """

    schema_version: Literal["heavylift/monitor-convergence/v1"] = "heavylift/monitor-convergence/v1"
    reference_url: str
    current_url: str
    seeds: int
    steps: int
    outside: int
    diverged_at: float | None
    points: tuple[BandPoint, ...]


class GapFound(Record):
    """Sequence numbers that nobody has seen: after ``after``, before ``before``."""

    stream: str
    after: int
    before: int
    missing: int


class GapsRecord(WatchRecord):
    """Logs whose entries have sequence numbers, over all places in which they lie."""

    schema_version: Literal["heavylift/monitor-gaps/v1"] = "heavylift/monitor-gaps/v1"
    urls: tuple[str, ...]
    streams: int
    entries: int
    missing: int
    repeated: int
    unreadable: int
    gaps: tuple[GapFound, ...]


class CostDay(Record):
    """What one day cost, in the bill's currency, as exact decimals.

    :param predictions: None where nobody counted them.
    :param per_thousand: of both sides together.
    :param settled: the bill of that day is taken to be whole.
    """

    day: str
    source: str
    target: str
    predictions: int | None = None
    per_thousand: str | None = None
    settled: bool


class CostRecord(WatchRecord):
    """What both sides cost, day by day, across the switch.

    :param days: the newest 400. ``double_days``: those on which both sides cost something.
    :param spread: of charges over several days, which were shared out evenly.
    :param expected_day: what a day on the target may cost; ``estimate`` says who says so.
    :param double: what the source cost on ``double_days``, and what that may be.
    """

    schema_version: Literal["heavylift/monitor-cost/v1"] = "heavylift/monitor-cost/v1"
    urls: tuple[str, ...]
    currency: str
    rows: int
    days: tuple[CostDay, ...]
    spread: str
    expected_day: float | None
    band: float
    estimate: str
    double_days: int
    double: str
    double_allowed: float | None


class MonitorPoint(WatchRecord, extra="ignore"):
    """One point of a series, without what its record has beside it."""

    path: str = ""
