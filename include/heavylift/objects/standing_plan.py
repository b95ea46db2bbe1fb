"""The plan of a run whose listings are page by page those that were proved equal last."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.evidence.records import MAX_LISTED, PlanRecord, Tally
from heavylift.facts.estimate import refuse_too_dear
from heavylift.objects.advice import advise_workload
from heavylift.objects.beside import describe
from heavylift.objects.costing import estimate_workload, idle_workload
from heavylift.objects.gone import policy_of
from heavylift.objects.requests import TransferRequest
from heavylift.objects.standing import Recalled

if TYPE_CHECKING:
    from heavylift.platforms.ports import ObjectStore


async def plan_nothing(
    request: TransferRequest, recalled: Recalled, source: ObjectStore, now: datetime, began: float
) -> PlanRecord:
    """Return the plan that a comparison of these listings would come to: there is nothing to do.

    :raises ConflictError: listing alone costs more than ``max_cost_usd``.
    """
    standing = recalled.standing
    found = standing.found
    tallies = {"extra": standing.extra, "filtered": standing.filtered, "unchanged": found}
    workload = idle_workload(request, standing.source, standing.target)
    estimate = estimate_workload(request, workload)
    refuse_too_dear(request.dataset, estimate)
    findings = await describe(request, lambda: standing.classes, source)
    return PlanRecord(
        run=request.run,
        dataset=request.dataset,
        source_url=str(request.source.location),
        target_url=str(request.target.location),
        found=found,
        filtered=standing.filtered,
        actions={name: tally for name, tally in tallies.items() if tally.objects},
        planned_from=now,
        to_copy=Tally(),
        unchanged=found,
        refused=Tally(),
        only_on_target=standing.extra,
        findings=tuple(findings[:MAX_LISTED]),
        finding_count=len(findings),
        source_rows=recalled.pages[0].rows,
        target_rows=recalled.pages[1].rows,
        pages=standing.pages,
        same_as=standing.verification,
        via=request.options.via.value,
        estimate=estimate,
        advice=advise_workload(request, workload),
        deletes=policy_of(request),
        seconds=round(time.monotonic() - began, 3),
    )
