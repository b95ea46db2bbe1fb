"""The counters of a route, as the analysis of a canary reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heavylift.cutover.canary.ports import SideFigures
from heavylift.cutover.canary.requests import SHADOW
from heavylift.cutover.ports import Side, TrafficPort
from heavylift.cutover.traffic.observing import ObservedTraffic, SideCounts
from heavylift.histograms import Histogram, value_of


@dataclass(frozen=True)
class LiveTraffic:
    """The counters of a route as the analysis reads them.

    :param shadow: the target answers copies only: these are what is counted of it.
    """

    traffic: ObservedTraffic
    shadow: bool

    async def observe(self) -> Mapping[Side, SideFigures]:
        """Return what both sides have done until now."""
        seen = await self.traffic.observe()
        target = _mirrored(seen.target) if self.shadow else _live(seen.target)
        return {Side.SOURCE: _live(seen.source), Side.TARGET: target}


def live_traffic(port: TrafficPort | None, step: str) -> LiveTraffic | None:
    """Return the counters of a route; None where it has none."""
    return LiveTraffic(port, step == SHADOW) if isinstance(port, ObservedTraffic) else None


def _live(counts: SideCounts) -> SideFigures:
    return SideFigures(counts.requests, counts.server_errors, _cumulative(counts.latency))


def _mirrored(counts: SideCounts) -> SideFigures:
    return SideFigures(counts.mirrored, counts.mirrored_errors, _cumulative(counts.mirrored_latency))


def _cumulative(latency: Histogram) -> dict[float, int]:
    """Return how many durations do not exceed each bucket's value, in seconds."""
    seen, edges = 0, {}
    for bucket in sorted(latency.counts):
        seen += latency.counts[bucket]
        edges[value_of(bucket) / 1e6] = seen
    return edges
