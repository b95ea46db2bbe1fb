"""Keeps what was copied in the evidence store: names, digests and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.image_records import ImagesRecord, images_path
from heavylift.evidence.numbered import write_next

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore


async def keep_images(
    store: EvidenceStore, record: ImagesRecord, actor: str, attempt: Mapping[str, Any] | None = None
) -> EvidenceRef:
    """Write a record under the run's next number, and note it in the audit trail; overwrites nothing."""
    run, act = record.run, record.act
    _, ref = await write_next(store, lambda n: images_path(run, act, n), record)
    await AuditTrail(store, run.migration).append(
        Act(
            actor=actor,
            action="images.copied" if act == "copy" else "images.verified",
            phase=run.phase,
            run=run.run,
            subject=record.digest,
            evidence=(ref,),
            details={**record.counts, "passed": record.passed, **(attempt or {})},
        )
    )
    return ref


async def note_begin(
    store: EvidenceStore, run: RunKey, actor: str, attempt: Mapping[str, Any] | None = None
) -> None:
    """Note in the audit trail that images are about to be copied; a killed run leaves at least that."""
    act = Act(actor=actor, action="images.begun", phase=run.phase, run=run.run, details=dict(attempt or {}))
    await AuditTrail(store, run.migration).append(act)
