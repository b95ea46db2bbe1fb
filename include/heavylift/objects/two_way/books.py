"""The books of a two-way sync, kept as those of any move, so that gates, report and board read them."""

from __future__ import annotations

from heavylift.evidence.paths import plan_path, shard_result_path
from heavylift.evidence.records import (
    MAX_LISTED,
    Finding,
    PlanRecord,
    Severity,
    ShardResult,
    ShardSummary,
    Tally,
    VerificationRecord,
    utc_now,
)
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.two_way_records import ConflictCase, TwoWayRecord
from heavylift.objects.diff import without
from heavylift.objects.requests import TransferRequest
from heavylift.objects.two_way.ways import STOP

RULE = "changed-on-both-sides"


async def plan_of(request: TransferRequest, evidence: EvidenceStore, record: TwoWayRecord) -> None:
    """Write the plan of a dry run, or of one that was stopped: nothing has moved.

    Not where one is there: a run has one plan.
    """
    path = plan_path(request.run, request.dataset)
    if not record.dry_run or await evidence.exists(path):
        return
    await evidence.write_json(path, _plan(request, record, record.source, Tally()))


async def keep_books(
    request: TransferRequest,
    evidence: EvidenceStore,
    record: TwoWayRecord,
    verification: VerificationRecord,
    attempt: int,
    moved: Tally,
) -> None:
    """Write plan and shard of the first attempt of a run that has ended well; nothing for later ones.

    :param moved: what was written on the target.
    """
    path = plan_path(request.run, request.dataset)
    if await evidence.exists(path):
        return
    found = verification.source
    moved = moved if moved.objects <= found.objects else found
    plan = _plan(request, record, found, moved)
    if moved.objects:
        result = ShardResult(
            run=request.run,
            dataset=request.dataset,
            shard=0,
            attempt=attempt,
            started_at=record.started_at,
            ended_at=min(utc_now(), verification.verified_at),
            found=moved,
            moved=moved,
            unchanged=Tally(),
            failed=Tally(),
        )
        await evidence.write_json(shard_result_path(request.run, request.dataset, 0, attempt), result)
    await evidence.write_json(path, plan)


def _plan(request: TransferRequest, record: TwoWayRecord, found: Tally, moved: Tally) -> PlanRecord:
    shards = (ShardSummary(index=0, objects=moved.objects, size_bytes=moved.size_bytes),)
    return PlanRecord(
        run=request.run,
        dataset=request.dataset,
        source_url=str(request.source.location),
        target_url=str(request.target.location),
        created_at=record.started_at,
        dry_run=record.dry_run,
        found=found,
        to_copy=moved,
        unchanged=without(found, moved),
        refused=Tally(),
        only_on_target=Tally(),
        findings=tuple(_finding(request, case) for case in record.conflicts[:MAX_LISTED]),
        finding_count=min(record.conflict_count, MAX_LISTED),
        shards=shards if moved.objects else (),
        seconds=record.seconds,
    )


def _finding(request: TransferRequest, case: ConflictCase) -> Finding:
    stopped = case.resolution == STOP
    kept = f"; the other version is kept as {case.kept}" if case.kept else ""
    return Finding(
        rule=RULE,
        severity=Severity.BLOCKER if stopped else Severity.NOTE,
        subject=f"{request.dataset}: {case.key}",
        detail=f"{case.kind.replace('-', ' ')}: {case.resolution.replace('-', ' ')}{kept}",
        remedy="make the two versions equal, or choose another policy" if stopped else "",
    )
