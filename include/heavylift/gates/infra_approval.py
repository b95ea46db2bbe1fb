"""Whether a stage of the provision phase may be applied: by the audit trail, never by a task's state."""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.errors import IncompleteError
from heavylift.evidence.infra_evidence import ProvisionEvidence
from heavylift.evidence.infra_records import StageName, StagePlanRecord
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.approval import gate_is_open
from heavylift.gates.evaluate import latest_gate_result
from heavylift.gates.infra_checks import gate_now
from heavylift.spec.gates import Gate
from heavylift.spec.provision_stages import Stage, gates_of


async def demand_approved(
    store: EvidenceStore, evidence: ProvisionEvidence, stage: StageName, gates: Iterable[Gate]
) -> StagePlanRecord:
    """Return the stage's plan, if its gates are open and were answered for exactly this plan.

    :param gates: all of the phase, for both stages.
    :raises IncompleteError: there is no plan, no gate, or one that is not open for it.
    :raises AuditError: a result, an approval or the trail is damaged.
    """
    plan = evidence.plan(stage)
    own = gates_of(Stage(stage), gates)
    reasons = [] if own else ["the phase has no gate"]
    if plan is None:
        reasons.append("there is no plan of the files that the run has now")
    for gate in own if plan else ():
        reasons += await _against(store, evidence, gate, plan)
    if plan is None or reasons:
        raise IncompleteError(
            f"applying the {stage} stage of {evidence.run.migration}",
            got="; ".join(reasons),
            expected="the approval of exactly the plan that is to be applied, in the audit trail",
            state="nothing was changed on the target",
            remedy="clear the task that plans this stage with Downstream, and have the plan approved",
            code="7938",
        )
    return plan


async def _against(
    store: EvidenceStore, evidence: ProvisionEvidence, gate: Gate, plan: StagePlanRecord | None
) -> list[str]:
    is_open, why = await gate_is_open(store, evidence.run, gate_now(gate, evidence))
    if not is_open:
        return [why]
    result = await latest_gate_result(store, evidence.run, gate.name)
    if result is None or plan is None or result.record.plan_digest != plan.digest:
        return [f"gate {gate.name} was last asked about another plan than {plan.digest if plan else ''}"]
    return []
