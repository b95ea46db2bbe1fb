"""Keeps what was moved in the evidence store: names and outcomes, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.numbered import write_next
from heavylift.evidence.secret_records import SecretsRecord, secrets_path

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore


async def keep_secrets(
    store: EvidenceStore, record: SecretsRecord, actor: str, attempt: Mapping[str, Any] | None = None
) -> EvidenceRef:
    """Write a record under the run's next number, and note it in the audit trail; overwrites nothing."""
    run, act = record.run, record.act
    _, ref = await write_next(store, lambda n: secrets_path(run, act, n), record)
    await AuditTrail(store, run.migration).append(
        Act(
            actor=actor,
            action="secrets.copied" if act == "copy" else "secrets.verified",
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
    """Note in the audit trail that secrets are about to be copied; a killed run leaves at least that."""
    act = Act(actor=actor, action="secrets.begun", phase=run.phase, run=run.run, details=dict(attempt or {}))
    await AuditTrail(store, run.migration).append(act)
