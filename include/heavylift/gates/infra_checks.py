"""Checks of infrastructure: policies hold, and what terraform would do is known and complete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.image_records import NOT_COPIED
from heavylift.evidence.infra_evidence import STAGES, ProvisionEvidence
from heavylift.evidence.infra_records import RootPlan, StageName
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.secret_records import NOT_PROVED
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.endpoint_checks import nothing_to_do, removal_reasons
from heavylift.gates.part_checks import part_reasons
from heavylift.gates.verdict import Verdict
from heavylift.spec.gates import Gate
from heavylift.spec.provision_parts import Part, part_of
from heavylift.spec.provision_stages import stage_of

_SHOWN, _DIGITS = 5, 12


@dataclass(frozen=True)
class InfraSubject:
    """One stage of a run.

    :param newest_plan: digest of the migration's newest plan.
    """

    evidence: ProvisionEvidence
    stage: StageName
    newest_plan: str


def infra_scanned(subject: InfraSubject) -> Verdict:
    """Judge that the scanner found nothing in exactly these files that they do not explain."""
    verdict = Verdict()
    made, kept = subject.evidence.generation, subject.evidence.scan
    if made is None or kept is None or kept.record.files_digest != made.record.digest:
        verdict.against("the generated files were not scanned")
        return verdict
    verdict.uses(made.ref, kept.ref)
    record = kept.record
    named = enumeration([f"{each.check} of {each.resource}" for each in record.failures], _SHOWN)
    verdict.demand(not record.failed, f"{counted(record.failed, 'policy', 'policies')} not kept: {named}")
    verdict.demand(record.passed + record.explained > 0, "the scanner has looked at nothing")
    verdict.found(f"{counted(record.passed, 'check')} passed, {record.explained:,} explained in the files")
    return verdict


def infra_planned(subject: InfraSubject) -> Verdict:
    """Judge that terraform's plans are of these files, and that what nothing was made of is accepted."""
    verdict = Verdict()
    evidence = subject.evidence
    kept = evidence.plans.get(subject.stage)
    plan = evidence.plan(subject.stage)
    if evidence.generation is None or kept is None or plan is None:
        verdict.against(f"the {subject.stage} stage was not planned with the files that the run has now")
        return verdict
    made = evidence.generation.record
    verdict.uses(evidence.generation.ref, made.bundle, kept.ref)
    named = enumeration([each.component for each in made.not_made if not each.accepted], _SHOWN)
    left = counted(made.open_untranslated, "component")
    verdict.demand(
        not made.open_untranslated, f"{left} that nothing was made of, and nobody accepts: {named}"
    )
    verdict.demand(
        made.plan_digest == subject.newest_plan,
        f"the files are of plan {made.plan_digest[:_DIGITS]}…, and there is a newer one: generate again",
    )
    verdict.found(f"{'destroys' if plan.destroy else 'makes'}: " + "; ".join(map(_root, plan.roots)))
    if not plan.roots:
        verdict.found("nothing")
    verdict.found(f"{counted(made.made, 'component')} made, {made.accepted:,} accepted to be left out")
    return verdict


def secrets_equal(subject: InfraSubject) -> Verdict:
    """Judge that every secret that moves was compared on both sides after its move, and is equal."""
    verdict = Verdict()
    kept = subject.evidence.secrets
    if kept is None:
        verdict.against("no secret was copied in this run")
        return verdict
    verdict.uses(kept.ref)
    record = kept.record
    wrong = [f"{each.source} ({each.outcome})" for each in record.rows if each.outcome in NOT_PROVED]
    verdict.demand(
        record.passed and not wrong,
        f"{counted(record.failed, 'secret')} not proved: {enumeration(wrong, _SHOWN)}",
    )
    equal = sum(each.equal is True for each in record.rows)
    verdict.found(f"{counted(equal, 'secret')} equal on both sides, {record.skipped:,} left as they are")
    return verdict


def images_equal(subject: InfraSubject) -> Verdict:
    """Judge that every image that moves was compared on both sides after its copy, and is equal there."""
    verdict = Verdict()
    copied, kept = subject.evidence.images, subject.evidence.images_verified
    if copied is None:
        verdict.against("no image was copied in this run")
        return verdict
    verdict.uses(copied.ref)
    if kept is None or kept.record.started_at < copied.record.ended_at:
        verdict.against("the images were not compared after their copy")
        return verdict
    verdict.uses(kept.ref)
    record = kept.record
    wrong = [f"{each.source} ({each.outcome})" for each in record.rows if each.outcome in NOT_COPIED]
    verdict.demand(
        record.passed and not wrong,
        f"{counted(record.failed, 'image')} not proved: {enumeration(wrong, _SHOWN)}",
    )
    verdict.demand(bool(record.rows), "not one image was selected")
    same = counted(record.equal, "image")
    verdict.found(f"{same} equal on both sides, {record.skipped:,} left as they are")
    return verdict


def judge_infra_freshness(subject: InfraSubject, max_age: timedelta, now: datetime) -> CheckOutcome:
    """Return whether scan and plan are younger than ``max_age``."""
    verdict = Verdict()
    scan, plan = subject.evidence.scan, subject.evidence.plans.get(subject.stage)
    if scan:
        verdict.uses(scan.ref)
        verdict.demand_younger("scan", scan.record.scanned_at, max_age, now)
    if plan:
        verdict.uses(plan.ref)
        verdict.demand_younger("plan", plan.record.planned_at, max_age, now)
    return verdict.outcome("freshness", subject.stage)


def gate_now(gate: Gate, evidence: ProvisionEvidence) -> Gate:
    """Return the gate as it stands now: nobody is asked about a stage that would do nothing."""
    plan = evidence.plan(stage_of(gate).value)
    if nothing_to_do(part_of(gate), evidence):
        return gate.model_copy(update={"approval": gate.approval.model_copy(update=_NOBODY)})
    if part_of(gate) or plan is None or not plan.empty or not gate.approval.required:
        return gate
    return gate.model_copy(update={"approval": gate.approval.model_copy(update=_NOBODY)})


_NOBODY = {"required": False, "assigned_users": ()}


def gates_now(gates: Sequence[Gate], evidence: ProvisionEvidence) -> list[Gate]:
    """Return the gates that a run must pass, each as it stands now: what destroys makes no part."""
    destroys = is_destroyed(evidence)
    return [gate_now(gate, evidence) for gate in gates if is_asked(gate, destroys=destroys)]


def is_asked(gate: Gate, *, destroys: bool) -> bool:
    """Tell whether a gate has a place in a run that destroys, or in one that makes."""
    part = part_of(gate)
    return part is None or (part is Part.ENDPOINTS_REMOVAL) == destroys


def is_destroyed(evidence: ProvisionEvidence) -> bool:
    """Tell whether the run is one that destroys: then it makes none of the parts."""
    planned = any(kept.record.destroy for kept in evidence.plans.values())
    return planned or "plan-removal" in evidence.endpoints


def provision_reasons(evidence: ProvisionEvidence, wanted: Collection[str] = ()) -> list[str]:
    """Return why a run does not count as made, or as destroyed.

    :param wanted: the parts that it had to make; where empty those that it has left something of.
    """
    wanted = wanted or evidence.named
    reasons = _infra_reasons(evidence) if Part.INFRASTRUCTURE.value in wanted else []
    parts = removal_reasons if is_destroyed(evidence) else part_reasons
    return reasons + parts(evidence, wanted)


def _infra_reasons(evidence: ProvisionEvidence) -> list[str]:
    if evidence.generation is None:
        return ["there are no generated files"]
    reasons = []
    if evidence.scan is None or evidence.scan.record.files_digest != evidence.generation.record.digest:
        reasons.append("the generated files were not scanned")
    for stage in STAGES:
        plan = evidence.plan(stage)
        if plan is None:
            reasons.append(f"the {stage} stage was not planned")
            continue
        undone = [each.root for each in plan.roots if not evidence.is_applied(plan, each.root)]
        word = "destroyed" if plan.destroy else "applied"
        reasons += [f"{root}: it was not {word} and proved" for root in undone]
    if evidence.drifted:
        reasons.append(f"{counted(evidence.drifted, 'resource')} found to differ since")
    return reasons + _directions(evidence)


def _directions(evidence: ProvisionEvidence) -> list[str]:
    ways = {plan.destroy for stage in STAGES if (plan := evidence.plan(stage))}
    return ["one stage is planned to make, the other to destroy"] if len(ways) > 1 else []


def stage_digest(evidence: ProvisionEvidence, stage: StageName) -> str:
    """Return the digest that a person approves; empty where there is no plan."""
    plan = evidence.plan(stage)
    return plan.digest if plan else ""


def counts_in_words(roots: Sequence[RootPlan]) -> str:
    """Return what terraform would do in all, such as ``12 create, 1 update``."""
    total: dict[str, int] = {}
    for root in roots:
        for act, number in root.counts.items():
            total[act] = total.get(act, 0) + number
    return ", ".join(f"{number:,} {act}" for act, number in total.items()) or "nothing to do"


def _root(each: RootPlan) -> str:
    words = counts_in_words([each])
    gone = [change.address for change in each.changes if change.act in {"delete", "replace"}]
    # What would be lost is named first; all else is in the evidence.
    return f"{each.root}: {words}" + (f" ({enumeration(gone, _SHOWN)} would go)" if gone else "")
