"""Keeps a translation of alerts in the evidence store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from heavylift.evidence.alert_records import (
    AlertRecord,
    DashboardRecord,
    LogQueryRecord,
    alerts_path,
    dashboards_path,
    log_queries_path,
)
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.numbered import write_next

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore

RecordT = TypeVar("RecordT", AlertRecord, LogQueryRecord, DashboardRecord)


@dataclass(frozen=True)
class Said:
    """What the audit trail tells of a translation beside its record."""

    actor: str
    action: str
    details: Mapping[str, Any]


async def keep(
    store: EvidenceStore, record: AlertRecord, actor: str, attempt: Mapping[str, Any] | None = None
) -> EvidenceRef:
    """Write a translation under the run's next number, and note it in the audit trail.

    Idempotency: nothing is overwritten; each call adds one.
    """
    details = {**figures(record), **(attempt or {})}
    return await _kept(store, record, alerts_path, Said(actor, "alerts.translated", details))


async def keep_queries(store: EvidenceStore, record: LogQueryRecord, actor: str) -> EvidenceRef:
    """Write a translation of queries under the run's next number, and note it in the audit trail.

    Idempotency: nothing is overwritten; each call adds one.
    """
    details = {
        "queries": len(record.queries),
        "equal": sum(each.equal for each in record.queries),
        "untranslated": len(record.untranslated),
        "passed": record.passed,
    }
    return await _kept(store, record, log_queries_path, Said(actor, "alerts.queries_translated", details))


async def keep_dashboard(store: EvidenceStore, record: DashboardRecord, actor: str) -> EvidenceRef:
    """Write a translation of a dashboard under the run's next number, and note it in the audit trail.

    Idempotency: nothing is overwritten; each call adds one.
    """
    details = {
        "widgets": record.widgets,
        "lines": len(record.lines),
        "equal": sum(each.equal for each in record.lines),
        "untranslated": len(record.untranslated),
        "losses": len(record.losses),
        "passed": record.passed,
    }
    return await _kept(store, record, dashboards_path, Said(actor, "alerts.dashboard_translated", details))


async def _kept(
    store: EvidenceStore, record: RecordT, path: Callable[[RunKey, int], str], said: Said
) -> EvidenceRef:
    _, ref = await write_next(store, lambda number: path(record.run, number), record)
    await AuditTrail(store, record.run.migration).append(
        Act(
            actor=said.actor,
            action=said.action,
            phase=record.run.phase,
            run=record.run.run,
            subject=record.digest,
            evidence=(ref,),
            details=said.details,
        )
    )
    return ref


def figures(record: AlertRecord) -> dict[str, Any]:
    """Return a translation's figures."""
    return {
        "digest": record.digest,
        "rules": len(record.rules),
        "equal": sum(each.equal for each in record.rules),
        "accepted": sum(each.accepted for each in record.rules),
        "untranslated": len(record.untranslated),
        "losses": len(record.losses),
        "passed": record.passed,
    }
