"""``heavylift optimize``: settings by trials, sizes by use, purchases by demand, and what is proposed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.optimize_text import proposal_text, results_text
from heavylift.cli.output import finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection
from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.optimize_records import OptimizeKind
    from heavylift.optimize.from_spec import Around

app = typer.Typer(no_args_is_help=True)
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="spec file with a section optimize")]
Names = Annotated[list[str] | None, typer.Option("--name", metavar="NAME", help="only these entries")]
RunName = Annotated[
    str | None, typer.Option("--run", help="results lie under it; the same one goes on with its trials")
]


@app.callback()
def _group() -> None:
    """Find better settings, sizes and purchases; propose them as a change that a person reviews."""


@app.command("trials")
def trials_command(
    spec: SpecFile,
    name: Names = None,
    run_name: RunName = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, say what would be tried, start nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start servers with settings, ask them in an open loop, and find the cheapest that keeps its objective.

    With --run of a run that was cut short, its finished trials are not made again. Ends with 1 where no
    setting holds the objective.
    """
    around = _around(spec, run_name, evidence, evidence_conn)
    if dry_run:
        _show(around, name, as_json=as_json)
    else:
        _judge(around, "trials", name, as_json=as_json)


@app.command("rightsize")
def rightsize_command(
    spec: SpecFile,
    name: Names = None,
    run_name: RunName = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Judge machines by the series of their use; recommends nothing where these say too little."""
    _judge(_around(spec, run_name, evidence, evidence_conn), "rightsizing", name, as_json=as_json)


@app.command("mix")
def mix_command(
    spec: SpecFile,
    name: Names = None,
    run_name: RunName = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Reckon what to commit to, to buy by the hour, and to run on machines that can be taken away."""
    _judge(_around(spec, run_name, evidence, evidence_conn), "mix", name, as_json=as_json)


@app.command("propose")
def propose_command(
    spec: SpecFile,
    run_name: Annotated[str, typer.Option("--run", help="whose results are proposed")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the patch of the spec here as well")
    ] = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Write what a run's results recommend, and the patch of the spec; applies nothing."""
    from heavylift.aio import run
    from heavylift.evidence.store import open_evidence
    from heavylift.optimize.from_spec import wishes_of
    from heavylift.optimize.proposing import propose_changes

    around = _around(spec, run_name, evidence, evidence_conn)
    kept = around.kept("proposal")

    async def propose() -> tuple[Any, Any, str]:
        async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
            record, ref = await propose_changes(store, around.run, spec, wishes_of(around.spec))
            patch = (await store.read_verified(record.patch)).decode() if record.patch else ""
        return record, ref, patch

    record, ref, patch = run(propose())
    if out is not None:
        out.write_text(patch, encoding="utf-8")
    evidence_of = (ref, record.patch) if record.patch else (ref,)
    details = {"digest": record.digest, "recommendations": len(record.recommendations)}
    note_act(kept, record.digest, "optimize.proposed", evidence_of, details)
    finish(
        {"proposal": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json"), "patch": patch},
        text=proposal_text(record, ref, patch),
        as_json=as_json,
    )


def _judge(around: Around, kind: OptimizeKind, names: list[str] | None, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.optimize.from_spec import optimize_one

    done = []
    for name in _wanted(around, kind, names):
        record, ref = run(optimize_one(around, kind, name, note))
        note_act(around.kept(name), name, f"optimize.{kind}", (ref,), {"statement": record.statement})
        done.append((record, ref))
    finish(
        {
            "run": around.run.run,
            kind: [record.model_dump(mode="json") for record, _ in done],
            "evidence": [ref.model_dump(mode="json") for _, ref in done],
        },
        text=results_text(around.run.run, done),
        as_json=as_json,
    )


def _show(around: Around, names: list[str] | None, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.optimize.from_spec import trials_of

    planned = []
    for name in _wanted(around, "trials", names):
        study = next(each for each in around.section.trials if each.name == name)
        request, _ = run(trials_of(around, study))
        planned.append(
            {"name": name, "settings": request.space.size, "trials": request.plan.most_trials,
             "command": request.served}
        )  # fmt: skip
    lines = [f"{each['name']}: {each['trials']} trials of {each['settings']} settings" for each in planned]
    finish({"planned": planned}, text="\n".join(lines), as_json=as_json)


def _wanted(around: Around, kind: OptimizeKind, names: list[str] | None) -> list[str]:
    from heavylift.optimize.from_spec import subjects_of

    named = [name for each, name in subjects_of(around.spec) if each == kind]
    unknown = [name for name in names or () if name not in named]
    if named and not unknown:
        return names or named
    raise SpecError(
        f"optimising {around.spec.migration}",
        got=f"--name {unknown[0]}" if unknown else f"a spec without optimize.{kind}",
        expected=f"one of {', '.join(named)}" if named else f"entries under optimize.{kind}",
        state="nothing was tried or judged",
        remedy="correct the name" if named else "add them; docs/reference/optimize.md shows the section",
        code="9653",
    )


def _around(path: Path, run_name: str | None, evidence: str | None, evidence_conn: str | None) -> Around:
    from datetime import UTC, datetime

    from heavylift.evidence.optimize_evidence import OPTIMIZE_PHASE
    from heavylift.evidence.records import RunKey
    from heavylift.optimize.from_spec import Around
    from heavylift.spec.load import load_spec

    loaded = load_spec(path)
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    run_id = run_name or datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return Around(
        loaded,
        RunKey(migration=loaded.migration, phase=OPTIMIZE_PHASE, run=run_id),
        path.parent,
        connection_from_env,
        evidence or loaded.evidence.url,
        evidence_connection(stored),
    )
