"""Keeps a translation of alerts in the evidence store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.store import EvidenceStore


async def keep(
    store: EvidenceStore, record: AlertRecord, actor: str, attempt: Mapping[str, Any] | None = None
) -> EvidenceRef:
    """Write a translation under the run's next number, and note it in the audit trail.

    Idempotency: nothing is overwritten; each call adds one.
    """
    _, ref = await write_next(store, lambda n: alerts_path(record.run, n), record)
    await AuditTrail(store, record.run.migration).append(
        Act(
            actor=actor,
            action="alerts.translated",
            phase=record.run.phase,
            run=record.run.run,
            subject=record.digest,
            evidence=(ref,),
            details={**figures(record), **(attempt or {})},
        )
    )
    return ref


async def keep_queries(store: EvidenceStore, record: LogQueryRecord, actor: str) -> EvidenceRef:
    """Write a translation of queries under the run's next number, and note it in the audit trail.

    Idempotency: nothing is overwritten; each call adds one.
    """
    _, ref = await write_next(store, lambda n: log_queries_path(record.run, n), record)
    await AuditTrail(store, record.run.migration).append(
        Act(
            actor=actor,
            action="alerts.queries_translated",
            phase=record.run.phase,
            run=record.run.run,
            subject=record.digest,
            evidence=(ref,),
            details={
                "queries": len(record.queries),
                "equal": sum(each.equal for each in record.queries),
                "untranslated": len(record.untranslated),
                "passed": record.passed,
            },
        )
    )
    return ref


async def keep_dashboard(store: EvidenceStore, record: DashboardRecord, actor: str) -> EvidenceRef:
    """Write a translation of a dashboard under the run's next number, and note it in the audit trail.

    Idempotency: nothing is overwritten; each call adds one.
    """
    _, ref = await write_next(store, lambda n: dashboards_path(record.run, n), record)
    await AuditTrail(store, record.run.migration).append(
        Act(
            actor=actor,
            action="alerts.dashboard_translated",
            phase=record.run.phase,
            run=record.run.run,
            subject=record.digest,
            evidence=(ref,),
            details={
                "widgets": record.widgets,
                "lines": len(record.lines),
                "equal": sum(each.equal for each in record.lines),
                "untranslated": len(record.untranslated),
                "losses": len(record.losses),
                "passed": record.passed,
            },
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
