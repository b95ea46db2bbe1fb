"""Whether the target sustained the source's load before traffic moved to it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.baseline_records import Machine, RatioFigure, StepRecord
from heavylift.evidence.records import RunKey, utc_now


class CapacityRecord(Record):
    """The target's endpoint under the rate that awaits it, and the source's beside it.

    :param connection: of the target's endpoint.
    :param asked_rate: requests a second that the source has, or the spec names; ``rate`` with the headroom.
    :param rate_from: who says so.
    :param target: the load; ``source`` what the source did meanwhile under few requests.
    :param ratio: of the target's P95 to the source's; None where one of them answered too little.
    :param reasons: why the target did not sustain it.
    """

    schema_version: Literal["heavylift/capacity/v1"] = "heavylift/capacity/v1"
    run: RunKey
    measured_at: datetime = Field(default_factory=utc_now)
    machine: Machine
    connection: str
    address: str
    requests_sha256: str
    asked_rate: float
    rate: float
    rate_from: Literal["spec", "route", "baseline"]
    target: StepRecord
    source: StepRecord
    ratio: RatioFigure | None
    max_error_rate: float
    max_latency_ratio: float
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the target sustained it, within the bounds."""
        return not self.reasons
