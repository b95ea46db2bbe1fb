"""``heavylift alerts queries``: queries of logs for another language; applies nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.alerts.queries.model import Language
from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor

if TYPE_CHECKING:
    from heavylift.alerts.queries.api import QueriesRequest
    from heavylift.evidence.alert_records import LogQueryRecord

app = typer.Typer(no_args_is_help=True)

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Queries: JSON, or one as plain text.")]
Source = Annotated[Language, typer.Option("--source", help="insights, logging, kql, logql, filter-pattern.")]
Target = Annotated[Language, typer.Option("--target", help="Likewise, or sql (Log Analytics).")]
Names = Annotated[
    Path | None, typer.Option("--names", help="JSON: table, selector, message, fields of the target.")
]
Accept = Annotated[
    list[str] | None, typer.Option("--accept", help="A query that may differ; may be given again.")
]


@app.command()
def translate(
    files: Files,
    source: Source,
    target: Target,
    out: Annotated[Path, typer.Option(help="The target's queries, JSON.")],
    names: Names = None,
    accept: Accept = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing at all.")] = False,
    migration: Annotated[str, typer.Option(help="Name under which evidence lies.")] = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write queries for the target, each run beside its source over lines made to try it.

    Exits 1 where one gives other rows than its source, or cannot be said, and is not accepted.
    """
    from heavylift.alerts.documents import save, written
    from heavylift.alerts.queries.api import translate_queries

    record = translate_queries(_request(files, source, target, migration, names, accept))
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
        _keep(record, evidence, evidence_conn)
    _finish(record, as_json)


@app.command()
def metrics(
    file: Annotated[Path, typer.Argument(help="An answer of describe-metric-filters, JSON.")],
    target: Annotated[Language, typer.Option("--target", help="logging, or logql for Loki's ruler.")],
    out: Annotated[Path, typer.Option(help="The target's metrics of logs: .json, or .yaml.")],
    metrics_out: Annotated[Path, typer.Option(help="Their names, for alerts translate --metrics.")],
    names: Names = None,
    resource: Annotated[str, typer.Option(help="Google's type of resource.")] = "global",
    accept: Accept = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    migration: Annotated[str, typer.Option(help="Name under which evidence lies.")] = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write metrics of logs for CloudWatch's metric filters, so that alarms on them can be translated.

    Exits 1 where a pattern finds other lines than its source, or cannot be said, and is not accepted.
    """
    from heavylift.alerts.documents import save, written
    from heavylift.alerts.queries.api import MetricsRequest, translate_metric_filters

    run = _request([file], Language.FILTER, target, migration, names, accept).run
    asked = MetricsRequest(run, target, file, names, resource, frozenset(accept or ()))
    record, document, named = translate_metric_filters(asked)
    mark_touched()
    save(written(document, out), out, overwrite=overwrite)
    save(written(named, metrics_out), metrics_out, overwrite=overwrite)
    _keep(record, evidence, evidence_conn)
    _finish(record, as_json)


@app.command()
def compare(
    files: Files,
    source: Source,
    target: Target,
    lines: Annotated[
        list[Path] | None, typer.Option("--lines", help="Lines of logs, JSON lines; may be given again.")
    ] = None,
    names: Names = None,
    accept: Accept = None,
    as_json: AsJson = False,
) -> None:
    """Run queries and their translations over lines of yours; tells whose rows differ, writes nothing."""
    from heavylift.alerts.queries.api import translate_queries

    _finish(
        translate_queries(_request(files, source, target, MIGRATION, names, accept, lines or [])), as_json
    )


def _request(
    files: list[Path], source: Language, target: Language, migration: str, names: Path | None,
    accept: list[str] | None, lines: list[Path] | None = None,
) -> QueriesRequest:  # fmt: skip
    from heavylift.alerts.queries.api import QueriesRequest
    from heavylift.evidence.alert_records import ALERTS_PHASE
    from heavylift.evidence.records import RunKey

    run = RunKey(migration=migration, phase=ALERTS_PHASE, run=datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f"))
    return QueriesRequest(run, source, target, files, names, lines or (), frozenset(accept or ()))


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


def _keep(record: LogQueryRecord, evidence: str | None, conn: str | None) -> None:
    from heavylift.aio import run
    from heavylift.alerts.keeping import keep_queries
    from heavylift.evidence.store import open_evidence

    async def write() -> None:
        async with open_evidence(evidence, evidence_connection(conn)) as store:
            await keep_queries(store, record, shell_actor())

    run(write())
