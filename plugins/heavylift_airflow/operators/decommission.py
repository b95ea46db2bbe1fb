"""Operators that give a source up: look, plan, make unusable, delete, certify; and bring back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.operators.gates import EvaluateGateOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.decommission.api import Deletion, LeavingRequest, PlanLife
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.decommission_records import DeletionCertificate, Stage, UnusedRecord
    from heavylift.evidence.records import Approval, GateResult
    from heavylift.evidence.run_evidence import Kept
    from heavylift.spec import Gate, MigrationSpec
    from heavylift.spec.vocabulary import Check
    from heavylift_airflow.context import TaskFrame


class LeavingOperator(HeavyliftOperator):
    """What the operators have in common that look at a source, or give it up."""

    @asynccontextmanager
    async def leaving(self, frame: TaskFrame) -> AsyncIterator[LeavingRequest]:
        """Open the evidence store for the block; the spec is that of the whole migration."""
        from heavylift.decommission.api import LeavingRequest
        from heavylift.spec import load_spec

        async with self.evidence(frame) as store:
            yield LeavingRequest(store, load_spec(self.spec_path), frame.run, frame.task_actor, look_up)

    async def agree(self, request: LeavingRequest, frame: TaskFrame, check: Check, stage: Stage) -> None:
        """Take over what a person has answered to the gate of a check, as it lies in the evidence store.

        :raises IncompleteError: the gate is not open, whatever its task's state.
        """
        from heavylift.decommission.api import give_consent
        from heavylift.gates.approval import gate_is_open
        from heavylift.gates.evaluate import latest_gate_result

        gate = _gate_of(frame.spec, check)
        is_open, why = await gate_is_open(request.store, frame.run, gate)
        kept = await latest_gate_result(request.store, frame.run, gate.name)
        if not is_open or kept is None:
            raise _gate_shut(frame, why)
        answer = await _answer(request, frame, kept)
        if answer is None:
            raise _gate_shut(frame, "a gate that nobody has answered")
        await give_consent(
            request,
            stage,
            kept.record.plan_digest,
            answer.record.approver_id,
            name=answer.record.approver_name,
            comment=answer.record.comment,
            via=answer.ref,
        )

    def tell(self, line: str) -> None:
        """Log one line of progress."""
        self.log.info("%s", line)


class CheckSourceUnusedOperator(LeavingOperator):
    """Looks whether anybody still uses the source: evidence, routes, fences, sessions, listings.

    Idempotency: each run of the task keeps a record of its own, and changes nothing. What is not so is a
    result: the gate judges it.

    :param meanwhile: look at what the latest plan has made unusable, after its time of grace. (templated)
    :return: ``{"items", "open", "unknown"}``, by name.
    """

    template_fields: Sequence[str] = (*LeavingOperator.template_fields, "meanwhile")

    def __init__(self, *, meanwhile: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.meanwhile = meanwhile

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, and note it in the audit trail."""
        frame = self.moving_frame(context) if self.meanwhile else self.frame(context)
        record = self.work.run(self._look(frame), "look whether the source is used")
        for each in record.items:
            told = self.log.warning if each.verdict == "failed" else self.log.info
            told("%s: %s %s: %s", each.verdict.upper(), each.item, each.subject, each.detail)
        unknown = [each for each in record.items if each.verdict == "unknown"]
        return {
            "items": len(record.items),
            "open": [f"{each.item} {each.subject}".strip() for each in record.open_items],
            "unknown": [f"{each.item} {each.subject}".strip() for each in unknown],
        }

    async def _look(self, frame: TaskFrame) -> UnusedRecord:
        from heavylift.decommission.api import latest_life, look_unused
        from heavylift.switching.leaving import leaving_items
        from heavylift_airflow.trail import note

        async with self.leaving(frame) as request:
            life = await latest_life(request.store, request.spec.migration) if self.meanwhile else None
            world = await leaving_items(request.spec, frame.run, look_up, aside=self.meanwhile)
            record, ref = await look_unused(request, world, life)
            self.evidence_path = ref.path
            details = {"items": len(record.items), "open": len(record.open_items)}
            await note(request.store, frame, "decommission.looked", evidence=(ref,), details=details)
        return record


class PlanDecommissionOperator(LeavingOperator):
    """Lists exactly what will be deleted, as a plan with a digest that a person approves.

    Idempotency: a plan that is under way and is this run's own stays; otherwise a new one is made, which an
    earlier approval does not open.

    :return: ``{"plan", "digest", "objects", "tables", "topics"}``.
    :raises IncompleteError: somebody still uses the source, or there is nothing to delete.
    :raises ConflictError: another run's plan is under way.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, and note it in the audit trail."""
        frame = self.moving_frame(context)
        life = self.work.run(self._plan(frame), "plan of what is deleted")
        self.evidence_path = life.plan.ref.path
        plan = life.plan.record
        return {
            "plan": life.number,
            "digest": life.plan.ref.sha256,
            "objects": sum(each.objects for each in plan.datasets),
            "tables": sum(len(each.tables) for each in plan.databases),
            "topics": sum(len(each.topics) for each in plan.streams),
        }

    async def _plan(self, frame: TaskFrame) -> PlanLife:
        from heavylift.decommission.api import make_plan
        from heavylift.evidence.decommission_evidence import latest_unused

        async with self.leaving(frame) as request:
            looked = await latest_unused(request.store, frame.run)
            if looked is None:
                raise _not_looked(frame)
            return await make_plan(request, looked, self.tell)


class EvaluateLeavingGateOperator(EvaluateGateOperator):
    """Judges a gate of the phase decommission, by what the run has just looked at and planned.

    Idempotency: as every gate's.

    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return the source alone."""
        return {"datasets": [], "leaving": True}


class DisableSourceOperator(LeavingOperator):
    """Makes what the approved plan lists unusable, and reversibly so: the time of grace begins.

    Idempotency: what is set aside stays so; a killed attempt is gone on with.

    :return: ``{"plan", "state", "grace_ends"}``.
    :raises IncompleteError: nobody has approved exactly this plan, whatever the gate's state in the UI.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Set tables aside, shut objects, and note it."""
        frame = self.moving_frame(context)
        life = self.work.run(self._disable(frame), "making the source unusable")
        ends = life.grace_ends
        return {"plan": life.number, "state": life.state, "grace_ends": ends.isoformat() if ends else ""}

    async def _disable(self, frame: TaskFrame) -> PlanLife:
        from heavylift.decommission.api import disable
        from heavylift.spec.vocabulary import Check

        async with self.leaving(frame) as request:
            await self.agree(request, frame, Check.SOURCE_UNUSED, "disable")
            return await disable(request, self.tell)


class DeleteSourceOperator(LeavingOperator):
    """Deletes what the plan lists, for good, and nothing else.

    Idempotency: batches that are done are passed by; a killed attempt is gone on with.

    :return: ``{"rows_deleted", "rows_absent", "tables_dropped", "tables_absent", "topics_deleted",
        "topics_absent"}``, of this attempt.
    :raises IncompleteError: nobody has approved the deletion, or the time of grace is not over.
    :raises ConflictError: something is no more as planned; nothing more is deleted.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete, batch by batch."""
        frame = self.moving_frame(context)
        done = self.work.run(self._delete(frame), "deletion of the source")
        names = (
            "rows_deleted",
            "rows_absent",
            "tables_dropped",
            "tables_absent",
            "topics_deleted",
            "topics_absent",
        )
        return {name: getattr(done, name) for name in names}

    async def _delete(self, frame: TaskFrame) -> Deletion:
        from heavylift.decommission.api import delete
        from heavylift.spec.vocabulary import Check

        async with self.leaving(frame) as request:
            if not await self._has_begun(request):
                await self.agree(request, frame, Check.GRACE_OVER, "delete")
            return await delete(request, self.tell)

    async def _has_begun(self, request: LeavingRequest) -> bool:
        """Tell whether this deletion has begun: then its approval is kept, and half of it is no way back."""
        from heavylift.decommission.api import latest_life

        life = await latest_life(request.store, request.spec.migration)
        return life is not None and life.state in ("deleting", "deleted")


class CertifyDeletionOperator(LeavingOperator):
    """Looks that nothing of the plan is left, and issues the deletion certificate.

    Idempotency: a certificate that there is stays the only one.

    :return: ``{"plan", "certificate", "sha256"}``.
    :raises IncompleteError: the deletion is not at its end, or something is still there.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Certify, as JSON and Markdown, bound into the audit trail."""
        frame = self.moving_frame(context)
        record, ref = self.work.run(self._certify(frame), "certificate of the deletion")
        self.evidence_path = ref.path
        return {"plan": record.plan, "certificate": ref.path, "sha256": ref.sha256}

    async def _certify(self, frame: TaskFrame) -> tuple[DeletionCertificate, EvidenceRef]:
        from heavylift.decommission.api import certify

        async with self.leaving(frame) as request:
            return await certify(request)


class RestoreSourceOperator(LeavingOperator):
    """Brings back what was made unusable; possible until the deletion begins.

    Idempotency: what was brought back stays so.

    :return: ``{"plan", "state"}``.
    :raises ConflictError: the deletion has begun, or nothing was made unusable.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring everything back, and note it."""
        frame = self.moving_frame(context)
        life = self.work.run(self._restore(frame), "bringing the source back")
        return {"plan": life.number, "state": life.state}

    async def _restore(self, frame: TaskFrame) -> PlanLife:
        from heavylift.decommission.api import restore

        async with self.leaving(frame) as request:
            return await restore(request, self.tell)


def _gate_of(spec: MigrationSpec, check: Check) -> Gate:
    from heavylift.spec import Phase

    # The rules of the spec demand exactly one.
    return next(gate for gate in spec.gates_for(Phase.DECOMMISSION) if check in gate.checks)


async def _answer(
    request: LeavingRequest, frame: TaskFrame, result: Kept[GateResult]
) -> Kept[Approval] | None:
    from heavylift.gates.approval import read_approvals

    found = await read_approvals(request.store, frame.run, result.record.gate)
    fitting = [kept for kept in found if kept.record.gate_result == result.ref and kept.record.approved]
    return fitting[-1] if fitting else None


def _gate_shut(frame: TaskFrame, why: str) -> IncompleteError:
    return IncompleteError(
        f"giving up the source of {frame.spec.migration}",
        got=why,
        expected="a gate that has passed lately, and that a person has opened for exactly this plan",
        state="nothing was touched",
        remedy="clear the last look before the gate with Downstream: the gate judges anew, and asks again",
        code="9331",
    )


def _not_looked(frame: TaskFrame) -> IncompleteError:
    return IncompleteError(
        f"planning to give up the source of {frame.spec.migration}",
        got="no look at the source by this run",
        expected="one that found nobody at it",
        state="no plan was made",
        remedy="clear check_unused with Downstream",
        code="9332",
    )
