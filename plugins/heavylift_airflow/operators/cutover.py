"""Operators before a switch: look whether it can be, rehearse it, take the turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.cutover.api import SwitchRequest
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.switch_records import (
        ReadinessRecord,
        RehearsalRecord,
        TurnRecord,
    )
    from heavylift_airflow.context import TaskFrame


class SwitchOperator(HeavyliftOperator):
    """What the operators have in common that look at the workload's sides, or move it."""

    @asynccontextmanager
    async def switch(self, frame: TaskFrame) -> AsyncIterator[SwitchRequest]:
        """Open everything that the spec's switch moves, and the evidence store, for the block."""
        from heavylift.cutover.api import SwitchRequest
        from heavylift.switching.parts import cutover_of, open_parts

        cutover = cutover_of(frame.spec)
        opened = open_parts(frame.spec, frame.run, look_up, self.tell)
        async with self.evidence(frame) as store, opened as parts:
            yield SwitchRequest(
                store,
                frame.run,
                parts,
                frame.actor,
                cutover.max_write_pause,
                freeze_within=cutover.freeze_within,
            )

    async def demand_begun(self, frame: TaskFrame, request: SwitchRequest) -> None:
        """Demand that this run took its turn through an open gate: a task's state is no proof of it.

        :raises IncompleteError: it never did (code 8718).
        """
        from heavylift.fencing import Side

        if not await request.turns.has_had(frame.run, Side.TARGET):
            raise gate_shut(frame, "a run that never took its turn")

    def switching_frame(self, context: Context) -> TaskFrame:
        """Return the frame, for a task that has no place in a dry run or a rehearsal.

        :raises AirflowSkipException: this is one.
        """
        frame = self.moving_frame(context)
        if frame.options.rehearse:
            raise AirflowSkipException("rehearsal: nobody is moved")
        return frame

    async def note(
        self, request: SwitchRequest, frame: TaskFrame, action: str, ref: EvidenceRef, details: dict[str, Any]
    ) -> None:
        """Note in the audit trail what was done, and link to its evidence."""
        from heavylift_airflow.trail import note

        self.evidence_path = ref.path
        await note(request.store, frame, action, evidence=(ref,), details=details)

    def tell(self, line: str) -> None:
        """Log one line of progress."""
        self.log.info("%s", line)


class CheckReadinessOperator(SwitchOperator):
    """Looks whether the workload can be switched now: earlier phases by their evidence, the world by itself.

    The target's endpoint gets a short load, as ``cutover.capacity`` says.

    Idempotency: each run of the task keeps a record of its own; databases are synced once, nothing else is
    changed. What is missing is a result: the gate judges it.

    :return: ``{"items", "open"}``, the open ones by name.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._look(frame), "look whether the workload can be switched")
        for each in record.items:
            told = self.log.info if each.passed else self.log.warning
            told(
                "%s: %s %s: %s", "ready" if each.passed else "NOT READY", each.item, each.subject, each.detail
            )
        named = [f"{each.item} {each.subject}".strip() for each in record.open_items]
        return {"items": len(record.items), "open": named}

    async def _look(self, frame: TaskFrame) -> ReadinessRecord:
        from heavylift.spec import load_spec
        from heavylift.switching.ready import check_readiness

        async with self.switch(frame) as request:
            record, ref = await check_readiness(
                request.store,
                frame.spec,
                frame.run,
                request.parts,
                whole=load_spec(self.spec_path),
                connections=look_up,
                tell=self.tell,
            )
            details = {"items": len(record.items), "open": len(record.open_items)}
            await self.note(request, frame, "cutover.looked", ref, details)
        return record


class RehearseCutoverOperator(SwitchOperator):
    """Tries everything of a cutover and a rollback that can be tried without moving anybody.

    The target is frozen, changes are carried over, both sides are compared as of one position, every route is
    told to stay as it is. Writes to the source go on all the time. Only in runs with the parameter Rehearse.

    Idempotency: each run of the task rehearses anew.

    :return: ``{"passed", "expected_pause_seconds"}``.
    :raises IncompleteError: something did not go as a cutover needs it.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Rehearse, keep the record, and fail where a cutover would."""
        frame = self.moving_frame(context)
        if not frame.options.rehearse:
            raise AirflowSkipException("this run is no rehearsal")
        record = self.work.run(self._rehearse(frame), "rehearsal")
        if not record.passed:
            raise _not_rehearsed(record, self.evidence_path or "")
        return rehearsal_figures(record)

    async def _rehearse(self, frame: TaskFrame) -> RehearsalRecord:
        from heavylift.cutover.api import rehearse_switch

        async with self.switch(frame) as request:
            record, ref = await rehearse_switch(request, self.tell)
            await self.note(request, frame, "cutover.rehearsed", ref, rehearsal_figures(record))
        return record


class TakeTurnOperator(SwitchOperator):
    """Begins the cutover: demands the open gate, takes the turn, and freezes the target, a copy until then.

    From here on an earlier cutover or rollback that wakes changes nothing any more.

    Idempotency: the same run gets the same turn, as long as nobody has taken a later one.

    :return: ``{"epoch"}``.
    :raises IncompleteError: a gate of the phase is not open, whatever its task's state.
    :raises ConflictError: a later turn has begun since (codes 8701, 8703).
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Take the turn, and note it in the audit trail."""
        frame = self.switching_frame(context)
        turn = self.work.run(self._take(frame), "taking of the turn")
        self.log.info("turn %s: this run may switch %s to the target", turn.epoch, frame.spec.migration)
        return {"epoch": turn.epoch}

    async def _take(self, frame: TaskFrame) -> TurnRecord:
        from heavylift.cutover.api import begin_turn
        from heavylift.fencing import Side

        async with self.switch(frame) as request:
            await self._demand_gates(frame, request)
            turn, ref = await begin_turn(request, Side.TARGET, self.tell)
            await self.note(request, frame, "cutover.turn_taken", ref, {"epoch": turn.epoch})
        return turn

    async def _demand_gates(self, frame: TaskFrame, request: SwitchRequest) -> None:
        from heavylift.gates.approval import gate_is_open
        from heavylift.spec import Phase

        for gate in frame.spec.gates_for(Phase.CUTOVER):
            is_open, why = await gate_is_open(request.store, frame.run, gate)
            if not is_open:
                raise gate_shut(frame, why)


def rehearsal_figures(record: RehearsalRecord) -> dict[str, Any]:
    """Return a rehearsal's figures."""
    return {"passed": record.passed, "expected_pause_seconds": record.expected_pause_seconds}


def gate_shut(frame: TaskFrame, why: str) -> IncompleteError:
    """Return the error of a run that may not switch, whatever the states of its tasks say."""
    return IncompleteError(
        f"taking the turn to switch {frame.spec.migration}",
        got=why,
        expected="a gate that has passed lately, and that a person has opened where the spec asks for one",
        state="nothing was touched",
        remedy="clear check_readiness with Downstream: the gate judges anew, and asks again",
        code="8718",
    )


def _not_rehearsed(record: RehearsalRecord, path: str) -> IncompleteError:
    return IncompleteError(
        f"rehearsing the cutover of {record.run.migration}",
        got=record.reason,
        expected="everything as a cutover needs it",
        state=f"the workload is as it was; the record is {path}",
        remedy="mend what the record names, and rehearse again",
        code="8719",
    )
