"""The part ``capacity`` of the section ``cutover``: what the target must sustain before requests move."""

from __future__ import annotations

from pydantic import Field

from heavylift.spec.base import Count, Number, SpecModel
from heavylift.spec.quantities import RequestsPerSecond, Seconds


class Capacity(SpecModel):
    """A short load on the target's endpoint, before a cutover may begin.

    It is asked ``analysis.requests``; errors and latency are bounded by ``max_error_rate`` and
    ``max_latency_ratio`` of the section.
    """

    rate: RequestsPerSecond | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Requests a second that it must sustain, such as those of the busiest hour. Where left"
        " out: what the route counts now, else the highest rate that the source's newest baseline sustained.",
    )
    headroom: Number = Field(
        default=1.2, ge=1.0, le=100.0, description="Times what is counted or was sustained; not times rate."
    )
    duration: Seconds = Field(default=30, ge=5, le=3600, description="How long the load lasts.")
    warm_up: Seconds = Field(
        default=5, ge=0, le=3600, description="Load before that, of which nothing counts."
    )
    count_for: Seconds = Field(
        default=10, ge=1, le=3600, description="How long the route's requests are counted for the rate."
    )
    connections: Count = Field(default=64, ge=1, le=10_000, description="Open at once at most.")
