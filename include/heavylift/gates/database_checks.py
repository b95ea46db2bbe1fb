"""Checks of moved databases: every row is there and equal, changes have arrived, nothing stands out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.database_evidence import DatabaseEvidence
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.table_records import SyncRecord, TableVerificationRecord
from heavylift.evidence.wording import counted, differ, duration, enumeration, size
from heavylift.gates.verdict import Verdict


@dataclass(frozen=True)
class DatabaseSubject:
    """A database that a gate answers for.

    :param max_lag: seconds under which its changes count as caught up.
    """

    evidence: DatabaseEvidence
    max_lag: float


def counts_equal(subject: DatabaseSubject) -> Verdict:
    """Judge that each table has as many rows on the target as on the source, none missing, none extra."""
    verdict = Verdict()
    record = _verification(subject.evidence, verdict)
    if record is None:
        return verdict
    for table in record.tables:
        verdict.demand(
            table.source_rows == table.target_rows and not table.missing and not table.extra,
            f"{table.table} has {counted(table.source_rows, 'row')} on the source,"
            f" {table.target_rows:,} on the target; {table.missing:,} missing, {table.extra:,} extra",
        )
    verdict.found(
        f"{counted(record.total('source_rows'), 'row')} in {counted(len(record.tables), 'table')}"
        " on both sides"
    )
    return verdict


def tables_equal(subject: DatabaseSubject) -> Verdict:
    """Judge that every row of every table has been proved equal, by a comparison inside both databases."""
    verdict = Verdict()
    record = _verification(subject.evidence, verdict)
    if record is None:
        return verdict
    unequal = [each.table for each in record.tables if each.missing or each.extra or each.different]
    unsettled = [each.table for each in record.tables if each.unsettled]
    verdict.demand(
        not unequal and not record.difference_count,
        f"{differ(record.difference_count, 'row')}, in {enumeration(unequal, 3) or 'no table'}",
    )
    verdict.demand(not unsettled, f"rows that kept changing, in {enumeration(unsettled, 3)}")
    verdict.demand(
        record.mode != "frozen" or not record.sequences_behind,
        f"sequences behind the source: {enumeration(record.sequences_behind, 3)}",
    )
    verdict.demand(record.passed, "the verification did not pass")
    verdict.found(
        f"{counted(record.total('equal'), 'row')} in {counted(len(record.tables), 'table')} equal:"
        f" {record.statement}"
    )
    return verdict


def no_findings(subject: DatabaseSubject) -> Verdict:
    """Judge that preflight, snapshot and syncs have found no blocker and no warning; notes do not count."""
    verdict, evidence = Verdict(), subject.evidence
    if evidence.preflight is None and not evidence.is_moved:
        verdict.against("there is neither a preflight nor a snapshot nor a sync")
        return verdict
    verdict.uses(*evidence.refs)
    verdict.demand_no_findings(evidence.findings)
    return verdict


def replication_caught_up(subject: DatabaseSubject) -> Verdict:
    """Judge that the last sync applied all that the source had when it began, and ended close behind."""
    verdict, evidence = Verdict(), subject.evidence
    if evidence.drain is not None:
        drain = evidence.drain.record
        verdict.uses(evidence.drain.ref)
        verdict.demand(drain.reached, f"the drain did not reach {drain.upto_position}")
        verdict.found(f"drained to {drain.upto_position}")
        return verdict
    if evidence.sync is None:
        verdict.against("there is no sync")
        return verdict
    verdict.uses(evidence.sync.ref)
    _judge_lag(evidence.sync.record, subject.max_lag, verdict)
    return verdict


def _judge_lag(record: SyncRecord, max_lag: float, verdict: Verdict) -> None:
    verdict.demand(
        record.caught_up, f"the sync ended at {record.applied_position}, before {record.upto_position}"
    )
    lag = duration(timedelta(seconds=record.lag_seconds))
    verdict.demand(
        record.lag_seconds <= max_lag,
        f"the target was {lag} behind, more than {duration(timedelta(seconds=max_lag))}",
    )
    verdict.found(f"applied up to {record.applied_position}, {lag} and {size(record.lag_bytes)} behind")


def judge_database_freshness(subject: DatabaseSubject, max_age: timedelta, now: datetime) -> CheckOutcome:
    """Return whether the verification is younger than ``max_age`` and than the last write to the target."""
    verdict, evidence = Verdict(), subject.evidence
    record = _verification(evidence, verdict)
    if record is not None:
        verdict.demand_younger("verification", record.verified_at, max_age, now)
        verdict.demand(
            not evidence.is_stale,
            "changes were applied after the verification: it has to be made again",
        )
    return verdict.outcome("freshness", evidence.database)


def _verification(evidence: DatabaseEvidence, verdict: Verdict) -> TableVerificationRecord | None:
    record = verdict.judged_by(evidence.verification)
    if record is not None:
        verdict.demand(bool(record.tables), "the verification has compared no table")
    return record
