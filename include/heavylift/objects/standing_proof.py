"""Laying down a proof that stands, and verifying a run by it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import verification_path
from heavylift.evidence.records import EvidenceRef, PlanRecord, Tally, VerificationRecord
from heavylift.objects.rolling import PROVED_BEFORE, next_slice
from heavylift.objects.standing import Standing, may_stand, settings_of
from heavylift.objects.state_keeping import carry_state

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore
    from heavylift.objects.diff import Difference
    from heavylift.objects.listing import Listing
    from heavylift.objects.requests import TransferRequest


def lay_down(
    request: TransferRequest,
    difference: Difference,
    listings: tuple[Listing, Listing],
    verification: EvidenceRef,
    pages: EvidenceRef,
    found: Tally,
) -> Standing:
    """Return what holds as long as both sides list these pages.

    :param difference: of the listings alone, as a verification has it.
    """
    from heavylift.objects.beside import classes_of

    source, target = listings
    methods = difference.database.execute(
        "SELECT decided_by, count(*) FROM diff WHERE action = 'unchanged' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return Standing(
        settings=settings_of(request),
        run=request.run.folder,
        verification=verification,
        pages=pages,
        source=source.total,
        target=target.total,
        found=found,
        filtered=difference.tally("filtered"),
        extra=difference.tally("extra"),
        by_listing={str(name): int(count) for name, count in methods},
        by_content=difference.tally("compare").objects,
        classes=tuple((str(name), int(n), int(size)) for name, n, size in classes_of(difference, source)),
    )


def standing_of(
    request: TransferRequest, plan: PlanRecord, state: Mapping[str, Any] | None
) -> Standing | None:
    """Return the proof that decides the verification of a plan that rests on it, if it can alone.

    It cannot where objects have to be looked at: those that no listing proves, in a transfer, or in
    a sync whose turn it is to check a slice of them afresh.
    """
    kept = (state or {}).get("standing")
    if plan.same_as is None or kept is None or not may_stand(request):
        return None
    standing = Standing.model_validate(kept)
    unchanged = standing.verification == plan.same_as and standing.settings == settings_of(request)
    looks_at_none = request.options.rolling == 0 or not standing.by_content
    return standing if unchanged and looks_at_none else None


async def verify_by(
    standing: Standing,
    request: TransferRequest,
    evidence: EvidenceStore,
    plan: PlanRecord,
    state: Mapping[str, Any],
    listed_at: datetime,
    began: float,
) -> VerificationRecord:
    """Write the verification of a run whose listings are those of ``standing``, and keep its state.

    What it counts is what comparing the same rows once more would count.
    """
    slice_ = next_slice(state, request.options.rolling)
    methods = dict(standing.by_listing)
    if standing.by_content:
        methods[PROVED_BEFORE] = standing.by_content
    record = VerificationRecord(
        run=request.run,
        dataset=request.dataset,
        source_url=str(request.source.location),
        target_url=str(request.target.location),
        source=standing.found,
        target=standing.target,
        equal=standing.found,
        extra=standing.extra.objects,
        methods=methods,
        statement=_statement(standing),
        root=state["root"],
        tree=EvidenceRef.model_validate(state["tree"]),
        rolling_slice=slice_.index if slice_ else None,
        rolling_of=slice_.of if slice_ else None,
        source_rows=plan.source_rows,
        target_rows=plan.target_rows,
        same_as=standing.verification,
        seconds=round(time.monotonic() - began, 3),
        passed=True,
    )
    run, dataset = request.run, request.dataset
    await write_next(evidence, lambda n: verification_path(run, dataset, n), record)
    await carry_state(request, evidence, state, listed_at=listed_at, slice_=slice_)
    return record


def _statement(standing: Standing) -> str:
    said = (
        f"every object was compared by run {standing.run}, and both listings are page by page the same since"
    )
    if not standing.by_content:
        return said
    return (
        f"{said}; {standing.by_content:,} of them by that or an earlier verification, with both versions"
        " unchanged since; none of them afresh"
    )
