"""Planning: what has to move, in which shards, and what stands in the way."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.errors import ConflictError
from heavylift.evidence.paths import plan_path
from heavylift.evidence.records import (
    MAX_LISTED,
    EvidenceRef,
    Finding,
    PlanRecord,
    Severity,
    ShardSummary,
    Tally,
    utc_now,
)
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import EvidenceStore
from heavylift.facts.estimate import refuse_too_dear
from heavylift.objects.advice import advise_plan
from heavylift.objects.apart import refuse_overlaps
from heavylift.objects.aside import in_quarantine
from heavylift.objects.beside import (
    ARCHIVED,
    ARCHIVED_REMEDY,
    classes_of,
    describe,
    nothing_found,
    refuse_archived,
)
from heavylift.objects.costing import estimate_plan
from heavylift.objects.diff import MOVES, Difference, Refused, without
from heavylift.objects.gone import Gone, find_gone, policy_of, write_gone
from heavylift.objects.keeping import keep_rows
from heavylift.objects.large_parts import parts_beyond_memory
from heavylift.objects.looking import Looked, look_at_attributes, write_rows
from heavylift.objects.making_way import stays_in_the_way
from heavylift.objects.naming import TOO_LARGE, refuse_too_large, refuse_unholdable
from heavylift.objects.relisting import Relisting, relist_both
from heavylift.objects.renewing import rewritten, slice_to_recheck
from heavylift.objects.requests import MAX_SHARDS, OBJECTS_WORTH_A_SHARD, TransferRequest
from heavylift.objects.services.split import write_split_plan
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.objects.standing import brings_attributes, keep_pages, passes_by, recall
from heavylift.objects.standing_plan import plan_nothing
from heavylift.objects.state import fetch_known
from heavylift.patterns import selector
from heavylift.platforms.ports import ObjectStore, PassesBy
from heavylift.spec.vocabulary import Deletes, OnConflict, OnUnholdableKey, Via

CONFLICT = "target-differs"


async def plan_transfer(request: TransferRequest) -> PlanRecord:
    """List both sides, decide what to move, and write the plan as evidence.

    Changes nothing on the source; on the target it writes and deletes tiny probe objects where
    unusual keys ask for it (never in a dry run). In one run a plan is made once: a second call
    returns the one that is stored. A plan that is refused is not stored, so that a retry after
    mending plans afresh.

    :raises SpecError: one side of a copy lies inside the other, or evidence inside the source; no store was
        asked.
    :raises ConflictError: the spec says ``fail`` and the target holds something else under a
        key, or cannot hold a key, or the estimate is above ``max_cost_usd``. Nothing has been moved.
    """
    refuse_overlaps(request)
    async with evidence_of(request) as evidence:
        path = plan_path(request.run, request.dataset)
        if await evidence.exists(path):
            return PlanRecord.model_validate(await evidence.read_json(path))
        async with open_both(request) as (source, target):
            with tempfile.TemporaryDirectory(prefix="heavylift-plan-") as folder:
                return await _make_plan(request, evidence, source, target, Path(folder))


async def _make_plan(
    request: TransferRequest, evidence: EvidenceStore, source: ObjectStore, target: ObjectStore, work: Path
) -> PlanRecord:
    began, now = time.monotonic(), utc_now()
    await source.check()
    await target.check()
    state = await StateLog(evidence, request.run.migration, request.dataset).latest()
    recalled = await recall(request, evidence, state)
    sides = await relist_both(request, source, target, work, recalled.pages if recalled else None)
    if recalled and all(side.is_as_kept for side in sides) and not passes_by(source):
        record = await plan_nothing(request, recalled, source, now, began)
        await evidence.write_json(plan_path(request.run, request.dataset), record)
        return record
    return await _compare(request, evidence, source, target, sides, state, work, now, began)


async def _compare(
    request: TransferRequest,
    evidence: EvidenceStore,
    source: ObjectStore,
    target: ObjectStore,
    sides: tuple[Relisting, Relisting],
    state: Mapping[str, Any] | None,
    work: Path,
    now: datetime,
    began: float,
) -> PlanRecord:
    options = request.options
    selected = selector(options.include, options.exclude)
    source_listing, target_listing = [await side.listing(evidence) for side in sides]
    difference = Difference(work, options.limits.memory_budget)
    try:
        difference.add_known(await fetch_known(evidence, request.run.migration, request.dataset, work))
        attributes = brings_attributes(request)
        difference.compare(
            source_listing,
            target_listing,
            options.filters,
            now,
            attributes=attributes,
            recheck=slice_to_recheck(request, state),
        )
        await refuse_archived(request, difference, source_listing, source)
        findings = await _settle(request, difference, target) + _passed_by(request, source, selected)
        findings += in_quarantine(request, sides[0])
        looked = await look_at_attributes(request, difference, source, target)
        findings = [*looked.in_short, *rewritten(request, difference), *findings, *looked.named]
        gone = find_gone(request, difference, source, source_listing.total, state)
        findings += gone.findings
        has_gone = policy_of(request) is not Deletes.KEEP
        findings += stays_in_the_way(request, difference, target, has_gone=has_gone)
        findings += await describe(request, lambda: classes_of(difference, source_listing), source)
        actions = difference.by_action()
        filtered = actions.get("filtered", Tally())
        found = without(source_listing.total, filtered)
        findings += await nothing_found(request, found, filtered, source)
        findings += parts_beyond_memory(request, difference, target.traits)
        workload, estimate = estimate_plan(request, difference, source_listing, target_listing, target.traits)
        _refuse_blocked(request, findings, difference.refused_tally(), found)
        if not options.dry_run:
            refuse_too_dear(request.dataset, estimate)
        refs, shards = await _store_rows(request, evidence, difference, gone, looked, sides, work)
        record = PlanRecord(
            run=request.run,
            dataset=request.dataset,
            source_url=str(request.source.location),
            target_url=str(request.target.location),
            dry_run=options.dry_run,
            found=found,
            filtered=filtered,
            actions=actions,
            planned_from=now,
            to_copy=difference.tally(*MOVES),
            unchanged=difference.tally("unchanged"),
            refused=difference.refused_tally(),
            only_on_target=difference.tally("extra"),
            findings=tuple(findings[:MAX_LISTED]),
            finding_count=len(findings),
            shards=shards,
            via=options.via.value,
            estimate=estimate,
            advice=advise_plan(request, workload, difference),
            deletes=policy_of(request),
            to_delete=gone.to_delete,
            brake=gone.brake,
            **refs,
            seconds=round(time.monotonic() - began, 3),
        )
    finally:
        difference.close()
    await evidence.write_json(plan_path(request.run, request.dataset), record)
    return record


async def _settle(request: TransferRequest, difference: Difference, target: ObjectStore) -> list[Finding]:
    """Decide about conflicts and keys that cannot be held; return what a person should know."""
    options = request.options
    if options.on_conflict is OnConflict.OVERWRITE:
        difference.adopt_conflicts()
    for keys in difference.keys("conflict"):
        difference.refuse([Refused(key, CONFLICT, _CONFLICT_REASON) for key in keys])
    refuse_too_large(difference, target)
    unprobed = await refuse_unholdable(
        difference, target, request.target.location.prefix, may_probe=not options.dry_run
    )
    refused, count = difference.refusals(MAX_LISTED)
    findings = [_finding(request, item) for item in refused]
    if count > len(refused):
        detail = f"{count - len(refused)} more objects are refused; refused_rows names them all"
        findings.append(_about_dataset(request, "more-refused-keys", findings[0].severity, detail))
    for name in unprobed:
        detail = f"keys with {name} occur; a dry run does not try whether the target holds them"
        findings.append(_about_dataset(request, "unprobed-keys", Severity.NOTE, detail))
    return findings


def _passed_by(
    request: TransferRequest, source: ObjectStore, selected: Callable[[str], bool]
) -> list[Finding]:
    """Name what the source's listing passed by: nothing that was there is dropped silently."""
    if not isinstance(source, PassesBy):
        return []
    prefix = request.source.location.prefix
    fatal = request.options.on_unholdable_key is OnUnholdableKey.FAIL
    return [
        Finding(
            rule="not-an-object",
            severity=Severity.BLOCKER if fatal else Severity.WARNING,
            subject=request.source.location.url_of(key),
            detail=reason,
            remedy="exclude it, replace it by what it points to, or set on_unholdable_key: skip",
        )
        for key, reason in sorted(source.unlisted.items())
        if key.startswith(prefix) and selected(key[len(prefix) :])
    ]


def _about_dataset(request: TransferRequest, rule: str, severity: Severity, detail: str) -> Finding:
    return Finding(rule=rule, severity=severity, subject=request.dataset, detail=detail)


_CONFLICT_REASON = "the target holds a different object under this key that Heavylift did not write"


_TOO_LARGE_REMEDY = "store it in parts on the source, or set on_unholdable_key: skip"


def _finding(request: TransferRequest, item: Refused) -> Finding:
    options = request.options
    if item.rule == CONFLICT:
        fatal, remedy = options.on_conflict is OnConflict.FAIL, "move that object away, or set on_conflict"
    else:
        fatal = options.on_unholdable_key is OnUnholdableKey.FAIL
        remedy = "rename the object on the source, or set on_unholdable_key: skip"
        remedy = {ARCHIVED: ARCHIVED_REMEDY, TOO_LARGE: _TOO_LARGE_REMEDY}.get(item.rule, remedy)
    return Finding(
        rule=item.rule,
        severity=Severity.BLOCKER if fatal else Severity.WARNING,
        subject=request.source.location.url_of(request.source.location.prefix + item.rel),
        detail=item.reason,
        remedy=remedy,
    )


async def _store_rows(
    request: TransferRequest,
    evidence: EvidenceStore,
    difference: Difference,
    gone: Gone,
    looked: Looked,
    sides: tuple[Relisting, Relisting],
    work: Path,
) -> tuple[dict[str, EvidenceRef], tuple[ShardSummary, ...]]:
    limits = request.options.limits
    path = work / "plan.parquet"
    objects = _shard_objects(request, difference)
    if request.options.via is Via.HEAVYLIFT:
        shards = difference.write_plan(path, objects, limits.shard_size, MAX_SHARDS)
    else:
        shards = write_split_plan(
            difference, path, request.options.via, objects, limits.shard_size, MAX_SHARDS
        )
    refs = {"source_rows": await keep_rows(request, evidence, work / "source.parquet")}
    if not shards and not gone.to_delete.objects and not request.options.dry_run:
        refs["target_rows"] = await keep_rows(request, evidence, work / "target.parquet")
        pages = await keep_pages(request, evidence, sides, (refs["source_rows"], refs["target_rows"]))
        refs |= {"pages": pages} if pages else {}
    if shards and not request.options.dry_run:
        refs["rows"] = await keep_rows(request, evidence, path)
    if difference.write_refused(work / "refused.parquet"):
        refs["refused_rows"] = await keep_rows(request, evidence, work / "refused.parquet")
    if looked.rows:
        write_rows(difference, work / "attributes.parquet")
        refs["attribute_rows"] = await keep_rows(request, evidence, work / "attributes.parquet")
    if gone.to_delete.objects:
        write_gone(difference, work / "gone.parquet")
        refs["gone_rows"] = await keep_rows(request, evidence, work / "gone.parquet")
    return refs, tuple(ShardSummary(index=i, objects=n, size_bytes=b) for i, n, b in shards)


def _shard_objects(request: TransferRequest, difference: Difference) -> int:
    """Return the most objects of one shard, so that there are as many shards as are asked for."""
    most = request.options.limits.shard_objects
    if request.options.fewest_shards == 1:
        return most
    todo = difference.tally(*MOVES).objects
    spread = max(OBJECTS_WORTH_A_SHARD, -(-todo // request.options.fewest_shards))
    return min(most, spread)


def _refuse_blocked(request: TransferRequest, findings: list[Finding], refused: Tally, found: Tally) -> None:
    blockers = [f for f in findings if f.severity is Severity.BLOCKER]
    if not blockers or request.options.dry_run:
        return
    first = "; ".join(f"{f.subject}: {f.detail}" for f in blockers[:5])
    raise ConflictError(
        f"planning of dataset {request.dataset!r}",
        got=f"{refused.objects} of {found.objects} objects refused, {len(blockers)} blockers ({first})",
        expected="a target that can take every object",
        state="nothing was moved",
        remedy=f"{blockers[0].remedy}; a dry run lists them",
        code="5002",
    )
