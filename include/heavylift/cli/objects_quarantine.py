"""``heavylift objects restore`` and ``purge``: what a sync has put aside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.objects_options import (
    MIGRATION,
    AsJson,
    Exclude,
    Include,
    Migration,
    SourceConn,
    SourceUrl,
    TargetConn,
    TargetUrl,
    request_of,
)
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import Evidence, EvidenceConn, shell_actor
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.objects.restore import QuarantineRecord

DryRun = Annotated[bool, typer.Option("--dry-run", help="only count; nothing is changed")]


def restore(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    migration: Migration = MIGRATION,
    run_: Annotated[str | None, typer.Option("--run", help="only what this run has put aside")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring back objects that a sync has put aside; nothing on the target is overwritten."""
    from heavylift.aio import run
    from heavylift.objects.api import TransferOptions, restore_quarantined

    options = TransferOptions(include=tuple(include or ()), exclude=tuple(exclude or ()), dry_run=dry_run)
    request = request_of(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "restore",
    )
    if not dry_run:
        mark_touched()
    _end(request, *run(restore_quarantined(request, run=run_)), as_json=as_json)


def purge(
    source_url: SourceUrl,
    target_url: TargetUrl,
    older_than: Annotated[str, typer.Option(help="only what was put aside before so long, e.g. 30d")],
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    migration: Migration = MIGRATION,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete for good what a sync has put aside so long ago."""
    from heavylift.aio import run
    from heavylift.objects.api import TransferOptions, purge_quarantined

    options = TransferOptions(include=tuple(include or ()), exclude=tuple(exclude or ()), dry_run=dry_run)
    places = (source_url, target_url, source_conn, target_conn)
    request = request_of(*places, evidence, evidence_conn, migration, options, "purge")
    age = _age(older_than)
    if not dry_run:
        mark_touched()
    _end(request, *run(purge_quarantined(request, age)), as_json=as_json)


def _age(text: str) -> timedelta:
    from heavylift.spec.quantities import parse_duration

    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise SpecError(
            "reading --older-than",
            got=repr(text),
            expected="a duration such as 30d or 12h",
            state="nothing was touched",
            remedy="write a number and s, m, h, d or w",
            code="5047",
        ) from error


def _end(request: Any, record: QuarantineRecord, ref: EvidenceRef | None, *, as_json: bool) -> None:
    from heavylift.aio import run

    if ref is not None:
        run(_note(request, record, ref))
    lines = [
        f"{record.act} of {record.target_url}: {record.found.objects:,} found, {record.done.objects:,} done,"
        f" {record.kept.objects:,} kept in quarantine, {record.failed.objects:,} failed",
        *(f"  failed: {each.key}: {each.error['got']}" for each in record.failures),
    ]
    whole = record.dry_run or record.done == record.found
    finish(
        {"quarantine": record.model_dump(mode="json")},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.DONE if whole else ExitStatus.FAILED,
    )


async def _note(request: Any, record: QuarantineRecord, ref: EvidenceRef) -> None:
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.store import open_evidence

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        await AuditTrail(store, request.run.migration).append(
            Act(
                actor=shell_actor(),
                action=f"quarantine.{record.act.removesuffix('e')}ed",
                phase="sync",
                run=request.run.run,
                subject=request.dataset,
                evidence=(ref,),
                details={"done": record.done.objects, "kept": record.kept.objects},
            )
        )
