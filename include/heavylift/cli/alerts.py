"""``heavylift alerts``: alert rules for another platform, replayed beside their source; applies nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.alerts.model import Platform
from heavylift.cli.alert_dashboards import app as dashboards_app
from heavylift.cli.alert_options import DryRun, Overwrite, Series, Sides, run_of
from heavylift.cli.alert_queries import app as queries_app
from heavylift.cli.grouped import Kept, grouped
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, shell_actor

if TYPE_CHECKING:
    from heavylift.alerts.api import AlertsRequest
    from heavylift.alerts.composite import Composite
    from heavylift.alerts.model import Loss, Rule
    from heavylift.evidence.alert_records import AlertRecord

app = typer.Typer(no_args_is_help=True)
app.add_typer(dashboards_app, name="dashboards", help="Dashboards for another platform.")
app.add_typer(queries_app, name="queries", help="Queries of logs for another language.")

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Exports of the rules: JSON or YAML.")]
SourcePlatform = Annotated[Platform, typer.Option("--source", help="cloudwatch, google, azure, prometheus.")]
Tolerance = Annotated[
    float | None, typer.Option(min=0, help="Seconds that count as the same; default: an evaluation.")
]


@app.command()
@grouped
def translate(
    files: Files,
    sides: Sides,
    out: Annotated[Path, typer.Option(help="The target's rules: .json, or .yaml.")],
    kept: Kept,
    tolerance: Tolerance = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write rules for the target, each replayed beside its source over series made to try it.

    Exits 1 where one fires otherwise than its source, or has no counterpart, and is not accepted.
    """
    from heavylift.alerts.api import translate_alerts
    from heavylift.alerts.documents import save, written
    from heavylift.alerts.keeping import keep

    record = translate_alerts(_request(files, sides, kept.migration, tolerance))
    if not dry_run:
        mark_touched()
        save(written(record.document, out), out, overwrite=overwrite)
        kept.keep(lambda store: keep(store, record, shell_actor()))
    _finish(record, as_json)


@app.command()
@grouped
def compare(
    files: Files, sides: Sides, series: Series = None, tolerance: Tolerance = None, as_json: AsJson = False
) -> None:
    """Replay rules and their translations over series of yours; tells when each fires, writes nothing."""
    from heavylift.alerts.api import translate_alerts

    _finish(translate_alerts(_request(files, sides, MIGRATION, tolerance, series or [])), as_json)


@app.command("list")
def list_(files: Files, source: SourcePlatform, as_json: AsJson = False) -> None:
    """List the rules of files as they are understood, and what has no counterpart anywhere."""
    from heavylift.alerts.documents import read_document
    from heavylift.alerts.translate import READERS, composites

    rules: list[Rule] = []
    losses: list[Loss] = []
    wholes: list[Composite] = []
    for path in files:
        document = read_document(path)
        found, lost = READERS[source](document)
        made, more = composites(document, source, found)
        rules, wholes, losses = [*rules, *found], [*wholes, *made], [*losses, *lost, *more]
    finish(
        {
            "rules": [
                {
                    "name": each.name,
                    "metric": each.metric.name,
                    "condition": f"{each.aggregation} {each.comparison} {each.threshold:g}",
                    "unit": each.metric.unit,
                    "windows": f"{each.needed} of {each.windows}, each {each.period} s",
                    "missing": each.missing,
                    "labels": dict(each.labels),
                    "actions": each.actions,
                }
                for each in rules
            ],
            "composites": [{"name": each.name, "condition": each.metric.name} for each in wholes],
            "untranslatable": [{"rule": each.rule, "what": each.what} for each in losses],
        },
        text="\n".join(
            [
                *map(_told, rules),
                *(f"{each.name}: {each.metric.name}" for each in wholes),
                *(f"{each.rule}: cannot be translated: {each.what}" for each in losses),
            ]
        ),
        as_json=as_json,
    )


def _told(rule: Rule) -> str:
    condition = (
        f"{rule.aggregation}({rule.metric.name}) {rule.comparison} {rule.threshold:g} {rule.metric.unit}"
    )
    windows = f"{rule.needed} of {rule.windows} windows of {rule.period} s"
    return f"{rule.name}: {condition.strip()}, {windows}, missing: {rule.missing}"


def _request(
    files: list[Path], sides: Sides, migration: str, tolerance: float | None, series: list[Path] | None = None
) -> AlertsRequest:
    from heavylift.alerts.api import AlertsRequest

    run = run_of(migration)
    return AlertsRequest(
        run, sides.source, sides.target, files, sides.metrics, series or (), tolerance, sides.accepted
    )


def _finish(record: AlertRecord, as_json: bool) -> None:
    lines = [f"{each.name}: {each.outcome}{' (accepted)' if each.accepted else ''}" for each in record.rules]
    lines += [
        f"  {each.series}: source {_times(each.source)}; target {_times(each.target)}; {each.why}"
        for rule in record.rules
        for each in rule.differing[:3]
    ]
    lines += [f"{each.rule}: not translated: {each.what}. {each.remedy}" for each in record.untranslated]
    lines += [f"{each.rule}: {each.what}. To do: {each.remedy}" for each in record.losses]
    finish(
        {"alerts": record.model_dump(mode="json")},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def _times(turns: tuple[float, ...]) -> str:
    if not turns:
        return "never fires"
    return f"fires at {turns[0]:.0f}" + (f", ceases at {turns[1]:.0f}" if len(turns) > 1 else "")
