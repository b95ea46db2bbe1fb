"""Checks of moved feature stores: definitions, histories, served values and joins are equal."""

from __future__ import annotations

from heavylift.evidence.feature_evidence import FeatureEvidence
from heavylift.evidence.wording import counted
from heavylift.gates.registry_checks import demand_no_difference, demand_same_counts
from heavylift.gates.verdict import Verdict


def features_equal(evidence: FeatureEvidence) -> Verdict:
    """Judge that all was proved equal: definitions, whole histories, sampled served keys, sampled joins."""
    verdict = Verdict()
    record = verdict.judged_by(evidence.verification)
    if record is None:
        return verdict
    demand_no_difference(verdict, record)
    verdict.demand(bool(record.histories), "no history was compared")
    for proofs in (record.histories, record.online, record.joins):
        for each in proofs:
            verdict.demand(each.passed, f"{each.view}: not proved equal")
    verdict.demand(record.passed, "the verification did not pass")
    verdict.found(record.statement)
    return verdict


def counts_equal(evidence: FeatureEvidence) -> Verdict:
    """Judge that both sides have as many definitions of each sort, and as many rows in each history."""
    verdict = Verdict()
    record = verdict.judged_by(evidence.verification)
    if record is None:
        return verdict
    demand_same_counts(verdict, record.compared)
    for view in record.histories:
        verdict.demand(
            not (view.missing or view.extra),
            f"{view.view}: {view.source.rows:,} rows on the source, {view.target.rows:,} on the target;"
            f" {view.missing:,} missing, {view.extra:,} extra",
        )
    verdict.demand(bool(record.histories), "the source has no history")
    rows = sum(view.source.rows for view in record.histories)
    verdict.found(f"{counted(rows, 'row')} of {counted(len(record.histories), 'view')} on both sides")
    return verdict


def no_findings(evidence: FeatureEvidence) -> Verdict:
    """Judge that nothing was found but notes."""
    verdict = Verdict()
    if evidence.preflight is None and not evidence.moves:
        verdict.against("there is neither a preflight nor a move")
        return verdict
    verdict.uses(*evidence.refs)
    verdict.demand_no_findings(evidence.findings)
    return verdict
