"""``heavylift cutover analyse``: is the target as good as the source, asked the same at the same moment?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.cutover_analyse_text import analysed_text, planned_text
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.cutover.canary.limits import Limits
    from heavylift.cutover.canary.requests import CanaryRequest, Probes

PHASE = "cutover"


def analyse(
    step: Annotated[str, typer.Option(help="shadow, or the percentage that the target answers")] = "shadow",
    spec: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="a spec: limits, endpoints and times of its section cutover"),
    ] = None,
    source_conn: Annotated[str | None, typer.Option(metavar="ID", help="the source's endpoint")] = None,
    target_conn: Annotated[str | None, typer.Option(metavar="ID", help="the target's endpoint")] = None,
    requests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="bodies of requests, one JSON document a line")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="requests a second to each side")] = 20.0,
    seconds: Annotated[float | None, typer.Option(min=1, help="at most; default 600, or the spec's")] = None,
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="then a request is an error")] = 5.0,
    warm_up_seconds: Annotated[float | None, typer.Option(min=0, help="latency is not judged")] = None,
    max_error_rate: Annotated[float | None, typer.Option(min=0, max=1, help="above the source's")] = None,
    max_latency_ratio: Annotated[float | None, typer.Option(min=0, help="to the source's")] = None,
    max_mismatch_rate: Annotated[float | None, typer.Option(help="of differing answers, above 0")] = None,
    run: Annotated[
        str | None, typer.Option(help="name of the run: the same name goes on where it was cut off")
    ] = None,
    path: Annotated[str, typer.Option(help="in place of the path of the connections' URLs")] = "",
    migration: Annotated[str, typer.Option(help="name under which evidence is kept")] = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, say what would be asked, ask nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask both sides the same requests at the same moments, and judge the target by what the source does.

    Ends as soon as the evidence suffices: 0 promote; 1 hold or abort, with the reasons. How often the
    verdict may be wrong is set beforehand and holds however often one looks.
    """
    name = run or datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    request = _request(spec, step, name, migration)
    probes = _probes(request, source_conn, target_conn, requests)
    if probes is not None and source_conn:
        probes = replace(probes, rate=rate, timeout_seconds=timeout_seconds, path=path)
    limits = _limits(request, warm_up_seconds, max_error_rate, max_latency_ratio, max_mismatch_rate)
    request = replace(request, probes=probes, limits=limits)
    if seconds is not None:
        request = replace(request, seconds=seconds, at_least_seconds=0.0)
    if evidence or evidence_conn or spec is None:
        request = replace(
            request, evidence_url=evidence, evidence_connection=evidence_connection(evidence_conn)
        )
    (_show if dry_run else _take)(request, as_json=as_json)


def _request(spec: Path | None, step: str, name: str, migration: str) -> CanaryRequest:
    from heavylift.cutover.canary.from_spec import canary_request
    from heavylift.cutover.canary.requests import CanaryRequest
    from heavylift.evidence.records import RunKey

    if spec is None:
        return CanaryRequest(run=RunKey(migration=migration, phase=PHASE, run=name), step=step)
    from heavylift.spec.load import load_spec

    loaded = load_spec(spec)
    key = RunKey(migration=loaded.migration, phase=PHASE, run=name)
    return canary_request(loaded, key, connection_from_env, step)


def _probes(
    request: CanaryRequest, source: str | None, target: str | None, requests: Path | None
) -> Probes | None:
    from heavylift.cutover.canary.requests import Probes

    given = (source, target, requests)
    if source is not None and target is not None and requests is not None:
        return Probes(connection_from_env(source), connection_from_env(target), requests)
    if any(each is not None for each in given):
        raise SpecError(
            "reading the options",
            got="only some of --source-conn, --target-conn and --requests",
            expected="all three, or none of them where the spec names them",
            state="nothing was asked",
            remedy="give all three",
            code="8768",
        )
    return request.probes


def _limits(
    request: CanaryRequest,
    warm_up: float | None,
    errors: float | None,
    latency: float | None,
    mismatch: float | None,
) -> Limits:
    from heavylift.cutover.canary.limits import range_of

    limits = request.limits
    if warm_up is not None:
        limits = replace(limits, warm_up_seconds=warm_up)
    if errors is not None:
        limits = replace(limits, errors=range_of("error_rate", errors, limits.errors.bad))
    if latency is not None:
        limits = replace(limits, latency=range_of("latency_ratio", latency, limits.latency.bad))
    if mismatch is not None:
        limits = replace(limits, mismatch=range_of("mismatch_rate", mismatch, limits.mismatch.bad))
    return limits


def _show(request: CanaryRequest, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.cutover.canary.api import prepare

    document = run(prepare(request))
    finish({"planned": document}, text=planned_text(document), as_json=as_json)


def _take(request: CanaryRequest, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.cutover.canary.api import analyse as judge

    record, ref = run(judge(request, note))
    details = {"step": record.step, "verdict": record.verdict, "samples": record.samples}
    note_act(request, f"step {record.step}", "cutover.analysed", (ref,), details)
    finish(
        {"analysis": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")},
        text=analysed_text(record, ref),
        as_json=as_json,
        status=ExitStatus.DONE if record.promoted else ExitStatus.FAILED,
    )
