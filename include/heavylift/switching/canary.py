"""From a spec to the analysis of one step: what both sides are asked, and whose counters are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.ports import SideFigures
from heavylift.cutover.canary.requests import SHADOW, BusinessSource, CanaryRequest, Probes
from heavylift.cutover.ports import Side, TrafficPort
from heavylift.cutover.traffic.observing import ObservedTraffic, SideCounts
from heavylift.histograms import Histogram, value_of
from heavylift.locations import parse_location
from heavylift.platforms.places import Place
from heavylift.switching.parts import cutover_of

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import RunKey
    from heavylift.spec.model import MigrationSpec

Connections = Callable[[str], "Connection"]


def canary_request(spec: MigrationSpec, run: RunKey, step: str, connections: Connections) -> CanaryRequest:
    """Return the request that analyses one step of the spec's canary.

    :param step: ``shadow``, or the percentage of requests that the target answers.
    :raises SpecError: the spec has no section cutover, or no traffic that is moved in steps.
    """
    cutover = cutover_of(spec)
    traffic, analysis, evidence = cutover.traffic, cutover.analysis, spec.evidence
    watched = float((traffic.shadow if step == SHADOW else traffic.step_duration) if traffic else 0)
    return CanaryRequest(
        run=run,
        step=step,
        limits=Limits.of(cutover),
        seconds=max(watched, 1.0),
        at_least_seconds=watched if step == SHADOW else 0.0,
        probes=_probes(spec, connections),
        business=BusinessSource(connections(analysis.business.connection), analysis.business)
        if analysis.business
        else None,
        evidence_url=evidence.url,
        evidence_connection=connections(evidence.connection) if evidence.connection else None,
    )


def _probes(spec: MigrationSpec, connections: Connections) -> Probes | None:
    analysis = cutover_of(spec).analysis
    if not (analysis.requests and analysis.source_connection and analysis.target_connection):
        return None
    location = parse_location(analysis.requests)
    lies_with = None if location.scheme == "file" else connections(spec.source.connection)
    return Probes(
        connections(analysis.source_connection),
        connections(analysis.target_connection),
        Place(location, lies_with),
        rate=float(analysis.probe_rate),
        timeout_seconds=float(analysis.probe_timeout),
    )


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
