"""Whether the target's permissions are what was translated, before a workload is switched."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from heavylift.evidence.access_records import (
    ACCESS_PHASE,
    AccessRecord,
    AccessVerification,
    translation_path,
    verification_path,
)
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.switch_records import ReadinessItem
from heavylift.evidence.wording import counted

if TYPE_CHECKING:
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore

_Made = TypeVar("_Made", AccessRecord, AccessVerification)


async def access_item(store: EvidenceStore, migration: str) -> ReadinessItem:
    """Return how the newest translation of permissions and its newest comparison stand; changes nothing.

    A comparison counts whichever run or shell made it, as long as it is of the newest translation.

    :raises AuditError: a record is damaged.
    """
    made: Kept[AccessRecord] | None = None
    seen: Kept[AccessVerification] | None = None
    for run in await list_runs(store, migration, ACCESS_PHASE):
        made = _newer(made, await _made(store, run.key))
        seen = _newer(seen, await _seen(store, run.key))
    reasons = []
    if made is None:
        reasons.append(f"no permissions were translated: run {migration}.provision")
    elif not made.record.passed:
        reasons.append("the newest translation gives somebody more than the source")
    if made and (seen is None or seen.record.digest != made.record.digest):
        reasons.append(
            f"nobody has compared the target's permissions with translation {made.record.digest[:12]}…: name"
            " access.target_documents, or run heavylift access verify"
        )
    elif seen and not seen.record.passed:
        reasons.append(
            "the target differs from the translation in"
            f" {counted(seen.record.difference_count, 'permission')}"
        )
    same = f"{counted(seen.record.compared, 'permission')} are what was translated" if seen else ""
    return ReadinessItem(
        item="access",
        subject="matrix",
        passed=not reasons,
        detail="; ".join(reasons) or same,
        seen_at=seen.record.created_at if seen else utc_now(),
        evidence=tuple(kept.ref for kept in (made, seen) if kept),
    )


async def _made(store: EvidenceStore, run: RunKey) -> Kept[AccessRecord] | None:
    return await read_latest(store, lambda number: translation_path(run, number), AccessRecord)


async def _seen(store: EvidenceStore, run: RunKey) -> Kept[AccessVerification] | None:
    return await read_latest(store, lambda number: verification_path(run, number), AccessVerification)


def _newer(one: Kept[_Made] | None, other: Kept[_Made] | None) -> Kept[_Made] | None:
    if one is None or other is None:
        return one or other
    return other if other.record.created_at >= one.record.created_at else one
