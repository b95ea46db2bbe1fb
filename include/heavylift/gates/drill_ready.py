"""Whether the fail-over was drilled lately, and well: a part of readiness."""

from __future__ import annotations

from datetime import datetime

from heavylift.evidence.drill_records import history_of, last_drills
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_records import ReadinessItem


async def drill_item(store: EvidenceStore, migration: str, now: datetime) -> ReadinessItem:
    """Return how the last drills stand; those that were put off count neither way, nor do those of the way
    back alone, which are made after a switch.

    It passes where the last one that was tried passed, and is not overdue.

    :raises AuditError: a record is damaged.
    """
    kept = await last_drills(store, migration)
    kept = [each for each in kept if each.record.way != "back"]
    history = history_of([each.record for each in kept])
    last = history.last
    good = last is not None and last.outcome == "passed" and not history.is_overdue(now)
    todo = "" if good else f": run {migration}.drill, or heavylift cutover drill SPEC"
    refs = tuple(each.ref for each in kept if last is not None and each.record == last)
    seen = {"seen_at": last.drilled_at} if last is not None else {}
    return ReadinessItem.model_validate(
        {"item": "drill", "passed": good, "detail": history.words(now) + todo, "evidence": refs, **seen}
    )
