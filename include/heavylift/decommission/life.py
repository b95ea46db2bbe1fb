"""A plan's life: who agreed to what, and which steps were begun and ended.

Events are numbered files that can be created once. Whoever wants to take the next step takes its number, so
a restore and a deletion that begin at the same moment can't both go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heavylift.decommission.requests import LeavingRequest
from heavylift.errors import AlreadyExistsError, ConflictError, IncompleteError, NotFoundError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.decommission_evidence import PlanLife, consents, latest_life
from heavylift.evidence.decommission_records import (
    ConsentRecord,
    DecommissionEvent,
    EventKind,
    Stage,
    consent_path,
    event_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept

_AFTER: dict[str, frozenset[str]] = {
    "disabling": frozenset({"", "disabling"}),
    "disabled": frozenset({"disabling"}),
    "restoring": frozenset({"disabling", "disabled", "restoring"}),
    "restored": frozenset({"restoring"}),
    "deleting": frozenset({"disabled", "deleting"}),
    "deleted": frozenset({"deleting"}),
}
"""Which steps may follow which; the empty one is the plan's beginning."""


async def demand_life(request: LeavingRequest) -> PlanLife:
    """Return the latest plan.

    :raises NotFoundError: there is none.
    """
    life = await latest_life(request.store, request.spec.migration)
    if life is not None:
        return life
    raise NotFoundError(
        f"giving up the source of {request.spec.migration}",
        got="no plan",
        expected="a plan, approved by somebody",
        state="nothing was touched",
        remedy="make one: heavylift decommission plan SPEC",
        code="9318",
    )


async def take_step(
    request: LeavingRequest,
    life: PlanLife,
    kind: EventKind,
    detail: Sequence[str] = (),
    *,
    changes: Mapping[str, int] | None = None,
    scans: Mapping[str, int] | None = None,
) -> PlanLife:
    """Note the next step of a plan, in its events and in the audit trail.

    :raises ConflictError: the plan's state does not allow it, or somebody else was faster.
    """
    before = "" if life.state == "planned" else life.state
    if before not in _AFTER[kind]:
        raise ConflictError(
            f"{kind} by plan {life.number} of {request.spec.migration}",
            got=f"a plan that is {life.state}",
            expected=f"one that is {' or '.join(sorted(each or 'planned' for each in _AFTER[kind]))}",
            state="this attempt changed nothing",
            remedy="heavylift decommission status tells what became of the plan",
            code="9319",
        )
    record = DecommissionEvent(
        plan=life.number,
        plan_sha256=life.plan.ref.sha256,
        number=len(life.events) + 1,
        kind=kind,
        actor=request.actor,
        run=request.run,
        detail=tuple(detail),
        changes=dict(changes or {}),
        scans=dict(scans or {}),
    )
    path = event_path(request.spec.migration, life.number, record.number)
    try:
        ref = await request.store.write_json(path, record)
    except AlreadyExistsError as error:
        raise ConflictError(
            f"{kind} by plan {life.number} of {request.spec.migration}",
            got="another step that was taken at the same moment",
            expected="nobody else at it",
            state="this attempt changed nothing",
            remedy="heavylift decommission status tells who was faster; run again if it is still wanted",
            code="9320",
        ) from error
    await note(request, f"decommission.{kind}", (ref, life.plan.ref), {"plan": life.number})
    return PlanLife(life.plan, (*life.events, Kept(ref, record)))


async def give_consent(
    request: LeavingRequest,
    stage: Stage,
    plan_sha256: str,
    approver: str,
    *,
    name: str = "",
    comment: str = "",
    via: EvidenceRef | None = None,
) -> ConsentRecord:
    """Keep a person's agreement to one stage of exactly the plan that they saw. Idempotent.

    :param plan_sha256: the digest that they approve.
    :raises ConflictError: the latest plan is another one.
    :raises IncompleteError: the deletion needs another person than the plan.
    """
    life = await demand_life(request)
    if life.plan.ref.sha256 != plan_sha256:
        raise ConflictError(
            f"approving the plan of {request.spec.migration}",
            got=f"the digest {plan_sha256[:64]}",
            expected=f"{life.plan.ref.sha256}, that of plan {life.number}",
            state="no agreement was kept",
            remedy="read the latest plan, and approve that one if you agree",
            code="9321",
        )
    for kept in await consents(request.store, life, stage):
        if (kept.record.approver, kept.record.via) == (approver, via):
            return kept.record
    await _demand_other_person(request, life, stage, approver)
    record = ConsentRecord(
        migration=request.spec.migration,
        plan=life.number,
        plan_sha256=plan_sha256,
        stage=stage,
        approver=approver,
        approver_name=name,
        comment=comment,
        via=via,
    )
    _number, ref = await write_next(
        request.store, lambda each: consent_path(request.spec.migration, life.number, stage, each), record
    )
    await note(
        request,
        "decommission.approved",
        (ref, life.plan.ref),
        {"stage": stage, "approver": approver, "plan_digest": plan_sha256},
    )
    return record


async def demand_consent(request: LeavingRequest, life: PlanLife, stage: Stage) -> ConsentRecord:
    """Return the agreement to a stage of exactly this plan.

    :raises IncompleteError: nobody has agreed.
    """
    found = await consents(request.store, life, stage)
    fitting = [kept.record for kept in found if kept.record.plan_sha256 == life.plan.ref.sha256]
    if fitting:
        return fitting[-1]
    raise IncompleteError(
        f"stage {stage} of plan {life.number} of {request.spec.migration}",
        got="nobody's agreement to this plan",
        expected=f"somebody who approves the plan with the digest {life.plan.ref.sha256}",
        state="nothing was touched",
        remedy="have the plan approved: in the gate, or by --approve and its digest",
        code="9322",
    )


async def note(
    request: LeavingRequest, action: str, evidence: Sequence[EvidenceRef], details: Mapping[str, object]
) -> None:
    """Note an act in the audit trail."""
    await AuditTrail(request.store, request.spec.migration).append(
        Act(
            actor=request.actor,
            action=action,
            phase=request.run.phase,
            run=request.run.run,
            evidence=tuple(evidence),
            details=details,
        )
    )


def demand_grace_over(request: LeavingRequest, life: PlanLife) -> None:
    """Demand that the time of grace is over.

    :raises IncompleteError: it is not, or has not begun.
    """
    ends = life.grace_ends
    if ends is not None and utc_now() >= ends:
        return
    told = f"grace until {ends:%Y-%m-%d %H:%M:%S} UTC" if ends else "a source that is still in use"
    raise IncompleteError(
        f"deleting the source of {request.spec.migration}",
        got=told,
        expected="a source that nobody could use, and nobody has missed, for the whole time of grace",
        state="nothing was deleted",
        remedy="wait; heavylift decommission restore brings everything back until then",
        code="9323",
    )


async def _demand_other_person(request: LeavingRequest, life: PlanLife, stage: Stage, approver: str) -> None:
    if stage == "disable" or not request.section.two_people:
        return
    first = {kept.record.approver for kept in await consents(request.store, life, "disable")}
    if approver in first:
        raise IncompleteError(
            f"approving the deletion by plan {life.number} of {request.spec.migration}",
            got=f"{approver}, who has approved the plan already",
            expected="another person: decommission.two_people is true",
            state="no agreement was kept",
            remedy="ask somebody else",
            code="9324",
        )
