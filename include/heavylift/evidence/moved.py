"""Keeps the records of secrets and of images that were moved: written once, and noted in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.image_records import ImagesRecord
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import RunKey
from heavylift.evidence.secret_records import SecretsRecord
from heavylift.evidence.store import EvidenceStore


class PathOf(Protocol):
    """Where a run's numbered record of an act lies."""

    def __call__(self, run: RunKey, act: str, number: int) -> str:
        """Return the path."""
        ...


async def keep_moved(
    store: EvidenceStore,
    record: SecretsRecord | ImagesRecord,
    path_of: PathOf,
    kind: str,
    actor: str,
    attempt: Mapping[str, Any] | None = None,
) -> EvidenceRef:
    """Write a record under the run's next number, and note it in the audit trail; overwrites nothing.

    :param kind: what was moved, as the trail calls it: ``secrets``, ``images``.
    """
    run, act = record.run, record.act
    _, ref = await write_next(store, lambda number: path_of(run, act, number), record)
    await AuditTrail(store, run.migration).append(
        Act(
            actor=actor,
            action=f"{kind}.{'copied' if act == 'copy' else 'verified'}",
            phase=run.phase,
            run=run.run,
            subject=record.digest,
            evidence=(ref,),
            details={**record.counts, "passed": record.passed, **(attempt or {})},
        )
    )
    return ref


async def note_moving(
    store: EvidenceStore, run: RunKey, kind: str, actor: str, attempt: Mapping[str, Any] | None = None
) -> None:
    """Note in the audit trail that something is about to be copied; a killed run leaves at least that."""
    act = Act(actor=actor, action=f"{kind}.begun", phase=run.phase, run=run.run, details=dict(attempt or {}))
    await AuditTrail(store, run.migration).append(act)
