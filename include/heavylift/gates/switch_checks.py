"""Checks of a switch: everything is ready for it, and afterwards everything is on one side."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.switch_evidence import SwitchEvidence
from heavylift.evidence.switch_records import SideName, SwitchRecord, WorldRecord
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.verdict import Verdict
from heavylift.spec.vocabulary import Check

SUBJECT = "the workload"
_SHOWN = 5


def judge_cutover_ready(evidence: SwitchEvidence, max_age: timedelta, now: datetime) -> CheckOutcome:
    """Return whether the run has looked lately, and found nothing in the way of a switch."""
    verdict = Verdict()
    if evidence.readiness is None:
        verdict.against("nobody has looked whether the workload can be switched")
        return verdict.outcome(Check.CUTOVER_READY.value, SUBJECT)
    record = evidence.readiness.record
    verdict.uses(evidence.readiness.ref)
    verdict.demand_younger("look at it", record.seen_at, max_age, now)
    missing = [f"{each.item} {each.subject}".strip() + f": {each.detail}" for each in record.open_items]
    verdict.demand(not missing, enumeration(missing, _SHOWN))
    verdict.demand(bool(record.items), "it looked at nothing")
    verdict.found(f"{counted(len(record.items), 'thing')} looked at; {record.owner} answers for the switch")
    return verdict.outcome(Check.CUTOVER_READY.value, SUBJECT)


def switch_reasons(evidence: SwitchEvidence, goal: SideName) -> list[str]:
    """Return why a run does not count as having brought everything to ``goal``."""
    if evidence.switch is None:
        return ["writes were not switched"]
    record = evidence.switch.record
    if record.outcome not in ("switched", "already"):
        return [f"writes did not come to the {record.goal}: {record.reason or record.outcome}"]
    if record.goal != goal:
        return [f"everything was brought back to the {record.goal}"]
    moved = evidence.moved or evidence.switch
    return [
        *_unproved(moved.record),
        *_elsewhere(record.after, goal),
        *_requests(evidence, goal),
        *_schedules(evidence, goal),
    ]


def _unproved(record: SwitchRecord) -> list[str]:
    reasons = [f"database {each.database} was not proved equal" for each in record.proofs if not each.equal]
    if record.write_pause_seconds > record.write_pause_budget_seconds and record.goal == "target":
        reasons.append(
            f"writes paused for {record.write_pause_seconds:.1f} s,"
            f" more than {record.write_pause_budget_seconds:g} s"
        )
    return reasons


def _elsewhere(world: WorldRecord, goal: SideName) -> list[str]:
    other = "source" if goal == "target" else "target"
    stray = [
        each.database
        for each in world.databases
        if getattr(each, goal) != "open" or getattr(each, other) != "frozen" or each.partly
    ]
    return [f"not written to on the {goal} alone: {enumeration(stray, _SHOWN)}"] if stray else []


def _schedules(evidence: SwitchEvidence, goal: SideName) -> list[str]:
    acts = [kept.record for kept in evidence.schedules]
    held = [each.schedule for each in acts if each.act != "started"]
    elsewhere = [each.schedule for each in acts if each.act == "started" and each.side != goal]
    reasons = [f"schedules that are held still: {enumeration(held, _SHOWN)}"] if held else []
    return reasons + (
        [f"schedules that do not run on the {goal}: {enumeration(elsewhere, _SHOWN)}"] if elsewhere else []
    )


def _requests(evidence: SwitchEvidence, goal: SideName) -> list[str]:
    if evidence.shift is None:
        return []
    percent = evidence.shift.record.after.target_percent
    wanted = 100 if goal == "target" else 0
    return [] if percent == wanted else [f"{percent} % of requests go to the target, not {wanted} %"]
