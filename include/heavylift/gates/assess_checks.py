"""Checks of an assessment: all is listed and accounted for, and nothing unaccepted stands in the way."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.assess_evidence import AssessEvidence
from heavylift.evidence.assessment_records import AssessmentRecord
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.wording import counted, days_in_words, enumeration
from heavylift.gates.verdict import Verdict

SUBJECT = "plan"
"""What the outcomes name as their subject."""

_SHOWN = 5


def inventory_complete(evidence: AssessEvidence) -> Verdict:
    """Judge that all could be listed, or that somebody has accepted by name what could not."""
    verdict, record = _begun(evidence)
    if record is None:
        return verdict
    open_ = [f"{gap.subject}: {gap.detail}" for gap in record.gaps if not gap.accepted]
    verdict.demand(not open_, f"{counted(len(open_), 'gap')} of the inventory: {enumeration(open_, _SHOWN)}")
    beside = f" and {counted(len(record.also), 'connection')} beside it" if record.also else ""
    verdict.found(f"{counted(record.components, 'component')} of account {record.account}{beside}")
    if record.gaps:
        accepted = [f"{gap.subject} ({gap.accepted})" for gap in record.gaps if gap.accepted]
        verdict.found(f"accepted: {enumeration(accepted, _SHOWN)}")
    return verdict


def references_explained(evidence: AssessEvidence) -> Verdict:
    """Judge that every reference is answered by a component, or explained."""
    verdict, record = _begun(evidence)
    if record is None:
        return verdict
    named = enumeration([f"{each.target} ({each.why})" for each in record.outside_told], _SHOWN)
    verdict.demand(
        record.unexplained == 0,
        f"{counted(record.unexplained, 'reference')} to what is in no list and nobody has explained: {named}",
    )
    verdict.found(
        f"{counted(record.dependencies, 'dependency', 'dependencies')},"
        f" {counted(record.explained, 'reference')} to outside explained"
    )
    return verdict


def blockers_accepted(evidence: AssessEvidence) -> Verdict:
    """Judge that no finding stands in the way that nobody has accepted; unknown sizes are such findings."""
    verdict, record = _begun(evidence)
    if record is None:
        return verdict
    named = enumeration([f"{each.rule} of {each.component}" for each in record.blockers_told], _SHOWN)
    verdict.demand(
        record.open_blockers == 0, f"{counted(record.open_blockers, 'unaccepted blocker')}: {named}"
    )
    verdict.found(
        f"{counted(record.blockers, 'blocker')}, {record.accepted_blockers:,} of them accepted;"
        f" {counted(record.unknown_sizes, 'unknown size')}"
    )
    return verdict


def deadline_kept(evidence: AssessEvidence) -> Verdict:
    """Judge that the move ends nine times in ten, and by the deadline where there is one."""
    verdict, record = _begun(evidence)
    if record is None:
        return verdict
    days, limit = record.duration.p90, record.deadline_days
    if days is None:
        verdict.against("in more than one of ten simulated moves catching up never ends")
        return verdict
    allowed = "there is no deadline" if limit is None else f"{limit:g} days are allowed"
    verdict.demand(record.deadline_kept, f"{days_in_words(days)} nine times in ten, and {allowed}")
    verdict.found(f"{days_in_words(days)} nine times in ten; {allowed}")
    return verdict


def baselines_measured(evidence: AssessEvidence) -> Verdict:
    """Judge that each endpoint of which the spec wants a baseline has one, and sustained some rate.

    Where the spec gives golden rows, how good the predictions are must be in it.
    Likewise that the use of machines was read, where the spec has the section ``utilisation``.
    """
    verdict, record = _begun(evidence)
    if record is None:
        return verdict
    found = {kept.record.connection: kept for kept in evidence.baselines}
    for wanted in record.baselines_wanted:
        kept = found.get(wanted)
        if kept is None:
            verdict.against(f"{wanted} was not measured")
            continue
        verdict.uses(kept.ref)
        verdict.demand(kept.record.passed, f"{wanted}: {kept.record.statement}")
        judged = kept.record.quality is not None or wanted not in record.golden_wanted
        verdict.demand(judged, f"{wanted}: how good its predictions are was not measured (golden)")
        verdict.found(f"{wanted}: {kept.record.statement}")
    if not record.baselines_wanted:
        verdict.found("no endpoint is to be measured")
    _judge_utilisation(evidence, record, verdict)
    return verdict


def _judge_utilisation(evidence: AssessEvidence, record: AssessmentRecord, verdict: Verdict) -> None:
    """Demand that the use of machines was read wherever the spec wants it, and nothing of it refused."""
    found = {kept.record.connection: kept for kept in evidence.utilisation}
    for wanted in record.utilisation_wanted:
        kept = found.get(wanted)
        if kept is None:
            verdict.against(f"what the machines of {wanted} use was not read")
            continue
        verdict.uses(kept.ref)
        refused = [f"{each.subject}: {each.detail}" for each in kept.record.findings if each.is_gap]
        verdict.demand(kept.record.complete, f"use of machines of {wanted}: {enumeration(refused, _SHOWN)}")
        verdict.found(f"{wanted}: {kept.record.statement}")


def everything_carried(evidence: AssessEvidence) -> Verdict:
    """Judge that whatever holds data is moved by a section of the spec, or stays by somebody's word."""
    verdict, record = _begun(evidence)
    if record is None:
        return verdict
    open_ = [each.component for each in record.left_behind if not each.accepted]
    verdict.demand(
        record.open_left == 0,
        f"{counted(record.open_left, 'component')} with data that no section of the spec moves as a whole,"
        f" and nobody has said why: {enumeration(open_, _SHOWN)}",
    )
    verdict.found(f"{counted(record.left_count - record.open_left, 'component')} with data stay as accepted")
    return verdict


def judge_assess_freshness(evidence: AssessEvidence, max_age: timedelta, now: datetime) -> CheckOutcome:
    """Return whether inventory and plan are younger than ``max_age``, and the plan is of that inventory."""
    verdict = Verdict()
    for kept in evidence.inventories:
        verdict.demand_younger(f"inventory of {kept.record.connection}", kept.record.ended_at, max_age, now)
    if evidence.assessment:
        verdict.demand_younger("plan", evidence.assessment.record.made_at, max_age, now)
    verdict.demand(not evidence.staleness, evidence.staleness)
    return verdict.outcome("freshness", SUBJECT)


def _begun(evidence: AssessEvidence) -> tuple[Verdict, AssessmentRecord | None]:
    verdict = Verdict()
    if evidence.assessment is None:
        verdict.against("no plan was made")
        return verdict, None
    verdict.uses(evidence.assessment.ref)
    return verdict, evidence.assessment.record
