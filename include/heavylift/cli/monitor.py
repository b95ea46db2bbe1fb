"""``heavylift monitor``: what is watched on both sides: drift, accuracy, error budgets, latency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.monitor_accuracy import accuracy_command
from heavylift.cli.monitor_cost import cost_command
from heavylift.cli.monitor_options import (
    Columns,
    Exclude,
    Ignore,
    Include,
    Memory,
    MigrationName,
    Side,
    Strict,
    Watch,
    conclude,
    kept_of,
    place_of,
    wrong,
)
from heavylift.cli.monitor_running import convergence_command, gaps_command, slo_command
from heavylift.cli.monitor_spec import export_command, run_command, series_command
from heavylift.cli.monitor_text import drift_text, profile_text
from heavylift.cli.output import note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn

if TYPE_CHECKING:
    from heavylift.monitor.requests import DriftRequest

app = typer.Typer(no_args_is_help=True)
app.command("accuracy")(accuracy_command)
app.command("slo")(slo_command)
app.command("convergence")(convergence_command)
app.command("gaps")(gaps_command)
app.command("cost")(cost_command)
app.command("run")(run_command)
app.command("series")(series_command)
app.command("export")(export_command)


@app.callback()
def _group() -> None:
    """Watch data, predictions, latency and error budgets."""


@app.command("drift")
def drift_command(
    reference: Annotated[
        str,
        typer.Argument(metavar="REFERENCE_URL", help="folder or file; or path of a profile's evidence"),
    ],
    current: Annotated[str, typer.Argument(metavar="CURRENT_URL", help="s3://…, gs://…, az://…, file://…")],
    source_conn: Annotated[
        str | None, typer.Option(metavar="ID", help="of the reference; none for file://")
    ] = None,
    target_conn: Annotated[
        str | None, typer.Option(metavar="ID", help="of the current table; none for file://")
    ] = None,
    columns: Columns = None,
    ignore: Ignore = None,
    include: Include = None,
    exclude: Exclude = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="effect from which on a column has drifted")
    ] = 0.05,
    column_threshold: Annotated[
        list[str] | None, typer.Option(metavar="NAME=EFFECT", help="another one for this column")
    ] = None,
    max_missing: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="difference of the shares of missing values")
    ] = 0.05,
    max_unseen: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="share of rows with categories that are new")
    ] = 0.01,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999999, help="of all columns taken together")
    ] = 0.95,
    judge_times: Annotated[bool, typer.Option("--judge-times", help="judge columns of times, too")] = False,
    memory_mib: Memory = 256,
    watch: Watch = "shell",
    side: Side = "",
    strict: Strict = False,
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Compare two tables (Parquet, CSV, Arrow) by the size of what differs; both are only read.

    Ends with 0 where nothing drifted or too few rows tell, with 1 where a column has drifted, is gone or has
    another type.
    """
    from heavylift.monitor.requests import DriftLimits, DriftRequest

    request = DriftRequest(
        kept=kept_of(migration, watch, side, evidence, evidence_conn),
        reference=place_of(reference, source_conn) if "://" in reference else reference,
        current=place_of(current, target_conn),
        columns=tuple(columns or ()),
        ignore=tuple(ignore or ()),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        limits=DriftLimits(
            threshold, max_missing, max_unseen, confidence, _by_column(column_threshold), judge_times
        ),
        memory_bytes=memory_mib * 1024 * 1024,
    )
    take_drift(request, strict=strict, as_json=as_json)


def take_drift(request: DriftRequest, *, strict: bool, as_json: bool) -> None:
    """Compare, note it in the audit trail, print it."""
    from heavylift.aio import run
    from heavylift.monitor.drift import detect_drift

    record, ref = run(detect_drift(request, note))
    conclude(request.kept, record, ref, drift_text(record, ref), strict=strict, as_json=as_json)


@app.command("profile")
def profile_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="folder or file of the table")],
    conn: Annotated[str | None, typer.Option(metavar="ID", help="its connection; none for file://")] = None,
    columns: Columns = None,
    ignore: Ignore = None,
    include: Include = None,
    exclude: Exclude = None,
    memory_mib: Memory = 256,
    watch: Watch = "shell",
    side: Side = "source",
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Keep a table's profile as evidence, to compare with when the table is gone; it holds no value."""
    from heavylift.aio import run
    from heavylift.monitor.drift import keep_profile
    from heavylift.monitor.requests import ProfileRequest

    request = ProfileRequest(
        kept=kept_of(migration, watch, side, evidence, evidence_conn),
        place=place_of(url, conn),
        columns=tuple(columns or ()),
        ignore=tuple(ignore or ()),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        memory_bytes=memory_mib * 1024 * 1024,
    )
    record, ref = run(keep_profile(request, note))
    slim = record.model_copy(update={"columns": ()})
    conclude(request.kept, slim, ref, profile_text(record, ref), strict=False, as_json=as_json)


def _by_column(texts: list[str] | None) -> dict[str, float]:
    found = {}
    for text in texts or ():
        name, _, effect = text.rpartition("=")
        try:
            found[name] = float(effect)
        except ValueError:
            found[name] = -1.0
        if not name or not 0 <= found[name] <= 1:
            raise wrong("--column-threshold", repr(text), "NAME=EFFECT with an effect from 0 to 1", "8906")
    return found
