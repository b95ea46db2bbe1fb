"""Operators that switch a live workload: look, take the turn, shift, promote, settle, roll back."""

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
        ShiftRecord,
        SwitchRecord,
        TurnRecord,
    )
    from heavylift.fencing import Side
    from heavylift_airflow.context import TaskFrame

SOURCE, TARGET = "source", "target"


class SwitchOperator(HeavyliftOperator):
    """What the operators have in common that look at the workload's sides, or move it."""

    @asynccontextmanager
    async def switch(self, frame: TaskFrame) -> AsyncIterator[SwitchRequest]:
        """Open everything that the spec's switch moves, and the evidence store, for the block."""
        from heavylift.cutover.api import SwitchRequest
        from heavylift.switching.parts import cutover_of, open_parts

        cutover = cutover_of(frame.spec)
        async with self.evidence(frame) as store, open_parts(frame.spec, frame.run, look_up) as parts:
            yield SwitchRequest(
                store,
                frame.run,
                parts,
                frame.actor,
                cutover.max_write_pause,
                freeze_within=cutover.freeze_within,
            )

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
                request.store, frame.spec, frame.run, request.parts, whole=load_spec(self.spec_path)
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
                raise _gate_shut(frame, why)


class ShiftTrafficOperator(SwitchOperator):
    """Sends a share of the live requests to the target, and waits until it is in force.

    Idempotency: a second run finds the share as it is.

    :param target_percent: of the requests, 0 to 100.
    :param mirror_percent: of the source's requests, the share that the target gets as well, unseen.
    :return: ``{"target_percent", "mirror_percent", "seconds"}``, as read back.
    :raises ConflictError: a later turn has begun (code 8701).
    :raises TransientError: it did not come into force in time.
    """

    def __init__(self, *, target_percent: int, mirror_percent: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_percent = target_percent
        self.mirror_percent = mirror_percent

    def execute(self, context: Context) -> dict[str, Any]:
        """Shift, and note it in the audit trail."""
        frame = self.switching_frame(context)
        record = self.work.run(self._shift(frame), f"shift of requests to {self.target_percent} %")
        figures = shift_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _shift(self, frame: TaskFrame) -> ShiftRecord:
        from heavylift.cutover.api import shift_requests, take_turn
        from heavylift.fencing import Side

        async with self.switch(frame) as request:
            turn = await take_turn(request, Side.TARGET)
            record, ref = await shift_requests(
                request, turn, self.target_percent, mirror_percent=self.mirror_percent
            )
            await self.note(request, frame, "cutover.shifted", ref, shift_figures(record))
        return record


class BringToOperator(SwitchOperator):
    """Brings requests and writes to one side, from wherever they are found.

    :param side: ``source`` or ``target``.
    """

    side = SOURCE

    def bring(self, frame: TaskFrame) -> SwitchRecord:
        """Bring everything there, and keep the record in any case.

        :raises IncompleteError: writes would have paused too long; the record tells where they are.
        :raises TransientError: it is half done; a retry goes on.
        """
        from heavylift.fencing import Side

        return self.work.run(self._bring(frame, Side(self.side)), f"switch to the {self.side}")

    async def _bring(self, frame: TaskFrame, side: Side) -> SwitchRecord:
        from heavylift.cutover.api import SwitchFailedError, bring_to

        async with self.switch(frame) as request:
            try:
                record, ref = await bring_to(request, side, self.tell)
            except SwitchFailedError as failed:
                await self.note(request, frame, "cutover.failed", failed.ref, switch_figures(failed.record))
                raise failed.error from failed
            await self.note(request, frame, f"cutover.at_{side.value}", ref, switch_figures(record))
        return record


class PromoteCutoverOperator(BringToOperator):
    """Switches writes to the target: frozen, drained, proved equal, opened there; then all requests.

    What would pause writes for longer than ``cutover.max_write_pause`` goes back by itself, and so does every
    failure before the target is opened.

    Idempotency: it looks at the world each time and does what is left. A run that was overtaken by a rollback
    switches nothing.

    :return: ``{"outcome", "epoch", "write_pause_seconds", "seconds"}``.
    """

    side = TARGET

    def execute(self, context: Context) -> dict[str, Any]:
        """Promote, and note it in the audit trail."""
        record = self.bring(self.switching_frame(context))
        self.log.info("writes paused for %.2f s", record.write_pause_seconds)
        return switch_figures(record)


class RollBackOperator(BringToOperator):
    """Brings requests and writes back to the source, with everything that was written on the target.

    From any moment: before the first step, in the middle of one that was killed, or days after the cutover.

    Idempotency: it looks at the world each time and does what is left.

    :return: ``{"outcome", "epoch", "write_pause_seconds", "seconds"}``.
    """

    side = SOURCE

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back, and note it in the audit trail."""
        record = self.bring(self.moving_frame(context))
        self.log.info("everything is on the source again, after %.2f s", record.seconds)
        return switch_figures(record)


class SettleSwitchOperator(BringToOperator):
    """Leaves nothing between the sides when a cutover's tasks have ended, however they have.

    Where writes came to the target, everything is brought there; otherwise everything goes back.
    Where a later turn has begun, it is left to that one. A teardown: it runs after a failure too.

    Idempotency: it looks at the world each time and does what is left.

    :return: ``{"side", "outcome", …}``.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Look on which side writes are, and bring the rest there."""
        frame = self.switching_frame(context)
        side = self.work.run(self._side(frame), "look on which side writes are")
        if side is None:
            return {"side": "", "outcome": "left to a later turn"}
        self.side = side
        record = self.bring(frame)
        return {"side": side, **switch_figures(record)}

    async def _side(self, frame: TaskFrame) -> str | None:
        from heavylift.cutover.api import side_of_writes

        async with self.switch(frame) as request:
            last = await request.turns.latest()
            if last is None or last.run != frame.run:
                return None
            return (await side_of_writes(request)).value


def switch_figures(record: SwitchRecord) -> dict[str, Any]:
    """Return a switch's figures."""
    return {
        "outcome": record.outcome,
        "epoch": record.epoch,
        "write_pause_seconds": record.write_pause_seconds,
        "seconds": record.seconds,
    }


def shift_figures(record: ShiftRecord) -> dict[str, Any]:
    """Return a shift's figures."""
    return {
        "target_percent": record.after.target_percent,
        "mirror_percent": record.after.mirror_percent,
        "seconds": record.seconds,
    }


def rehearsal_figures(record: RehearsalRecord) -> dict[str, Any]:
    """Return a rehearsal's figures."""
    return {"passed": record.passed, "expected_pause_seconds": record.expected_pause_seconds}


def _gate_shut(frame: TaskFrame, why: str) -> IncompleteError:
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
