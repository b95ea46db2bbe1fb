"""Checks of mirrored streams: every record is there and equal, and the mirror has caught up."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.stream_evidence import StreamEvidence
from heavylift.evidence.wording import counted, duration
from heavylift.gates.verdict import Verdict


def records_equal(evidence: StreamEvidence) -> Verdict:
    """Judge that what was mirrored is on the target, record for record, read afresh from both sides."""
    verdict = Verdict()
    record = verdict.judged_by(evidence.verification)
    if record is None:
        return verdict
    for number, what in (
        (record.missing, "missing on the target"),
        (record.different, "different on the target"),
        (record.extra, "on the target that the source does not have"),
    ):
        verdict.demand(number == 0, f"{counted(number, 'record')} {what}")
    verdict.demand(record.passed, "the verification did not pass")
    verdict.found(f"{counted(record.equal, 'record')} equal: {record.statement}")
    return verdict


def no_findings(evidence: StreamEvidence) -> Verdict:
    """Judge that plan, mirror and verification have found no blocker and no warning; notes do not count."""
    verdict = Verdict()
    if evidence.plan is None and evidence.mirror is None:
        verdict.against("there is neither a plan nor a mirror")
        return verdict
    verdict.uses(*evidence.refs)
    verdict.demand_no_findings(evidence.findings)
    return verdict


def mirror_caught_up(evidence: StreamEvidence) -> Verdict:
    """Judge that the last mirror sent all that the source had when it began, and ended close behind."""
    verdict = Verdict()
    if evidence.mirror is None:
        verdict.against("there is no mirror")
        return verdict
    record = evidence.mirror.record
    verdict.uses(evidence.mirror.ref)
    lag = duration(timedelta(seconds=record.lag_seconds))
    verdict.demand(record.complete, "the mirror did not reach the end that the source had when it began")
    verdict.demand(record.caught_up, f"the target was {lag} behind")
    verdict.found(f"{counted(record.sent, 'record')} sent, {lag} behind")
    return verdict


def judge_stream_freshness(evidence: StreamEvidence, max_age: timedelta, now: datetime) -> CheckOutcome:
    """Return whether the verification is younger than ``max_age`` and than the last mirror."""
    verdict = Verdict()
    record = verdict.judged_by(evidence.verification)
    if record is not None:
        verdict.demand_younger("verification", record.verified_at, max_age, now)
        verdict.demand(not evidence.is_stale, "records were mirrored after the verification")
    return verdict.outcome("freshness", evidence.stream)
