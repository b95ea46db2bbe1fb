"""``heavylift report``: write the report of one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.output import finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_store, shell_actor
from heavylift.errors import NotFoundError

if TYPE_CHECKING:
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.runs import SeenRun
    from heavylift.evidence.store import EvidenceStore

app = typer.Typer()


@app.command()
def report(
    migration: Annotated[str, typer.Argument(help="The migration.")],
    phase: Annotated[str, typer.Option(help="Only runs of this phase.")] = "",
    run: Annotated[str, typer.Option(help="The run's id; the latest where left out.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this file and leave the evidence store as it is."),
    ] = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of one run: one HTML file, made from its evidence alone.

    Without --output it becomes evidence itself, beside the run's earlier reports, and the audit
    trail notes it.
    """
    from heavylift.aio import run as run_to_end

    document = run_to_end(_report(migration, phase, run, output, evidence, evidence_conn))
    finish(document, text=_text(document), as_json=as_json)


async def _report(
    migration: str, phase: str, run: str, output: Path | None, url: str | None, conn: str | None
) -> dict[str, Any]:
    async with evidence_store(url, conn) as store:
        key = (await find_run(store, migration, phase, run)).key
        mark_touched()
        document = {"migration": migration, "phase": key.phase, "run": key.run}
        return document | (await _save(store, key, output) if output else await _keep(store, key))


async def _save(store: EvidenceStore, key: RunKey, output: Path) -> dict[str, Any]:
    from heavylift.evidence.canonical import sha256_hex
    from heavylift.report.build import render_report

    html = await render_report(store, key)
    output.write_bytes(html)
    return {"report": str(output.absolute()), "sha256": sha256_hex(html), "size_bytes": len(html)}


async def _keep(store: EvidenceStore, key: RunKey) -> dict[str, Any]:
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.report.build import build_report

    ref = await build_report(store, key)
    act = Act(actor=shell_actor(), action="report.built", phase=key.phase, run=key.run, evidence=(ref,))
    await AuditTrail(store, key.migration).append(act)
    return {"report": store.url_of(ref.path), "sha256": ref.sha256, "size_bytes": ref.size_bytes}


async def find_run(store: EvidenceStore, migration: str, phase: str, run: str) -> SeenRun:
    """Return the run that is meant; the latest that fits.

    :param run: its id, as Airflow or as a path of evidence writes it; any where empty.
    :raises NotFoundError: there is none.
    """
    from heavylift.evidence.runs import list_runs

    runs = await list_runs(store, migration, phase)
    fitting = [each for each in runs if run in {"", each.key.run, each.title}]
    if fitting:
        return fitting[-1]
    raise no_run("/".join(filter(None, (migration, phase, run))), store.url, runs)


def no_run(wanted: str, url: str, runs: list[SeenRun]) -> NotFoundError:
    """Return the error for a run that is not among ``runs``."""
    known = ", ".join(f"{each.key.phase}/{each.title}" for each in runs[-5:])
    return NotFoundError(
        f"looking for run {wanted!r}",
        got=f"these runs: {known}" if known else f"no run in {url}",
        expected="a run that has left evidence",
        state="nothing was changed",
        remedy="run a phase first, or name the right migration, --phase, --run and store (--evidence)",
        code="4202",
    )


def _text(document: dict[str, Any]) -> str:
    return f"{document['report']}\n  run {document['phase']}/{document['run']}, SHA-256 {document['sha256']}"
