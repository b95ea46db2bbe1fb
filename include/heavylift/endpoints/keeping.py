"""Keeps what was planned and done in the evidence store, and notes it in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.endpoint_records import EndpointsRecord, endpoints_path
from heavylift.evidence.numbered import write_next

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore

_DONE = {
    "plan": "endpoints.planned",
    "apply": "endpoints.applied",
    "verify": "endpoints.verified",
    "plan-removal": "endpoints.removal_planned",
    "remove": "endpoints.removed",
}


async def keep_endpoints(
    store: EvidenceStore, record: EndpointsRecord, actor: str, attempt: Mapping[str, Any] | None = None
) -> EvidenceRef:
    """Write a record under the run's next number, and note it in the audit trail; overwrites nothing."""
    run = record.run
    _, ref = await write_next(store, lambda number: endpoints_path(run, record.act, number), record)
    await AuditTrail(store, run.migration).append(
        Act(
            actor=actor,
            action=_DONE[record.act],
            phase=run.phase,
            run=run.run,
            subject=record.digest,
            evidence=(ref,),
            details={**record.counts, "passed": record.passed, **(attempt or {})},
        )
    )
    return ref


async def note_begin(
    store: EvidenceStore,
    run: RunKey,
    act: str,
    digest: str,
    actor: str,
    attempt: Mapping[str, Any] | None = None,
) -> None:
    """Note in the audit trail that endpoints are about to be changed; a killed run leaves at least that."""
    await AuditTrail(store, run.migration).append(
        Act(
            actor=actor,
            action=f"endpoints.{act}_begun",
            phase=run.phase,
            run=run.run,
            subject=digest,
            details=dict(attempt or {}),
        )
    )
