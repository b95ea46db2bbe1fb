"""From a spec's section ``cutover`` to what an analysis is asked for."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.connections import Connection
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.requests import SHADOW, BusinessSource, CanaryRequest, Probes
from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey
from heavylift.locations import parse_location
from heavylift.platforms.places import Place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_platform import Cutover


def canary_request(
    spec: MigrationSpec, run: RunKey, connections: Callable[[str], Connection], step: str
) -> CanaryRequest:
    """Return the request for one step of a spec's traffic, or for the shadow.

    The shadow lasts as long as ``traffic.shadow`` says, a step as long as ``traffic.step_duration``: bad
    ends it earlier, good does not.

    :param connections: looks a connection up by its id.
    :raises SpecError: the spec has no section ``cutover``, or its limits contradict each other.
    """
    cutover = spec.cutover
    if cutover is None:
        raise SpecError(
            f"preparing the analysis of step {step} of migration {spec.migration}",
            got="a spec without the section cutover",
            expected="a section cutover, whose limits are judged by",
            state="nothing was asked and nothing was changed",
            remedy="add the section cutover to the spec",
            code="8767",
        )
    traffic = cutover.traffic
    seconds = float((traffic.shadow if step == SHADOW else traffic.step_duration) if traffic else 600)
    business = cutover.analysis.business
    evidence = spec.evidence
    return CanaryRequest(
        run=run,
        step=step,
        limits=Limits.of(cutover),
        seconds=seconds,
        at_least_seconds=seconds * _WATCHED,
        probes=probes_of(cutover, spec.source.connection, connections),
        # In the shadow nobody's business is done on the target.
        business=BusinessSource(connections(business.connection), business)
        if business and step != SHADOW
        else None,
        evidence_url=evidence.url,
        evidence_connection=connections(evidence.connection) if evidence.connection else None,
    )


_WATCHED = 0.95
"""The share of a step after which a promotion ends it: the last block must still come in."""


def probes_of(cutover: Cutover, lies_with: str, connections: Callable[[str], Connection]) -> Probes | None:
    """Return what both sides are asked and where; None where the spec does not say.

    :param lies_with: connection of the store in which the requests lie.
    """
    analysis = cutover.analysis
    source, target = analysis.source_connection, analysis.target_connection
    if not (analysis.requests and source and target):
        return None
    location = parse_location(analysis.requests)
    return Probes(
        source=connections(source),
        target=connections(target),
        requests=Place(location, None if location.scheme == "file" else connections(lies_with)),
        rate=float(analysis.probe_rate),
        timeout_seconds=float(analysis.probe_timeout),
    )
