"""The check ``plan_approved``: the newest plan of the migration is the one that a person has agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.evidence.assess_evidence import ASSESS_PHASE, latest_assessment
from heavylift.evidence.assessment_records import AssessmentRecord
from heavylift.evidence.records import CheckOutcome, RunKey
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.approval import gate_is_open, read_approvals
from heavylift.gates.verdict import Verdict
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check

_SHOWN = 12


@dataclass(frozen=True)
class PlanDemand:
    """What a plan must be approved for.

    :param gates: those of the phase assess, as the spec has them now.
    :param carried: digest of what the spec moves now; ``judged`` of what its rules are judged on.
    """

    gates: Sequence[Gate]
    carried: str
    judged: str = ""


async def judge_plan_approved(store: EvidenceStore, migration: str, demand: PlanDemand) -> CheckOutcome:
    """Return whether the newest plan's digest was approved at every gate of the phase assess.

    Judged by the audit trail and the plan's own file; the state of a task plays no part. A newer plan with
    another digest has to be approved anew, and so has a spec that moves something else than when the plan
    was made.

    :raises AuditError: a record, an approval or the trail is damaged.
    """
    verdict = Verdict()
    kept = await latest_assessment(store, migration)
    if kept is None:
        verdict.against("the migration has no plan")
    elif not await store.matches(kept.record.plan):
        verdict.against(f"the plan {kept.record.plan.path} is not what it was when it was made")
    else:
        verdict.uses(kept.ref, kept.record.plan)
        verdict.demand(
            kept.record.carried == demand.carried,
            "the spec moves something else than when the plan was made: assess it again",
        )
        await _judge(store, migration, demand.gates, kept, verdict)
    return verdict.outcome(Check.PLAN_APPROVED.value, "plan")


async def _judge(
    store: EvidenceStore,
    migration: str,
    plan_gates: Sequence[Gate],
    kept: Kept[AssessmentRecord],
    verdict: Verdict,
) -> None:
    digest = kept.record.plan_digest
    runs = [seen.key for seen in reversed(await list_runs(store, migration, ASSESS_PHASE))]
    asking = [gate for gate in plan_gates if gate.approval.required]
    if not asking:
        verdict.against("no gate of the phase assess asks a person")
    for gate in plan_gates:
        answers = [await _approved(store, run, gate, digest) for run in runs]
        who = next((found for found, _ in answers if found), "")
        why = next((why for _, why in answers if why), "it was never asked for")
        verdict.demand(bool(who), f"plan {digest[:_SHOWN]}… is not approved: {why}")
        verdict.found(f"plan {digest[:_SHOWN]}…: {who}")


async def _approved(store: EvidenceStore, run: RunKey, gate: Gate, digest: str) -> tuple[str, str]:
    """Return in what words ``run`` has approved the plan with that digest, or why it has not."""
    from heavylift.gates.evaluate import latest_gate_result

    result = await latest_gate_result(store, run, gate.name)
    if result is None:
        return "", ""
    if result.record.plan_digest != digest:
        return "", f"gate {gate.name} was last asked about plan {result.record.plan_digest[:_SHOWN]}…"
    is_open, why = await gate_is_open(store, run, gate)
    if is_open and gate.approval.required:
        answers = await read_approvals(store, run, gate.name)
        fitting = [each.record for each in answers if each.record.gate_result == result.ref]
        if not fitting or fitting[-1].plan_digest != digest:
            return "", f"the answer at gate {gate.name} names another plan"
    return (why, "") if is_open else ("", why)
