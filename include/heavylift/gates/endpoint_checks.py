"""Checks of endpoints: what is about to be made or removed is known, and what was made serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from heavylift.errors import IncompleteError
from heavylift.evidence.endpoint_records import EndpointsRecord
from heavylift.evidence.infra_evidence import ProvisionEvidence
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.verdict import Verdict
from heavylift.spec.gates import Gate
from heavylift.spec.provision_parts import Part
from heavylift.spec.provision_stages import gates_of_part
from heavylift.spec.vocabulary import Check

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore

_SHOWN, _DIGITS = 5, 12
ACTS = {Part.ENDPOINTS: "plan", Part.SERVING: "verify", Part.ENDPOINTS_REMOVAL: "plan-removal"}
"""Part → the act whose record its gate judges."""


def endpoints_planned(evidence: ProvisionEvidence) -> Verdict:
    """Judge that nothing stands in the way, and that whatever stays behind is accepted."""
    verdict = Verdict()
    kept = evidence.endpoints.get("plan")
    if kept is None:
        verdict.against("no endpoint was planned in this run")
        return verdict
    verdict.uses(kept.ref)
    record = kept.record
    verdict.demand(not record.problems, enumeration(list(record.problems), _SHOWN))
    named = enumeration([each.subject for each in record.gaps if not each.accepted], _SHOWN)
    left = counted(record.open_gaps, "thing")
    verdict.demand(not record.open_gaps, f"{left} that stays behind, and nobody accepts: {named}")
    verdict.demand(bool(record.rows), "there is nothing to make")
    verdict.found(_told(record, "made or changed"))
    return verdict


def endpoints_serving(evidence: ProvisionEvidence) -> Verdict:
    """Judge that every endpoint was looked at after it was made, is ready, and answers as it should."""
    verdict = Verdict()
    applied, kept = evidence.endpoints.get("apply"), evidence.endpoints.get("verify")
    if applied is None:
        verdict.against("no endpoint was brought up in this run")
        return verdict
    verdict.uses(applied.ref)
    if kept is None or kept.record.started_at < applied.record.ended_at:
        verdict.against("the endpoints were not looked at after they were brought up")
        return verdict
    verdict.uses(kept.ref)
    record = kept.record
    verdict.demand(record.digest == applied.record.digest, "they were compared with another spec")
    verdict.demand(record.passed, enumeration(list(record.problems), _SHOWN) or "not all is ready")
    answers = f", {counted(len(record.smoke), 'golden row')} answered" if record.smoke else ", none was asked"
    verdict.found(f"{counted(len(record.targets), 'endpoint')} ready{answers}")
    return verdict


def endpoints_removal_planned(evidence: ProvisionEvidence) -> Verdict:
    """Judge that what a run that destroys is about to remove is known."""
    verdict = Verdict()
    kept = evidence.endpoints.get("plan-removal")
    if kept is None:
        verdict.against("no removal was planned in this run")
        return verdict
    verdict.uses(kept.ref)
    verdict.found(_told(kept.record, "removed"))
    return verdict


ENDPOINT_JUDGES: Mapping[Check, Callable[[ProvisionEvidence], Verdict]] = {
    Check.ENDPOINTS_PLANNED: endpoints_planned,
    Check.ENDPOINTS_SERVING: endpoints_serving,
    Check.ENDPOINTS_REMOVAL_PLANNED: endpoints_removal_planned,
}
"""Check → how it is judged on the evidence of a run."""


def endpoints_digest(part: Part, evidence: ProvisionEvidence) -> str:
    """Return the digest that a gate of ``part`` is about; empty where there is nothing."""
    kept = evidence.endpoints.get(ACTS[part])
    return kept.record.digest if kept else ""


def nothing_to_do(part: Part | None, evidence: ProvisionEvidence) -> bool:
    """Tell whether a plan would change nothing, so that nobody needs to be asked."""
    kept = evidence.endpoints.get(ACTS.get(part, "")) if part else None
    return kept is not None and not kept.record.pending


def endpoint_reasons(evidence: ProvisionEvidence, wanted: Collection[str]) -> list[str]:
    """Return why the endpoints of a run do not count as serving."""
    found = evidence.endpoints
    if Part.ENDPOINTS.value not in wanted:
        return []
    reasons = []
    for act, word in (("plan", "planned"), ("apply", "brought up"), ("verify", "verified")):
        kept = found.get(act)
        if kept is None:
            reasons.append(f"endpoints: they were not {word}")
        elif not kept.record.passed:
            reasons.append(f"endpoints: not all could be {word}")
    return reasons


def removal_reasons(evidence: ProvisionEvidence, wanted: Collection[str]) -> list[str]:
    """Return why the endpoints of a run that destroys do not count as removed."""
    if Part.ENDPOINTS.value not in wanted:
        return []
    kept = evidence.endpoints.get("remove")
    if kept is None:
        return ["endpoints: they were not removed"]
    return [] if kept.record.passed else ["endpoints: not all are removed"]


async def demand_approved_endpoints(
    store: EvidenceStore, evidence: ProvisionEvidence, part: Part, gates: Iterable[Gate]
) -> EndpointsRecord:
    """Return the plan of a part, if its gates are open and were answered for exactly this plan.

    :raises IncompleteError: there is no plan, no gate, or one that is not open for it.
    :raises AuditError: a result, an approval or the trail is damaged.
    """
    from heavylift.gates.approval import gate_is_open
    from heavylift.gates.evaluate import latest_gate_result
    from heavylift.gates.infra_checks import gate_now

    kept = evidence.endpoints.get(ACTS[part])
    own = gates_of_part(part, gates)
    reasons = [] if own else ["the phase has no gate for it"]
    if kept is None:
        reasons.append("there is no plan")
    for gate in own if kept else ():
        is_open, why = await gate_is_open(store, evidence.run, gate_now(gate, evidence))
        result = await latest_gate_result(store, evidence.run, gate.name)
        if not is_open:
            reasons.append(why)
        elif result is None or kept is None or result.record.plan_digest != kept.record.digest:
            reasons.append(f"gate {gate.name} was asked about another plan")
    if kept is None or reasons:
        raise IncompleteError(
            f"changing the endpoints of {evidence.run.migration}",
            got="; ".join(reasons),
            expected="the approval of exactly the plan that is to be carried out, in the audit trail",
            state="nothing was changed on the target",
            remedy="clear the task that plans with Downstream, and have the plan approved",
            code="9299",
        )
    return kept.record


def _told(record: EndpointsRecord, done: str) -> str:
    pending = [f"{each.kind} {each.name}" for each in record.rows if each.after not in {"ready", "kept"}]
    if record.act == "plan-removal":
        pending = [f"{each.kind} {each.name}" for each in record.rows if each.after not in {"absent", "kept"}]
    where = enumeration([f"{name} in {place}" for name, place in record.targets.items()], _SHOWN)
    accepted = len(record.gaps) - record.open_gaps
    return (
        f"{where}: {len(pending)} of {counted(len(record.rows), 'thing')} to be {done}"
        + (f" ({enumeration(pending, _SHOWN)})" if pending else "")
        + f"; {accepted:,} accepted to stay behind; digest {record.digest[:_DIGITS]}…"
    )
