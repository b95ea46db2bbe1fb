"""The ``monitor`` section: what is watched on both sides, before and after the switch."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from heavylift.spec.base import ConnectionId, Count, Flag, Name, Number, SpecModel, Text, Url
from heavylift.spec.quantities import Seconds, SizeBytes

MIB = 2**20
_Column = Annotated[Text, Field(min_length=1, max_length=1000)]
_Share = Annotated[Number, Field(ge=0.0, le=1.0)]


class AccuracyMetric(StrEnum):
    """Measures of predictions against labels."""

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    MAE = "mae"
    RMSE = "rmse"
    LOG_LOSS = "log_loss"


class TablePlace(SpecModel):
    """A table: a folder or file of Parquet, CSV or Arrow."""

    url: Url = Field(description="Folder, or file by its suffix.")
    connection: ConnectionId | None = Field(
        default=None, description="By default that of the side that it is named for."
    )


class Watch(SpecModel):
    """What every watched thing has: a name, and where its table lies on each side."""

    name: Name = Field(description="Its series of evidence goes on under this name.")
    source: TablePlace | None = Field(default=None, description="Its table on the source.")
    target: TablePlace | None = Field(default=None, description="Its table on the target.")


class DriftWatch(Watch):
    """A table whose columns must stay distributed as they were: data, or predictions."""

    reference: TablePlace | None = Field(
        default=None,
        description="What both sides are compared with; where null the profile that the first run makes"
        " of the source's table.",
    )
    columns: tuple[_Column, ...] = Field(default=(), description="Only these; * and ? are wild.")
    ignore: tuple[_Column, ...] = Field(default=(), description="Not these; wins over columns.")
    effect: _Share = Field(
        default=0.05, description="Effect, from 0 to 1, from which on a column has drifted."
    )
    effects: dict[_Column, _Share] = Field(default={}, description="Other effects, by column.")
    max_missing: _Share = Field(default=0.05, description="Difference of the shares of missing values.")
    max_unseen: _Share = Field(default=0.01, description="Share of rows with categories that are new.")
    confidence: Number = Field(default=0.95, ge=0.5, lt=1.0, description="Of all columns together.")
    judge_times: Flag = Field(default=False, description="Judge columns of times, too.")


class AccuracyWatch(Watch):
    """Predictions on each side, joined with labels that come later."""

    labels: TablePlace = Field(description="Table of the labels; the target's connection by default.")
    key: tuple[_Column, ...] = Field(min_length=1, description="Columns that join predictions and labels.")
    label_key: tuple[_Column, ...] = Field(default=(), description="Where the labels call them otherwise.")
    prediction: _Column = Field(default="prediction", description="Column of the prediction.")
    label: _Column = Field(default="label", description="Column of the label.")
    predicted_at: _Column | None = Field(default=None, description="Column of the prediction's moment.")
    labelled_at: _Column | None = Field(default=None, description="Column of the label's; the latest counts.")
    slices: tuple[_Column, ...] = Field(default=(), description="Columns whose values are judged apart.")
    metric: AccuracyMetric = Field(default=AccuracyMetric.ACCURACY, description="What is measured.")
    positive: Text = Field(default="1", description="Label that precision, recall, f1 and log_loss mean.")
    baseline: Number | None = Field(
        default=None, description="What it is held against; where null the first record of the source."
    )
    max_drop: Number = Field(default=0.02, ge=0.0, description="How much worse, in the metric's own unit.")
    mature_after: Seconds = Field(default=0, ge=0, description="A younger prediction needs no label yet.")
    min_coverage: _Share = Field(default=0.5, description="Share with labels, below which nothing is told.")
    confidence: Number = Field(default=0.95, ge=0.5, lt=1.0, description="Of all slices together.")


class SloWatch(Watch):
    """Requests on each side: their error budget, and their latencies beside the source's."""

    at: _Column = Field(default="at", description="Column of the moment.")
    status: _Column = Field(default="status", description="Column of the HTTP status, or of ok.")
    latency: _Column | None = Field(default=None, description="Column of milliseconds.")
    objective: Number = Field(default=0.999, gt=0.0, lt=1.0, description="Share of requests to be good.")
    latency_limit: Number | None = Field(default=None, gt=0.0, description="Milliseconds; slower is bad.")
    baseline: Text | None = Field(
        default=None,
        description="Path of an endpoint's baseline in the evidence; where null the source's first record.",
    )
    judged: Number = Field(default=0.95, description="Quantile that is compared: 0.5, 0.9, 0.95 or 0.99.")
    max_ratio: Number = Field(default=1.2, ge=1.0, description="How much slower it may be.")


class ConvergenceWatch(SpecModel):
    """Training runs of the target beside the band of the source's seeds."""

    name: Name = Field(description="Its series of evidence goes on under this name.")
    source: TablePlace = Field(description="Table of the seeds' curves, one row for each run and step.")
    target: TablePlace = Field(description="Table of the target's curves.")
    run: _Column = Field(default="run", description="Column of the run.")
    step: _Column = Field(default="step", description="Column of the step.")
    value: _Column = Field(default="loss", description="Column of the value.")
    patience: Count = Field(default=5, ge=1, le=100_000, description="Steps in a row outside of the band.")
    lower_is_better: Flag = Field(default=True, description="Whether the value is to fall, as a loss.")


class GapsWatch(Watch):
    """Logs with sequence numbers, over both sides together."""

    sequence: _Column = Field(default="sequence", description="Column of the number.")
    stream: _Column | None = Field(default=None, description="Column of what counts for itself.")


class BillPlace(TablePlace):
    """Rows of a bill in FOCUS format, and which of them are the workload's."""

    resources: tuple[Text, ...] = Field(default=(), description="ResourceId; * is wild; empty for any.")
    services: tuple[Text, ...] = Field(default=(), description="ServiceName; likewise.")


class CountsPlace(TablePlace):
    """Rows that count predictions."""

    at: _Column = Field(default="day", description="Column of the day or moment.")
    count: _Column = Field(default="predictions", description="Column of their number.")


class CostWatch(SpecModel):
    """What both sides cost a day, in one series across the switch, held against what was planned."""

    name: Name = Field(description="Its series of evidence goes on under this name.")
    source: BillPlace | None = Field(default=None, description="Bill of the source.")
    target: BillPlace | None = Field(default=None, description="Bill of the target.")
    predictions: CountsPlace | None = Field(
        default=None, description="How many predictions were served, by both; the target's connection."
    )
    expected_day: Number | None = Field(
        default=None, gt=0.0, description="What a day on the target may cost; where null the plan's estimate."
    )
    band: Number = Field(default=0.2, ge=0.0, le=10.0, description="Share above that is no alarm.")
    max_double: Number | None = Field(
        default=None, ge=0.0, description="What double running may cost; where null the plan's estimate."
    )
    days: Count = Field(default=7, ge=1, le=366, description="The newest days of which the mean is judged.")
    settle: Count = Field(default=2, ge=0, le=90, description="Days until a bill is whole.")
    effective: Flag = Field(default=False, description="EffectiveCost, which spreads commitments, is summed.")


class Monitor(SpecModel):
    """What is watched by the DAG ``<migration>.monitor``, on the schedule ``schedule.monitor``."""

    drift: tuple[DriftWatch, ...] = Field(default=(), description="Tables that must stay as they were.")
    accuracy: tuple[AccuracyWatch, ...] = Field(default=(), description="Predictions with late labels.")
    slo: tuple[SloWatch, ...] = Field(default=(), description="Error budgets and latencies.")
    convergence: tuple[ConvergenceWatch, ...] = Field(default=(), description="Training curves.")
    gaps: tuple[GapsWatch, ...] = Field(default=(), description="Logs that must have no gap.")
    cost: tuple[CostWatch, ...] = Field(default=(), description="Bills of both sides, by day.")
    memory: SizeBytes = Field(default=512 * MIB, ge=16 * MIB, description="For what one look reads at once.")
    fail_unsure: Flag = Field(default=False, description="A run fails where something cannot be told, too.")

    def watches(self) -> Iterator[tuple[str, int, Watch | ConvergenceWatch | CostWatch]]:
        """Yield kind, position and watch, in the order of the spec."""
        for kind in ("drift", "accuracy", "slo", "convergence", "gaps", "cost"):
            for index, watch in enumerate(getattr(self, kind)):
                yield kind, index, watch
