"""``heavylift alerts queries``: queries of logs for another language; applies nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.alerts.queries.model import Language
from heavylift.cli.alert_options import Accept, DryRun, Overwrite, run_of
from heavylift.cli.grouped import Kept, grouped
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, shell_actor

if TYPE_CHECKING:
    from heavylift.alerts.queries.api import QueriesRequest
    from heavylift.evidence.alert_records import LogQueryRecord

app = typer.Typer(no_args_is_help=True)

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Queries: JSON, or one as plain text.")]
Names = Annotated[
    Path | None, typer.Option("--names", help="JSON: table, selector, message, fields of the target.")
]


@dataclass(frozen=True)
class Languages:
    """In which language queries are, in which they are to be, and what things are called there."""

    source: Annotated[
        Language, typer.Option("--source", help="insights, logging, kql, logql, filter-pattern.")
    ]
    target: Annotated[Language, typer.Option("--target", help="Likewise, or sql (Log Analytics).")]
    names: Names = None
    accept: Accept = None


@app.command()
@grouped
def translate(
    files: Files,
    languages: Languages,
    out: Annotated[Path, typer.Option(help="The target's queries, JSON.")],
    kept: Kept,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write queries for the target, each run beside its source over lines made to try it.

    Exits 1 where one gives other rows than its source, or cannot be said, and is not accepted.
    """
    from heavylift.alerts.documents import save, written
    from heavylift.alerts.keeping import keep_queries
    from heavylift.alerts.queries.api import translate_queries

    record = translate_queries(_request(files, languages, kept.migration))
    if not dry_run:
        mark_touched()
        made = [
            {
                "name": each.name,
                "query": each.target,
                **({"parameters": each.parameters} if each.parameters else {}),
            }
            for each in record.queries
        ]
        save(written({"queries": made}, out), out, overwrite=overwrite)
        kept.keep(lambda store: keep_queries(store, record, shell_actor()))
    _finish(record, as_json)


@app.command()
@grouped
def metrics(
    file: Annotated[Path, typer.Argument(help="An answer of describe-metric-filters, JSON.")],
    target: Annotated[Language, typer.Option("--target", help="logging, or logql for Loki's ruler.")],
    out: Annotated[Path, typer.Option(help="The target's metrics of logs: .json, or .yaml.")],
    metrics_out: Annotated[Path, typer.Option(help="Their names, for alerts translate --metrics.")],
    kept: Kept,
    names: Names = None,
    resource: Annotated[str, typer.Option(help="Google's type of resource.")] = "global",
    accept: Accept = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write metrics of logs for CloudWatch's metric filters, so that alarms on them can be translated.

    Exits 1 where a pattern finds other lines than its source, or cannot be said, and is not accepted.
    """
    from heavylift.alerts.documents import save, written
    from heavylift.alerts.keeping import keep_queries
    from heavylift.alerts.queries.api import MetricsRequest, translate_metric_filters

    asked = MetricsRequest(run_of(kept.migration), target, file, names, resource, frozenset(accept or ()))
    record, document, named = translate_metric_filters(asked)
    mark_touched()
    save(written(document, out), out, overwrite=overwrite)
    save(written(named, metrics_out), metrics_out, overwrite=overwrite)
    kept.keep(lambda store: keep_queries(store, record, shell_actor()))
    _finish(record, as_json)


@app.command()
@grouped
def compare(
    files: Files,
    languages: Languages,
    lines: Annotated[
        list[Path] | None, typer.Option("--lines", help="Lines of logs, JSON lines; may be given again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run queries and their translations over lines of yours; tells whose rows differ, writes nothing."""
    from heavylift.alerts.queries.api import translate_queries

    _finish(translate_queries(_request(files, languages, MIGRATION, lines or [])), as_json)


def _request(
    files: list[Path], languages: Languages, migration: str, lines: list[Path] | None = None
) -> QueriesRequest:
    from heavylift.alerts.queries.api import QueriesRequest

    accepted = frozenset(languages.accept or ())
    return QueriesRequest(
        run_of(migration), languages.source, languages.target, files, languages.names, lines or (), accepted
    )


def _finish(record: LogQueryRecord, as_json: bool) -> None:
    told = []
    for each in record.queries:
        told.append(f"{each.name}: {each.outcome}{' (accepted)' if each.accepted and not each.equal else ''}")
        told += [f"  {line}" for line in each.target.splitlines()]
        told += [f"  beside it: {name} {value}" for name, value in each.parameters.items()]
        told += [f"  {note.what}. To do: {note.remedy}" for note in each.notes]
    told += [f"{each.rule}: not translated: {each.what}. {each.remedy}" for each in record.untranslated]
    finish(
        {"queries": record.model_dump(mode="json")},
        text="\n".join(told),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )
