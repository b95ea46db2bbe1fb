"""A person's answer to a gate: kept as evidence, bound to the exact result that they saw."""

from __future__ import annotations

from datetime import datetime, timedelta

from heavylift.errors import PermanentError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act, AuditEntry
from heavylift.evidence.numbered import write_next
from heavylift.evidence.parsing import parse_record
from heavylift.evidence.paths import approval_path
from heavylift.evidence.records import Approval, EvidenceRef, GateResult, RunKey, utc_now
from heavylift.evidence.run_evidence import Kept, read_all
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import enumeration
from heavylift.gates.age import age_problem
from heavylift.gates.evaluate import latest_gate_result
from heavylift.spec.gates import Gate

APPROVED, REJECTED = "gate.approved", "gate.rejected"
"""The acts that an answer leaves in the audit trail."""

_CLOCK_SKEW = timedelta(hours=1)
"""How much earlier than a result an answer's entry in the trail may be dated, by another clock."""


async def record_approval(store: EvidenceStore, approval: Approval) -> EvidenceRef:
    """Keep ``approval`` as evidence and note it in the audit trail.

    A second call with the same answer writes nothing twice, except for the part that a killed
    first call did not come to.

    The digest of the plan is that of the result that was answered, whatever ``approval`` says.

    :raises NotFoundError: the gate result that was answered does not exist.
    :raises AuditError: that result has changed since.
    :raises PermanentError: it is the result of another gate or run.
    """
    result = await _demand_result(store, approval)
    approval = approval.model_copy(update={"plan_digest": result.plan_digest})
    ref = await _keep(store, approval)
    action = APPROVED if approval.approved else REJECTED
    if await find_answer_in_trail(store, approval, ref, result.evaluated_at) is None:
        await AuditTrail(store, approval.run.migration).append(
            Act(
                actor=approval.approver_id,
                action=action,
                phase=approval.run.phase,
                run=approval.run.run,
                subject=approval.gate,
                evidence=(ref, approval.gate_result),
                details={"name": approval.approver_name, **_plan(approval)},
            )
        )
    return ref


async def gate_is_open(store: EvidenceStore, run: RunKey, gate: Gate) -> tuple[bool, str]:
    """Return whether ``run`` may go past ``gate``, and why (not).

    Open means: the latest result passed, is younger than the gate's ``max_age``, and where a
    person must agree, the audit trail has the approval of exactly that result by somebody who
    may give it. The state of a task plays no part.

    :raises AuditError: a result, an approval or the trail is damaged.
    """
    kept = await latest_gate_result(store, run, gate.name)
    if kept is None or not kept.record.passed:
        return await gate_standing(store, run, gate.name)
    problem = age_problem(kept.record.evaluated_at, timedelta(seconds=gate.max_age), utc_now())
    if problem:
        return False, f"the result of gate {gate.name} {problem}; evaluate it again"
    if not (gate.approval.required or kept.record.approval_required):
        return True, f"gate {gate.name} passed"
    return await _is_approved(store, kept, gate.approval.assigned_users)


async def gate_standing(store: EvidenceStore, run: RunKey, gate: str) -> tuple[bool, str]:
    """Return how the gate called ``gate`` stood when ``run`` came to it, and why.

    Unlike :func:`gate_is_open` it needs no spec, so it knows neither the gate's ``max_age``
    nor who may approve: it is for looking back, not for going on.

    :raises AuditError: a result, an approval or the trail is damaged.
    """
    kept = await latest_gate_result(store, run, gate)
    if kept is None:
        return False, f"gate {gate} has not been evaluated"
    if not kept.record.passed:
        failed = [f"{check.name} of {check.subject}" for check in kept.record.checks if not check.passed]
        return False, f"gate {gate} did not pass: {enumeration(failed, 3)}"
    if not kept.record.approval_required:
        return True, f"gate {gate} passed"
    return await _is_approved(store, kept, ())


async def read_approvals(store: EvidenceStore, run: RunKey, gate: str) -> list[Kept[Approval]]:
    """Return all answers to the gate called ``gate`` in ``run``, in their order."""
    return await read_all(store, lambda number: approval_path(run, gate, number), Approval)


async def _is_approved(
    store: EvidenceStore, result: Kept[GateResult], allowed: tuple[str, ...]
) -> tuple[bool, str]:
    gate = result.record.gate
    answers = await read_approvals(store, result.record.run, gate)
    fitting = [each for each in answers if each.record.gate_result == result.ref]
    if not fitting:
        earlier = "; the answers there are were given to earlier results" if answers else ""
        return False, f"gate {gate} passed and waits for approval{earlier}"
    answer = fitting[-1]
    who = answer.record.approver_name or answer.record.approver_id
    if not answer.record.approved:
        return False, f"gate {gate} was rejected by {who}"
    if allowed and answer.record.approver_id not in allowed:
        return False, f"gate {gate} was approved by {who}, who is not among its approvers"
    if await find_answer_in_trail(store, answer.record, answer.ref, result.record.evaluated_at) is None:
        return False, f"the approval of gate {gate} by {who} is not in the audit trail"
    return True, f"gate {gate} passed and was approved by {who}"


async def find_answer_in_trail(
    store: EvidenceStore, approval: Approval, ref: EvidenceRef, asked_at: datetime
) -> AuditEntry | None:
    """Return the audit entry of an answer, or None.

    :param asked_at: when the result was made that was answered; the trail is read backwards,
        no further than that.
    :raises AuditError: an entry on the way is damaged.
    """
    action = APPROVED if approval.approved else REJECTED
    async for entry in AuditTrail(store, approval.run.migration).entries_backwards():
        if entry.time < asked_at - _CLOCK_SKEW:
            return None
        if entry.action == action and ref in entry.evidence and entry.actor == approval.approver_id:
            return entry
    return None


def _plan(approval: Approval) -> dict[str, str]:
    return {"plan_digest": approval.plan_digest} if approval.plan_digest else {}


async def _keep(store: EvidenceStore, approval: Approval) -> EvidenceRef:
    for kept in await read_approvals(store, approval.run, approval.gate):
        if kept.record == approval:
            return kept.ref
    _number, ref = await write_next(
        store, lambda number: approval_path(approval.run, approval.gate, number), approval
    )
    return ref


async def _demand_result(store: EvidenceStore, approval: Approval) -> GateResult:
    data = await store.read_verified(approval.gate_result)
    result = parse_record(approval.gate_result.path, data, GateResult)
    if (result.run, result.gate) == (approval.run, approval.gate):
        return result
    raise PermanentError(
        f"recording the answer to gate {approval.gate!r}",
        got=f"the result of gate {result.gate!r} in run {result.run.folder}",
        expected=f"one of run {approval.run.folder}",
        state="the answer was not recorded and the gate stays closed",
        remedy="ask for the approval again",
        code="4102",
    )
