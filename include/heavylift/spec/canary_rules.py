"""The part ``analysis`` of the section ``cutover``: how the target is judged while traffic moves to it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from heavylift.spec.base import ConnectionId, Count, Number, SpecModel, Text, Url, wrong
from heavylift.spec.quantities import RequestsPerSecond, Seconds


class Direction(StrEnum):
    """Which way of a business metric is good."""

    HIGHER = "higher"
    LOWER = "lower"


def _check_quantiles(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(values)) != len(values) or not all(0 < each < 1 for each in values):
        raise wrong("quantiles", "different numbers between 0 and 1, such as [0.5, 0.95]")
    return values


class BusinessMetric(SpecModel):
    """A figure of the business that both sides have, read from a server that speaks Prometheus' API."""

    name: Text = Field(min_length=1, description="For people.")
    connection: ConnectionId = Field(
        description="The Airflow connection of the server, type http; its URL without /api."
    )
    source_query: Text = Field(min_length=1, description="PromQL: its value on the source, one number.")
    target_query: Text = Field(min_length=1, description="PromQL: its value on the target, one number.")
    direction: Direction = Field(default=Direction.HIGHER, description="Which way is good.")
    max_drop: Number = Field(
        default=0.05, ge=0.0, lt=1.0, description="By which share it may be worse than the source's."
    )
    bad_drop: Number = Field(
        default=0.2, gt=0.0, lt=1.0, description="From which share on the target is certainly bad."
    )
    every: Seconds = Field(
        default=60,
        ge=1,
        le=86_400,
        description="Between two readings; not shorter than the time that the query looks back, or one"
        " event is counted twice.",
    )


class Analysis(SpecModel):
    """How the target is judged against the source, at the same moment, in the shadow and at each step.

    What is within a ``max_`` is good, what is beyond a ``bad_`` is bad; the two probabilities of an error
    hold for these. Between them either verdict is right.
    """

    false_abort: Number = Field(
        default=0.02,
        gt=0.0,
        le=0.5,
        description="Probability at most that a good target is aborted, over all steps, metrics and looks.",
    )
    miss: Number = Field(
        default=0.05, gt=0.0, le=0.5, description="Probability at most that a step promotes a bad target."
    )
    bad_error_rate: Number = Field(
        default=0.005, gt=0.0, lt=1.0, description="Error rate above the source's that is certainly bad."
    )
    bad_latency_ratio: Number = Field(
        default=1.5, gt=0.0, description="Ratio of latency to the source's that is certainly bad."
    )
    latency_quantiles: Annotated[tuple[Number, ...], AfterValidator(_check_quantiles)] = Field(
        default=(0.5, 0.95), min_length=1, max_length=5, description="Of the latency that are compared."
    )
    max_mismatch_rate: Number = Field(
        default=0.001,
        gt=0.0,
        lt=1.0,
        description="Rate of requests that both sides may answer differently; beyond this, all goes back.",
    )
    bad_mismatch_rate: Number = Field(
        default=0.01, gt=0.0, lt=1.0, description="Rate of different answers that is certainly bad."
    )
    absolute_tolerance: Number = Field(
        default=1e-6, ge=0.0, description="By how much numbers of two equal answers may differ."
    )
    relative_tolerance: Number = Field(
        default=1e-4, ge=0.0, le=1.0, description="By which share of them, in addition."
    )
    max_shift: Number = Field(
        default=0.05,
        gt=0.0,
        lt=1.0,
        description="Without pairs: difference of the shares of predictions above a value that may be.",
    )
    bad_shift: Number = Field(
        default=0.15, gt=0.0, lt=1.0, description="Difference of these shares that is certainly bad."
    )
    max_baseline_errors: Number = Field(
        default=0.1,
        gt=0.0,
        lt=1.0,
        description="Beyond this error rate the source is unwell and nothing is promoted.",
    )
    min_samples: Count = Field(
        default=300, ge=1, le=10_000_000, description="Pairs, or requests, before a step is promoted."
    )
    max_samples: Count = Field(
        default=1_000_000, ge=1, le=1_000_000_000, description="Then the step holds where nothing is shown."
    )
    warm_up: Seconds = Field(
        default=20, ge=0, le=86_400, description="At the begin of a step: latency is not judged, errors are."
    )
    block: Seconds = Field(
        default=1,
        ge=1,
        le=3_600,
        description="What happens within this time is one event: it at most doubles the evidence.",
    )
    requests: Url | None = Field(
        default=None,
        description="URL of the requests that both sides are asked at once: a JSON document a line. In a"
        " store it is read with the source's connection.",
    )
    source_connection: ConnectionId | None = Field(
        default=None, description="The source's scoring endpoint, type http."
    )
    target_connection: ConnectionId | None = Field(
        default=None, description="The target's scoring endpoint, type http."
    )
    probe_rate: RequestsPerSecond = Field(
        default=20, ge=1, le=10_000, description="Such requests a second, to each side."
    )
    probe_timeout: Seconds = Field(
        default=5, ge=1, le=600, description="Then such a request counts as an error."
    )
    business: BusinessMetric | None = Field(
        default=None, description="A figure of the business that both sides have."
    )
