"""The check ``changes_proposed``: all that the spec names was judged, and the changes follow from that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from heavylift.evidence.optimize_evidence import OptimizeEvidence
from heavylift.evidence.records import CheckOutcome
from heavylift.gates.verdict import Verdict
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check

Subjects = Sequence[tuple[str, str]]
"""What a spec wants judged, by kind (``trials``, ``rightsizing``, ``mix``) and name."""
_SHOWN = 20


def judge_changes(
    evidence: OptimizeEvidence, subjects: Subjects, max_age: timedelta, now: datetime
) -> list[CheckOutcome]:
    """Return whether everything was judged, an outcome for each change that is proposed, and its age."""
    verdict, freshness = Verdict(), Verdict()
    for reason in optimize_reasons(evidence, subjects):
        verdict.against(reason)
    kept = evidence.proposal
    if kept is not None:
        verdict.uses(kept.ref, *([kept.record.patch] if kept.record.patch else []))
        verdict.found(kept.record.statement)
        freshness.demand_younger("proposal", kept.record.made_at, max_age, now)
    name = Check.CHANGES_PROPOSED.value
    outcomes = [verdict.outcome(name, evidence.run.migration)]
    for each in kept.record.recommendations[:_SHOWN] if kept else ():
        changes = "; ".join(
            f"{change.field}: {change.after} for {change.before or 'what is set now'} ({change.where})"
            for change in each.changes
        )
        detail = f"{changes}. {each.statement}. Risk: {each.risk}"
        outcomes.append(
            CheckOutcome(
                name=name, subject=each.subject, passed=True, detail=detail, evidence=(each.evidence,)
            )
        )
    return [*outcomes, freshness.outcome("freshness", evidence.run.migration)]


def optimize_reasons(evidence: OptimizeEvidence, subjects: Subjects) -> list[str]:
    """Return why a run does not count as having judged everything and proposed what follows from it."""
    found = {
        "trials": set(evidence.trials), "rightsizing": set(evidence.sizes), "mix": set(evidence.mixes)
    }  # fmt: skip
    reasons = [f"{name}: there is no result of {kind}" for kind, name in subjects if name not in found[kind]]
    reasons += [
        f"{name}: {kept.record.statement}" for name, kept in evidence.trials.items() if not kept.record.passed
    ]
    if evidence.proposal is None:
        return [*reasons, "no changes were proposed"]
    newer = [f"{path} is newer than what was proposed" for path in evidence.proposed_of_others]
    return reasons + newer


def optimize_gate_now(gate: Gate, evidence: OptimizeEvidence) -> Gate:
    """Return the gate as it stands now: nobody is asked about changes that there are none of."""
    kept = evidence.proposal
    if kept is None or kept.record.recommendations or not gate.approval.required:
        return gate
    nobody = {"required": False, "assigned_users": ()}
    return gate.model_copy(update={"approval": gate.approval.model_copy(update=nobody)})
