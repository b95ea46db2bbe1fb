"""``heavylift alerts dashboards``: dashboards for another platform; applies nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.alerts.model import Platform
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor

if TYPE_CHECKING:
    from heavylift.alerts.board_api import DashboardRequest
    from heavylift.evidence.alert_records import DashboardRecord

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The dashboard: JSON.")]
Source = Annotated[Platform, typer.Option("--source", help="cloudwatch, google, azure, prometheus: Grafana.")]
Target = Annotated[Platform, typer.Option("--target", help="Likewise.")]
Names = Annotated[
    Path | None, typer.Option("--metrics", help="JSON: metrics, labels and scopes of the target.")
]
Accept = Annotated[
    list[str] | None, typer.Option("--accept", help="A widget's title that may differ; may be given again.")
]


@app.command()
def translate(
    file: File,
    source: Source,
    target: Target,
    out: Annotated[Path, typer.Option(help="The target's dashboard, JSON.")],
    metrics: Names = None,
    accept: Accept = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing at all.")] = False,
    migration: Annotated[str, typer.Option(help="Name under which evidence lies.")] = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write a dashboard for the target, each line drawn beside its source over series made to try it.

    A widget without counterpart becomes a text that says so. Exits 1 where there is one, or a line differs,
    and it is not accepted.
    """
    from heavylift.alerts.board_api import translate_board
    from heavylift.alerts.documents import save, written

    record = translate_board(_request(file, source, target, migration, metrics, accept, []))
    if not dry_run:
        mark_touched()
        save(written(record.document, out), out, overwrite=overwrite)
        _keep(record, evidence, evidence_conn)
    _finish(record, as_json)


@app.command()
def compare(
    file: File,
    source: Source,
    target: Target,
    series: Annotated[
        list[Path] | None, typer.Option("--series", help="Samples, JSON lines; may be given again.")
    ] = None,
    metrics: Names = None,
    accept: Accept = None,
    as_json: AsJson = False,
) -> None:
    """Draw each line and its translation over series of yours; tells what differs, writes nothing."""
    from heavylift.alerts.board_api import translate_board

    _finish(
        translate_board(_request(file, source, target, MIGRATION, metrics, accept, series or [])), as_json
    )


def _request(
    file: Path, source: Platform, target: Platform, migration: str, metrics: Path | None,
    accept: list[str] | None, series: list[Path],
) -> DashboardRequest:  # fmt: skip
    from heavylift.alerts.board_api import DashboardRequest
    from heavylift.evidence.alert_records import ALERTS_PHASE
    from heavylift.evidence.records import RunKey

    run = RunKey(migration=migration, phase=ALERTS_PHASE, run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f"))
    return DashboardRequest(run, source, target, file, metrics, series, frozenset(accept or ()))


def _finish(record: DashboardRecord, as_json: bool) -> None:
    equal = sum(each.equal for each in record.lines)
    lines = [
        f"{record.widgets} widgets, {len(record.untranslated)} of them not translated; "
        f"{equal} of {len(record.lines)} lines draw the same points"
    ]
    lines += [
        f"{each.widget}: {each.source}: {each.why}{' (accepted)' if each.accepted else ''}"
        for each in record.lines
        if not each.equal
    ]
    lines += [f"{each.widget}: {each.source}: {each.note}" for each in record.lines if each.note]
    lines += [
        f"{each.rule}: not translated: {each.what}. To do: {each.remedy}" for each in record.untranslated
    ]
    lines += [f"{each.rule}: {each.what}. To do: {each.remedy}" for each in record.losses]
    finish(
        {"dashboard": record.model_dump(mode="json")},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def _keep(record: DashboardRecord, evidence: str | None, conn: str | None) -> None:
    from heavylift.aio import run
    from heavylift.alerts.keeping import keep_dashboard
    from heavylift.evidence.store import open_evidence

    async def write() -> None:
        async with open_evidence(evidence, evidence_connection(conn)) as store:
            await keep_dashboard(store, record, shell_actor())

    run(write())
