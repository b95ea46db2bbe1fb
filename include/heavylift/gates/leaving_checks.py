"""Checks of giving a source up: nobody uses it, and later: nobody has missed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.decommission_evidence import (
    LeavingEvidence,
    PlanLife,
    latest_life,
    latest_unused,
)
from heavylift.evidence.decommission_records import UnusedRecord
from heavylift.evidence.records import CheckOutcome, RunKey
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.verdict import Verdict
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check

SUBJECT = "the source"
CHECKS = (Check.SOURCE_UNUSED, Check.GRACE_OVER)
_SHOWN = 5


def leaving_reasons(evidence: LeavingEvidence) -> list[str]:
    """Return why a run does not count as having given the source up."""
    life = evidence.life
    if life is None:
        return ["there is no plan of what is deleted"]
    if life.state != "deleted":
        return [f"plan {life.number} is {life.state}"]
    certificate = evidence.certificate
    if certificate is None or not certificate.record.complete:
        return [f"plan {life.number} has no certificate"]
    return []


@dataclass(frozen=True)
class LeavingSubject:
    """What a gate of the phase decommission judges."""

    run: RunKey
    life: PlanLife | None
    unused: Kept[UnusedRecord] | None

    @property
    def plan_digest(self) -> str:
        """The digest that a person approves; empty where there is no plan."""
        return self.life.plan.ref.sha256 if self.life else ""


async def leaving_subject(store: EvidenceStore, run: RunKey) -> LeavingSubject:
    """Read the latest plan of the migration, and the run's last look at the source."""
    return LeavingSubject(run, await latest_life(store, run.migration), await latest_unused(store, run))


def judge_leaving(gate: Gate, subject: LeavingSubject, now: datetime) -> list[CheckOutcome]:
    """Return the outcomes of the gate's checks."""
    max_age = timedelta(seconds=gate.max_age)
    return [_judge(check, subject, max_age, now) for check in gate.checks if check in CHECKS]


def _judge(check: Check, subject: LeavingSubject, max_age: timedelta, now: datetime) -> CheckOutcome:
    verdict = Verdict()
    if subject.unused is None or subject.life is None:
        verdict.against(
            "nobody has looked whether the source is used" if subject.life else "there is no plan"
        )
        return verdict.outcome(check.value, SUBJECT)
    record, life = subject.unused.record, subject.life
    verdict.uses(subject.unused.ref)
    verdict.uses(life.plan.ref)
    verdict.demand_younger("look at it", record.seen_at, max_age, now)
    open_items = [f"{each.item} {each.subject}".strip() + f": {each.detail}" for each in record.open_items]
    verdict.demand(not open_items, enumeration(open_items, _SHOWN))
    if check is Check.SOURCE_UNUSED:
        verdict.demand(life.plan.record.unused == subject.unused.ref, "the plan was made by another look")
        verdict.demand(life.state == "planned", f"the plan is {life.state} already")
    else:
        verdict.demand(record.plan_sha256 == subject.plan_digest, "the look was at another plan")
        ends = life.grace_ends
        over = ends is not None and now >= ends and life.state == "disabled"
        verdict.demand(over, f"the plan is {life.state}, and its grace is not over")
    unknown = [f"{each.item} {each.subject}".strip() for each in record.items if each.verdict == "unknown"]
    told = f"plan {life.number}: {counted(len(record.items), 'thing')} looked at"
    verdict.found(f"{told}; nothing can tell: {enumeration(unknown, _SHOWN)}" if unknown else told)
    return verdict.outcome(check.value, SUBJECT)
