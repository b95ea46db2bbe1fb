"""``heavylift monitor slo``, ``convergence`` and ``gaps``: what runs, and what it writes."""

from __future__ import annotations

from typing import Annotated

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.monitor_options import (
    Memory,
    MigrationName,
    Side,
    Strict,
    Watch,
    conclude,
    kept_of,
    place_of,
)
from heavylift.cli.monitor_text import plain_text
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn

Conn = Annotated[str | None, typer.Option(metavar="ID", help="its connection; none for file://")]


def slo_command(
    url: Annotated[str, typer.Argument(metavar="REQUESTS_URL", help="table with one row for each request")],
    conn: Conn = None,
    at: Annotated[str, typer.Option(metavar="COLUMN", help="moment, or seconds since 1970")] = "at",
    status: Annotated[str, typer.Option(metavar="COLUMN", help="HTTP status, truth value or ok")] = "status",
    latency: Annotated[str | None, typer.Option(metavar="COLUMN", help="milliseconds")] = None,
    objective: Annotated[float, typer.Option(help="share of requests that must be good")] = 0.999,
    latency_limit: Annotated[float | None, typer.Option(help="milliseconds; slower is bad, too")] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="PATH", help="an endpoint's baseline or earlier record, as evidence")
    ] = None,
    judged: Annotated[float, typer.Option(help="quantile that is compared: 0.5, 0.9, 0.95, 0.99")] = 0.95,
    max_ratio: Annotated[float, typer.Option(min=1.0, help="how much slower it may be")] = 1.2,
    memory_mib: Memory = 512,
    watch: Watch = "shell",
    side: Side = "",
    strict: Strict = False,
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Tell how fast the error budget burns over several windows, and compare latencies with a baseline.

    Ends with 1 where the budget burns too fast in both windows of a pair, or the quantile is surely slower.
    """
    from heavylift.aio import run
    from heavylift.monitor.slo import SloRequest, judge_slo

    request = SloRequest(
        kept_of(migration, watch, side, evidence, evidence_conn),
        place_of(url, conn),
        at,
        status,
        latency,
        objective,
        latency_limit,
        baseline,
        judged,
        max_ratio,
        memory_bytes=memory_mib * 1024 * 1024,
    )
    record, ref = run(judge_slo(request))
    conclude(request.kept, record, ref, plain_text(record, ref), strict=strict, as_json=as_json)


def convergence_command(
    reference: Annotated[str, typer.Argument(metavar="SEEDS_URL", help="curves of the source's seeds")],
    current: Annotated[str, typer.Argument(metavar="RUNS_URL", help="curves of the target's runs")],
    source_conn: Conn = None,
    target_conn: Conn = None,
    run_column: Annotated[str, typer.Option("--run", metavar="COLUMN", help="which run")] = "run",
    step: Annotated[str, typer.Option(metavar="COLUMN", help="which step")] = "step",
    value: Annotated[str, typer.Option(metavar="COLUMN", help="loss or metric")] = "loss",
    patience: Annotated[int, typer.Option(min=1, help="steps in a row outside of the band")] = 5,
    higher_is_better: Annotated[bool, typer.Option("--higher-is-better", help="of a metric")] = False,
    memory_mib: Memory = 512,
    watch: Watch = "shell",
    side: Side = "target",
    strict: Strict = False,
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Hold training curves against the band that several seeds made; tell the step of a divergence.

    Ends with 1 where a run leaves the band on the worse side.
    """
    from heavylift.aio import run
    from heavylift.monitor.convergence import ConvergenceRequest, judge_convergence

    request = ConvergenceRequest(
        kept_of(migration, watch, side, evidence, evidence_conn),
        place_of(reference, source_conn),
        place_of(current, target_conn),
        run_column,
        step,
        value,
        patience,
        not higher_is_better,
        memory_bytes=memory_mib * 1024 * 1024,
    )
    record, ref = run(judge_convergence(request))
    conclude(request.kept, record, ref, plain_text(record, ref), strict=strict, as_json=as_json)


def gaps_command(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="all tables that hold the log")],
    conn: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="of each URL, in their order; none for file://")
    ] = None,
    sequence: Annotated[str, typer.Option(metavar="COLUMN", help="number of the entry")] = "sequence",
    stream: Annotated[str | None, typer.Option(metavar="COLUMN", help="what counts for itself")] = None,
    memory_mib: Memory = 512,
    watch: Watch = "shell",
    strict: Strict = False,
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Look for sequence numbers that no table has, over both sides together. Ends with 1 where some miss."""
    from heavylift.aio import run
    from heavylift.monitor.gaps import GapsRequest, find_gaps

    conns = iter(conn or ())
    places = tuple(place_of(url, None if url.startswith("file:") else next(conns, None)) for url in urls)
    request = GapsRequest(
        kept_of(migration, watch, "", evidence, evidence_conn),
        places,
        sequence,
        stream,
        memory_mib * 1024 * 1024,
    )
    record, ref = run(find_gaps(request))
    conclude(request.kept, record, ref, plain_text(record, ref), strict=strict, as_json=as_json)
