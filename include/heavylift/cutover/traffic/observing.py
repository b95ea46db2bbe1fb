"""What a proxy counted of each side: what a canary is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from heavylift.cutover.ports import Side
from heavylift.histograms import Histogram


@dataclass(frozen=True)
class SideCounts:
    """Counts of one side since its proxy started.

    :param requests: live requests that were answered, or failed.
    :param server_errors: of them, answered with 5xx, or with nothing.
    :param connection_failures: tries to connect that failed; most were made good by another try.
    :param timeouts: requests that were given up.
    :param retried: requests that were sent again.
    :param latency: of live requests, from the proxy to the last byte of the answer; in whole milliseconds.
    :param mirrored: copies of live requests that were sent there, whose answers nobody saw.
    :param mirrored_errors: of them, answered with 5xx, or with nothing.
    :param mirrored_latency: of them; empty where live and mirrored ones can't be told apart.
    """

    requests: int = 0
    server_errors: int = 0
    connection_failures: int = 0
    timeouts: int = 0
    retried: int = 0
    latency: Histogram = field(default_factory=Histogram)
    mirrored: int = 0
    mirrored_errors: int = 0
    mirrored_latency: Histogram = field(default_factory=Histogram)

    @property
    def error_rate(self) -> float | None:
        """The share of live requests that failed; None where there were none."""
        return self.server_errors / self.requests if self.requests else None

    def since(self, earlier: SideCounts) -> SideCounts:
        """Return what was counted after ``earlier``."""
        numbers = {
            name: getattr(self, name) - getattr(earlier, name)
            for name in ("requests", "server_errors", "connection_failures", "timeouts", "retried")
        }
        return SideCounts(
            **numbers,
            latency=_difference(self.latency, earlier.latency),
            mirrored=self.mirrored - earlier.mirrored,
            mirrored_errors=self.mirrored_errors - earlier.mirrored_errors,
            mirrored_latency=_difference(self.mirrored_latency, earlier.mirrored_latency),
        )


@dataclass(frozen=True)
class Observation:
    """What was counted of both sides up to one moment.

    :param began: when the proxy started to count, in seconds since 1970, exact to a second: two observations
        belong together only where it is the same.
    :param taken: when this was told.
    """

    began: float
    taken: float
    sides: Mapping[Side, SideCounts]

    @property
    def source(self) -> SideCounts:
        """What was counted of the source."""
        return self.sides[Side.SOURCE]

    @property
    def target(self) -> SideCounts:
        """What was counted of the target."""
        return self.sides[Side.TARGET]

    def since(self, earlier: Observation) -> Observation | None:
        """Return what was counted after ``earlier``; None where the proxy was started again in between."""
        if abs(self.began - earlier.began) > _SLACK or self.source.requests < earlier.source.requests:
            return None
        sides = {side: self.sides[side].since(earlier.sides[side]) for side in Side}
        return Observation(earlier.taken, self.taken, sides)


@runtime_checkable
class ObservedTraffic(Protocol):
    """Traffic that counts what it sees."""

    async def observe(self) -> Observation:
        """Tell what was counted of each side; changes nothing."""
        ...


_SLACK = 2.0


def _difference(later: Histogram, earlier: Histogram) -> Histogram:
    left = Counter(later.counts)
    left.subtract(earlier.counts)
    return Histogram(Counter({bucket: count for bucket, count in left.items() if count > 0}))
