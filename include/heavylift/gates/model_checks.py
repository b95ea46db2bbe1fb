"""Checks of models: nothing keeps them from the target, and they answer there as on the source."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.model_evidence import ModelEvidence
from heavylift.evidence.records import CheckOutcome
from heavylift.gates.verdict import Verdict


def compatible(evidence: ModelEvidence) -> Verdict:
    """Judge that the check of the model passed: its files, its needs, and that it has arrived as it was."""
    verdict = Verdict()
    if evidence.check is None:
        verdict.against("it was not checked")
        return verdict
    verdict.uses(evidence.check.ref)
    record = evidence.check.record
    verdict.demand(record.passed, record.statement)
    verdict.demand(bool(record.target_url), "only the source was checked")
    verdict.found(record.statement)
    return verdict


def agree(evidence: ModelEvidence) -> Verdict:
    """Judge that both sides were asked and the target passed, and that they are what was checked."""
    verdict = Verdict()
    if evidence.comparison is None:
        verdict.against("it was not compared")
        return verdict
    verdict.uses(evidence.comparison.ref)
    record = evidence.comparison.record
    verdict.demand(record.passed, record.statement)
    verdict.demand(not evidence.is_of_other_bytes, "what was compared is not what was checked")
    verdict.found(record.statement)
    return verdict


def no_findings(evidence: ModelEvidence) -> Verdict:
    """Judge that check and comparison have found no blocker and no warning; notes do not count."""
    verdict = Verdict()
    if evidence.check is None and evidence.comparison is None:
        verdict.against("there is neither a check nor a comparison")
        return verdict
    verdict.uses(*evidence.refs)
    verdict.demand_no_findings(evidence.findings)
    return verdict


def judge_model_freshness(evidence: ModelEvidence, max_age: timedelta, now: datetime) -> CheckOutcome:
    """Return whether check and comparison are younger than ``max_age``."""
    verdict = Verdict()
    for what, made_at in (
        ("check", evidence.check.record.checked_at if evidence.check else None),
        ("comparison", evidence.comparison.record.compared_at if evidence.comparison else None),
    ):
        if made_at is not None:
            verdict.demand_younger(what, made_at, max_age, now)
    return verdict.outcome("freshness", evidence.name)
