"""``heavylift alerts dashboards``: dashboards for another platform; applies nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.alert_options import DryRun, Overwrite, Series, Sides, run_of
from heavylift.cli.grouped import Kept, grouped
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, shell_actor

if TYPE_CHECKING:
    from heavylift.alerts.board_api import DashboardRequest
    from heavylift.evidence.alert_records import DashboardRecord

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The dashboard: JSON; of prometheus, Grafana's.")]


@app.command()
@grouped
def translate(
    file: File,
    sides: Sides,
    out: Annotated[Path, typer.Option(help="The target's dashboard, JSON.")],
    kept: Kept,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a dashboard for the target, each line drawn beside its source over series made to try it.

    A widget without counterpart becomes a text that says so. Exits 1 where there is one, or a line differs,
    and it is not accepted.
    """
    from heavylift.alerts.board_api import translate_board
    from heavylift.alerts.documents import save, written
    from heavylift.alerts.keeping import keep_dashboard

    record = translate_board(_request(file, sides, kept.migration, []))
    if not dry_run:
        mark_touched()
        save(written(record.document, out), out, overwrite=overwrite)
        kept.keep(lambda store: keep_dashboard(store, record, shell_actor()))
    _finish(record, as_json)


@app.command()
@grouped
def compare(file: File, sides: Sides, series: Series = None, as_json: AsJson = False) -> None:
    """Draw each line and its translation over series of yours; tells what differs, writes nothing."""
    from heavylift.alerts.board_api import translate_board

    _finish(translate_board(_request(file, sides, MIGRATION, series or [])), as_json)


def _request(file: Path, sides: Sides, migration: str, series: list[Path]) -> DashboardRequest:
    from heavylift.alerts.board_api import DashboardRequest

    return DashboardRequest(
        run_of(migration), sides.source, sides.target, file, sides.metrics, series, sides.accepted
    )


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
