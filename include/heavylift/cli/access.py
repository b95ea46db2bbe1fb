"""``heavylift access``: who may do what on the target, translated and compared; applies nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor

if TYPE_CHECKING:
    from heavylift.access.api import Outcome
    from heavylift.evidence.access_records import AccessRecord, AccessVerification
    from heavylift.evidence.records import RunKey

app = typer.Typer(no_args_is_help=True)

Source = Annotated[
    list[Path],
    typer.Argument(metavar="SPEC|FILE…", help="A spec: its inventory; or files of policies, with --source."),
]
SourcePlatform = Annotated[str | None, typer.Option("--source", help="aws, gcp, azure, kubernetes.")]
TargetPlatform = Annotated[str | None, typer.Option("--target", help="Likewise; default: the spec's.")]
NamesFile = Annotated[
    Path | None, typer.Option("--names", help="JSON: accounts, and which name is whose counterpart.")
]
SourceAccount = Annotated[str, typer.Option(help="Account, project, scope or namespace of the source.")]
TargetAccount = Annotated[str, typer.Option(help="Likewise of the target.")]
MigrationName = Annotated[str | None, typer.Option("--migration", help="Name under which evidence lies.")]


@app.command()
def translate(
    source: Source,
    source_platform: SourcePlatform = None,
    target_platform: TargetPlatform = None,
    names: NamesFile = None,
    source_account: SourceAccount = "",
    target_account: TargetAccount = "",
    logs: Annotated[
        list[Path] | None, typer.Option(help="Access logs, JSON lines or CloudTrail's files; gz, too.")
    ] = None,
    roles: Annotated[
        Path | None, typer.Option(help="Predefined roles of the target, with their permissions, JSON.")
    ] = None,
    max_excess: Annotated[int, typer.Option(min=0, help="Excess that one grant may have; it is listed.")] = 0,
    facts: Annotated[Path | None, typer.Option(help="Folder with tables of your own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the document, JSON.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the document as an HTML page.")] = None,
    matrix: Annotated[Path | None, typer.Option(help="Write the matrix, Parquet.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing at all.")] = False,
    migration: MigrationName = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Translate permissions: for each identity what it needs on the target, never more than it had.

    Exits 1 where the target would allow what the source does not; what could not be translated is listed and
    does not fail.
    """
    from heavylift.access.api import AccessRequest, translate_access
    from heavylift.access.logs import used_permissions
    from heavylift.access.predefined import read_predefined
    from heavylift.cli.access_asked import given_by
    from heavylift.cli.access_text import translation_text

    accounts = source_account, target_account
    given = given_by(source, source_platform, target_platform, names, accounts, migration or MIGRATION)
    request = AccessRequest(
        run=_run_key(given.migration),
        names=given.names,
        found=given.documents(evidence, evidence_conn),
        max_excess=max_excess,
        predefined=read_predefined(roles),
        used=used_permissions(given.names.source, logs) if logs else None,
        facts=facts,
    )
    outcome = translate_access(request)
    record = outcome.record
    if not dry_run:
        mark_touched()
        record = _keep(outcome, evidence, evidence_conn)
        _write_files(record, outcome, out, page, matrix)
    finish(
        {"access": record.model_dump(mode="json")},
        text=translation_text(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


@app.command()
def verify(
    translation: Annotated[Path, typer.Argument(help="The document that translate wrote (--out).")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="The target's policies and roles.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing at all.")] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Compare the target's permissions with a translation; exits 1 where they differ."""
    from heavylift.access.documents import read_documents
    from heavylift.access.verify import read_translation, verify_access
    from heavylift.cli.access_text import verification_text

    record = read_translation(translation)
    found = [(str(path), read_documents(path)) for path in files]
    made = verify_access(record, found, _run_key(record.run.migration))
    if not dry_run:
        mark_touched()
        _keep_verification(made, evidence, evidence_conn)
    finish(
        {"verification": made.model_dump(mode="json")},
        text=verification_text(made),
        as_json=as_json,
        status=ExitStatus.DONE if made.passed else ExitStatus.FAILED,
    )


def _keep_verification(made: AccessVerification, evidence: str | None, conn: str | None) -> None:
    from heavylift.access.keeping import keep_verification
    from heavylift.aio import run
    from heavylift.evidence.store import open_evidence

    async def write() -> None:
        async with open_evidence(evidence, evidence_connection(conn)) as store:
            await keep_verification(store, made, shell_actor())

    run(write())


def _run_key(migration: str) -> RunKey:
    from heavylift.evidence.access_records import ACCESS_PHASE
    from heavylift.evidence.records import RunKey

    run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return RunKey(migration=migration, phase=ACCESS_PHASE, run=run)


def _keep(outcome: Outcome, evidence: str | None, conn: str | None) -> AccessRecord:
    from heavylift.access.keeping import keep, note_translation
    from heavylift.aio import run
    from heavylift.evidence.store import open_evidence
    from heavylift.report.access import render_access

    async def write() -> AccessRecord:
        async with open_evidence(evidence, evidence_connection(conn)) as store:
            record, ref = await keep(store, outcome, render_access)
            await note_translation(store, record, ref, shell_actor())
            return record

    return run(write())


def _write_files(
    record: AccessRecord, outcome: Outcome, out: Path | None, page: Path | None, matrix: Path | None
) -> None:
    from heavylift.access.keeping import matrix_bytes

    if out is not None:
        out.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if matrix is not None:
        matrix.write_bytes(matrix_bytes(outcome.rows))
    if page is not None:
        from heavylift.report.access import render_access

        page.write_text(render_access(record, outcome.rows), encoding="utf-8")
