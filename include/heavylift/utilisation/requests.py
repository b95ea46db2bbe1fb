"""What is asked for: whose utilisation, over which time, and where it becomes evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.spec.measured import utilisation_connections
from heavylift.spec.sections_assess import AssessUtilisation, UtilisationQuery
from heavylift.utilisation.model import Bounds

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.spec.model import MigrationSpec


Stored = tuple["str | None", "Connection | None"]
"""URL and connection of an evidence store."""


@dataclass(frozen=True)
class UtilisationRequest:
    """The utilisation of what one connection's inventory lists.

    :param inventory: id of the connection whose newest inventory of the run tells the components.
    :param connection: with which the platform's monitoring is read.
    :param prometheus: a server of Prometheus; for Kubernetes, and for ``queries``.
    :param until: end of the time, in seconds since 1970; now where left out.
    """

    run: RunKey
    platform: str
    connection: Connection
    evidence_url: str | None
    evidence_connection: Connection | None
    prometheus: Connection | None = None
    queries: tuple[UtilisationQuery, ...] = ()
    period_seconds: int = 14 * 86_400
    step_seconds: int = 3600
    bounds: Bounds = field(default_factory=Bounds)
    max_requests: float | None = 50.0
    until: float | None = None


def utilisation_request(
    spec: MigrationSpec,
    run: RunKey,
    connections: Callable[[str], Connection],
    connection: str,
    *,
    stored: Stored | None = None,
) -> UtilisationRequest:
    """Return the request for one of :func:`heavylift.spec.measured.utilisation_connections`.

    :param connections: looks a connection up by its id.
    :param stored: URL and connection of the evidence store, in place of the spec's.
    :raises NotFoundError: the spec does not want it.
    """
    assess = spec.assess
    if assess is None or assess.utilisation is None or connection not in utilisation_connections(spec):
        raise NotFoundError(
            f"reading the utilisation of {connection!r}",
            got="a spec that does not want it",
            expected="the section assess.utilisation, and a connection of the source or of assess.also",
            state="nothing was asked",
            remedy="correct the spec, or the connection's id",
            code="9404",
        )
    settings: AssessUtilisation = assess.utilisation
    also = next((each for each in assess.also if each.connection == connection), None)
    prometheus, evidence = settings.prometheus_connection, spec.evidence
    url, conn = stored or (evidence.url, connections(evidence.connection) if evidence.connection else None)
    return UtilisationRequest(
        run=run,
        platform=also.system.value if also else spec.source.platform.value,
        connection=connections(connection),
        evidence_url=url,
        evidence_connection=conn,
        prometheus=connections(prometheus) if prometheus else None,
        queries=settings.queries,
        period_seconds=settings.period,
        step_seconds=settings.resolution,
        bounds=Bounds(settings.max_components, settings.max_jobs),
        max_requests=assess.max_requests,
    )
