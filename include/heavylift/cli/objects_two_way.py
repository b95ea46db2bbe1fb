"""``heavylift objects two-way``: keep two places equal that are both written to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.manners import MaxRequests, NoWait, Window, with_manners
from heavylift.cli.objects_options import (
    MIGRATION,
    MOST_IN_FLIGHT,
    AsJson,
    Bandwidth,
    Concurrency,
    DryRun,
    Exclude,
    Include,
    Memory,
    Migration,
    PartSize,
    SourceConn,
    SourceUrl,
    Stall,
    TargetConn,
    TargetUrl,
    limits_of,
    request_of,
)
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import Evidence, EvidenceConn, shell_actor
from heavylift.errors import HeavyliftError, WindowClosedError
from heavylift.spec.vocabulary import Conflicts, Deletes

if TYPE_CHECKING:
    from heavylift.objects.api import TwoWay


def two_way(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    migration: Migration = MIGRATION,
    conflicts: Annotated[
        Conflicts, typer.Option(help="which version stays where both sides changed an object")
    ] = Conflicts.STOP,
    bandwidth: Bandwidth = None,
    max_requests: MaxRequests = None,
    window: Window = None,
    no_wait: NoWait = False,
    concurrency: Concurrency = MOST_IN_FLIGHT,
    memory: Memory = "128MiB",
    part_size: PartSize = "16MiB",
    stall_timeout: Stall = "60s",
    allow_many_deletes: Annotated[
        bool, typer.Option("--allow-many-deletes", help="carry over even so many deletions as are refused")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Carry what changed on either side over to the other, and prove both equal.

    Changes are told from the last common state of the same two URLs under the same --migration, whoever
    made it: copy, sync or an earlier run of this. Nothing is overwritten or deleted on either side before
    its version lies in that side's quarantine, or (keep-both) under a second name. Safe to run again
    after any end.
    """
    from heavylift.objects.requests import TransferOptions

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        deletes=Deletes.QUARANTINE,
        limits=with_manners(
            limits_of(bandwidth, concurrency, memory, part_size, stall_timeout), max_requests, window
        ),
        allow_many_deletes=allow_many_deletes,
        dry_run=dry_run,
    )
    request = request_of(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "sync",
    )
    if not dry_run:
        mark_touched()
    try:
        done = _carry(request, conflicts, wait=not no_wait)
    except WindowClosedError as closed:
        finish(
            {"window": {"opens_at": closed.opens_at, **closed.attrs()}},
            text=f"the time window is closed: {closed.state}\nrun this again from {closed.opens_at} on",
            as_json=as_json,
            status=ExitStatus.INTERRUPTED,
        )
    passed = done.verification is None or done.verification.passed
    finish(
        {
            "two_way": done.record.model_dump(mode="json"),
            "verification": done.verification.model_dump(mode="json") if done.verification else None,
        },
        text=told(done),
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


def _carry(request: Any, conflicts: Conflicts, *, wait: bool) -> TwoWay:
    from heavylift.aio import run
    from heavylift.cli.copying import wait_until
    from heavylift.objects.api import sync_two_way

    while True:
        try:
            done = run(sync_two_way(request, conflicts))
        except WindowClosedError as closed:
            if not wait:
                raise
            wait_until(datetime.fromisoformat(closed.opens_at))
        except HeavyliftError:
            run(_note(request))
            raise
        else:
            run(_note(request))
            return done


async def _note(request: Any) -> None:
    """Note in the audit trail what was carried over, also where some of it failed."""
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.paths import two_way_path
    from heavylift.evidence.run_evidence import read_latest
    from heavylift.evidence.store import open_evidence
    from heavylift.evidence.two_way_records import TwoWayRecord

    run, dataset = request.run, request.dataset
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        kept = await read_latest(store, lambda n: two_way_path(run, dataset, n), TwoWayRecord)
        if kept is None:
            return
        await AuditTrail(store, run.migration).append(
            Act(
                actor=shell_actor(),
                action="dataset.carried",
                phase=run.phase,
                run=run.run,
                subject=dataset,
                evidence=(kept.ref,),
                details=kept.record.details(),
            )
        )


def told(done: TwoWay) -> str:
    """Return what was carried over, and every conflict, in words."""
    record = done.record
    counts = {
        "to carry": record.planned,
        "  to the target": record.carried_to_target,
        "  to the source": record.carried_to_source,
        "  gone, target": record.deleted_on_target,
        "  gone, source": record.deleted_on_source,
        "  both kept": record.both_kept,
        "overtaken": record.overtaken,
    }
    lines = [
        f"{record.source_url} <-> {record.target_url}",
        *(f"  {label:<18}{tally.objects:>12,} objects" for label, tally in counts.items()),
        *(
            f"  conflict: {case.key} ({case.kind}): {case.resolution}, {case.outcome}"
            + (f"; the other version: {case.kept}" if case.kept else "")
            for case in record.conflicts
        ),
    ]
    if record.conflict_count > len(record.conflicts):
        lines.append(f"  and {record.conflict_count - len(record.conflicts):,} conflicts more")
    if done.verification:
        lines.append(f"  {done.verification.statement}")
    return "\n".join(lines)
