"""Checks of moved registries: both servers hold the same history, and nothing stands out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from heavylift.evidence.feature_evidence import FeatureEvidence
from heavylift.evidence.feature_records import FeatureVerificationRecord
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.registry_evidence import RegistryEvidence
from heavylift.evidence.registry_records import (
    RegistryCompared,
    RegistryVerificationRecord,
    counted_things,
)
from heavylift.evidence.wording import counted, differ, enumeration
from heavylift.gates.verdict import Verdict


def registries_equal(evidence: RegistryEvidence) -> Verdict:
    """Judge that all was proved equal, through the interface and by the databases where they are open."""
    verdict = Verdict()
    record = verdict.judged_by(evidence.verification)
    if record is None:
        return verdict
    demand_no_difference(verdict, record)
    unequal = [each.table for each in record.tables if not each.equal]
    verdict.demand(not unequal, f"the databases differ in {enumeration(unequal, 3)}")
    verdict.demand(any(each.source for each in record.compared), "nothing was compared")
    verdict.demand(record.passed, "the verification did not pass")
    verdict.found(record.statement)
    return verdict


def demand_no_difference(
    verdict: Verdict, record: RegistryVerificationRecord | FeatureVerificationRecord
) -> None:
    """Demand that nothing differs, and name the first things that do."""
    named = enumeration([f"{each.kind} {each.what} {each.id}" for each in record.differences], 3)
    verdict.demand(record.difference_count == 0, f"{differ(record.difference_count, 'thing')}: {named}")


def demand_same_counts(verdict: Verdict, compared: Iterable[RegistryCompared]) -> None:
    """Demand that both sides have as many things of each sort, but for what is excused by name."""
    for each in compared:
        excused = each.newer + each.kept
        verdict.demand(
            each.missing + each.extra <= excused,
            f"{counted_things(each.source, each.what)} on the source, {each.target:,} on the target;"
            f" {each.missing:,} missing, {each.extra:,} extra",
        )


def counts_equal(evidence: RegistryEvidence) -> Verdict:
    """Judge that both servers show as many things of each sort, but for what is excused by name."""
    verdict = Verdict()
    record = verdict.judged_by(evidence.verification)
    if record is None:
        return verdict
    demand_same_counts(verdict, record.compared)
    total = sum(each.source for each in record.compared)
    verdict.demand(total > 0, "the source shows nothing at all")
    verdict.found(f"{counted(total, 'thing')} of {counted(len(record.compared), 'sort')} on both sides")
    return verdict


def no_findings(evidence: RegistryEvidence) -> Verdict:
    """Judge that nothing was found but notes, and that no prefix of the source is left anywhere."""
    verdict = Verdict()
    if evidence.preflight is None and not evidence.moves:
        verdict.against("there is neither a preflight nor a move")
        return verdict
    verdict.uses(*evidence.refs)
    verdict.demand_no_findings(evidence.findings)
    left = [f"{each.table}.{each.column}" for each in evidence.leftovers]
    verdict.demand(not left, f"prefixes of the source are left in {enumeration(left, 3)}")
    return verdict


def judge_registry_freshness(
    evidence: RegistryEvidence | FeatureEvidence, max_age: timedelta, now: datetime
) -> CheckOutcome:
    """Return whether the verification is younger than ``max_age`` and than the last write."""
    verdict = Verdict()
    record: RegistryVerificationRecord | FeatureVerificationRecord | None
    if isinstance(evidence, RegistryEvidence):
        subject, record = evidence.registry, verdict.judged_by(evidence.verification)
    else:
        subject, record = evidence.store, verdict.judged_by(evidence.verification)
    if record is not None:
        verdict.demand_younger("verification", record.verified_at, max_age, now)
        verdict.demand(not evidence.is_stale, "rows were written after the verification")
    return verdict.outcome("freshness", subject)
