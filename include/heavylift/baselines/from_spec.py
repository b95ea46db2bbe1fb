"""From a spec's section ``assess`` to what a baseline is asked for."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.baselines.requests import BaselineRequest, GoldenAsk
from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.load.plan import LoadPlan
from heavylift.locations import parse_location
from heavylift.platforms.places import Place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_assess import AssessBaseline, BaselineGolden


def baselines_wanted(spec: MigrationSpec) -> tuple[AssessBaseline, ...]:
    """Return the endpoints of which a spec wants a baseline."""
    return spec.assess.baselines if spec.assess else ()


def baseline_request(
    spec: MigrationSpec,
    run: RunKey,
    connections: Callable[[str], Connection],
    wanted: AssessBaseline,
    *,
    stored: tuple[str | None, Connection | None] | None = None,
) -> BaselineRequest:
    """Return the request for one of them.

    :param connections: looks a connection up by its id.
    :param stored: URL and connection of the evidence store, in place of the spec's.
    """
    location = parse_location(wanted.requests)
    lies_with = wanted.requests_connection or spec.source.connection
    evidence = spec.evidence
    url, conn = stored or (evidence.url, connections(evidence.connection) if evidence.connection else None)
    return BaselineRequest(
        run=run,
        connection=connections(wanted.connection),
        requests=Place(location, None if location.scheme == "file" else connections(lies_with)),
        plan=LoadPlan(
            rates=wanted.rates,
            step_seconds=float(wanted.step),
            warm_up_seconds=float(wanted.warm_up),
            connections=wanted.connections,
            timeout_seconds=float(wanted.timeout),
            max_error_rate=wanted.max_error_rate,
        ),
        evidence_url=url,
        evidence_connection=conn,
        path=wanted.path,
        usd_per_hour=None if wanted.usd_per_hour is None else f"{wanted.usd_per_hour:f}",
        golden=_golden(spec, wanted.golden, connections),
    )


def _golden(
    spec: MigrationSpec, wanted: BaselineGolden | None, connections: Callable[[str], Connection]
) -> GoldenAsk | None:
    if wanted is None:
        return None
    location = parse_location(wanted.inputs)
    lies_with = wanted.connection or spec.source.connection
    return GoldenAsk(
        place=Place(location, None if location.scheme == "file" else connections(lies_with)),
        label=wanted.label,
        drop=wanted.drop,
        slices=wanted.slices,
        metrics=tuple(each.value for each in wanted.metrics),
        threshold=wanted.threshold,
        batch=wanted.rows_per_request,
    )
