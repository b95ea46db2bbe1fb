"""Notes in the audit trail what a task did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame


async def note(
    store: EvidenceStore,
    frame: TaskFrame,
    action: str,
    *,
    subject: str = "",
    evidence: tuple[EvidenceRef, ...] = (),
    details: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> None:
    """Append one act of the task in ``frame`` to its migration's audit trail.

    :param actor: a person who did it; otherwise the task itself, with who started the run.
    """
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act

    act = Act(
        actor=actor or frame.task_actor,
        action=action,
        phase=frame.run.phase,
        run=frame.run.run,
        subject=subject,
        evidence=evidence,
        details={"attempt": frame.attempt, "run_started_by": frame.actor, **(details or {})},
    )
    await AuditTrail(store, frame.spec.migration).append(act)


async def note_file(
    store: EvidenceStore,
    frame: TaskFrame,
    action: str,
    path: str,
    *,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
) -> EvidenceRef:
    """Like :func:`note`, for an act that wrote the evidence at ``path``; returns its reference.

    :raises NotFoundError: there is no such evidence.
    """
    ref = await store.ref_of(path)
    await note(store, frame, action, subject=subject, evidence=(ref,), details=details)
    return ref
