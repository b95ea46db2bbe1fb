"""The check ``compliance_clean``: the newest judgement of the rules is of this spec, recent, and passed."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.assess_evidence import latest_graph
from heavylift.evidence.compliance_records import ComplianceRecord, check_path
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.run_evidence import read_latest
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.verdict import Verdict
from heavylift.spec.vocabulary import Check


async def judge_compliance(
    store: EvidenceStore, migration: str, judged: str, max_age: timedelta, now: datetime
) -> CheckOutcome:
    """Return whether the rules were judged on the spec as it is now, not too long ago, and are kept.

    :param judged: digest of what the rules are judged on.
    :raises AuditError: the record is damaged.
    """
    verdict = Verdict()
    kept = await read_latest(store, lambda number: check_path(migration, number), ComplianceRecord)
    if kept is None:
        verdict.against("the rules were not judged")
    else:
        record = kept.record
        verdict.uses(kept.ref, *record.scans)
        verdict.demand(record.passed, record.statement)
        verdict.demand(
            record.digest == judged,
            "the spec or its rules are others than when they were judged: check again",
        )
        verdict.demand_younger("judgement", record.checked_at, max_age, now)
        for ref in record.scans:
            verdict.demand(await store.matches(ref), f"the scan {ref.path} is not what it was")
        await _demand_graph(store, migration, record, verdict)
        verdict.found(record.statement)
    return verdict.outcome(Check.COMPLIANCE_CLEAN.value, migration)


async def _demand_graph(
    store: EvidenceStore, migration: str, record: ComplianceRecord, verdict: Verdict
) -> None:
    """Demand that classes flowed along the graph that there is now."""
    newest = await latest_graph(store, migration, record.graph_connection)
    if newest is not None and newest.ref != record.graph:
        verdict.against("the source's graph is another than the one that classes flowed along: check again")
    if record.graph is not None:
        verdict.uses(record.graph)
