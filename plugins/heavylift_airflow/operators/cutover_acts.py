"""Operators that switch a live workload: shift and judge requests, promote, settle, roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError, PermanentError, TransientError
from heavylift_airflow.context import CONFIRM, EARLY, WITHOUT_TARGET
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.cutover import SwitchOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.canary_records import CanaryRecord
    from heavylift.evidence.switch_records import FinalRecord, ShiftRecord, SwitchRecord
    from heavylift.fencing import Side
    from heavylift_airflow.context import TaskFrame

SOURCE, TARGET = "source", "target"


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
            await self.demand_begun(frame, request)
            turn = await take_turn(request, Side.TARGET)
            record, ref = await shift_requests(
                request, turn, self.target_percent, mirror_percent=self.mirror_percent
            )
            await self.note(request, frame, "cutover.shifted", ref, shift_figures(record))
        return record


class AnalyseCanaryOperator(SwitchOperator):
    """Judges the target against the source while both are asked the same, until the numbers suffice.

    Idempotency: a step that was decided in this run is not judged again; one that was cut off goes on with
    the evidence that it had.

    :param step: ``shadow``, or the percentage of requests that the target answers.
    :return: ``{"step", "verdict", "samples"}``.
    :raises TransientError: nothing was shown in time; a retry goes on with the evidence so far.
    :raises IncompleteError: the verdict is abort, or more time would show nothing; the reasons are named.
    """

    def __init__(self, *, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step

    def execute(self, context: Context) -> dict[str, Any]:
        """Analyse, keep the record, and fail unless the step is promoted."""
        frame = self.switching_frame(context)
        record = self.work.run(self._analyse(frame), f"analysis of step {self.step}")
        if record.verdict == "hold" and not record.final:
            raise _not_shown_yet(record, self.evidence_path or "")
        if not record.promoted:
            raise _not_promoted(record, self.evidence_path or "")
        return {"step": self.step, "verdict": record.verdict}

    async def _analyse(self, frame: TaskFrame) -> CanaryRecord:
        from heavylift.cutover.canary.api import analyse
        from heavylift.cutover.canary.from_spec import canary_request
        from heavylift.switching.canary import live_traffic

        wanted = canary_request(frame.spec, frame.run, look_up, self.step)
        async with self.switch(frame) as request:
            live = live_traffic(request.parts.requests, self.step)
            record, ref = await analyse(wanted, self.tell, live=live)
            details = {"step": self.step, "verdict": record.verdict, "reasons": list(record.reasons)[:10]}
            await self.note(request, frame, "cutover.judged", ref, details)
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
        from heavylift.fencing import Side

        async with self.switch(frame) as request:
            if side is Side.TARGET:
                await self.demand_begun(frame, request)
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
    With the parameter *Without the target* it leaves behind what is gone, and only what was accepted.

    Idempotency: it looks at the world each time and does what is left.

    :return: ``{"outcome", "epoch", "write_pause_seconds", "seconds"}``.
    """

    side = SOURCE

    def execute(self, context: Context) -> dict[str, Any]:
        """Roll back, and note it in the audit trail."""
        frame = self.moving_frame(context)
        accepted = str(context["params"].get(WITHOUT_TARGET) or "").strip()
        if accepted:
            record = self.work.run(self._without_target(frame, accepted), "rollback without the target")
        else:
            record = self.bring(frame)
        self.log.info("everything is on the source again, after %.2f s", record.seconds)
        return switch_figures(record)

    async def _without_target(self, frame: TaskFrame, accepted: str) -> SwitchRecord:
        from heavylift.cutover.without_target import bring_back_without_target

        async with self.switch(frame) as request:
            record, ref, lost = await bring_back_without_target(request, accepted, self.tell)
            details = {"gone": list(lost.gone), "digest": lost.digest, **switch_figures(record)}
            await self.note(request, frame, "cutover.target_given_up", ref, details)
        return record


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


class FinaliseCutoverOperator(SwitchOperator):
    """Closes the way back once the soak is over: ends the streams of both directions, and their slots.

    The source stays frozen and as it is. After this there is no rollback, so the run must name the migration
    in its parameter ``confirm``.

    Idempotency: streams that are ended are left so.

    :return: ``{"epoch", "early"}``.
    :raises PermanentError: nobody has confirmed, the workload is not on the target, or the soak is not over.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Finalise, and note it in the audit trail."""
        frame = self.moving_frame(context)
        confirmed = str(context["params"].get(CONFIRM) or "").strip()
        if confirmed != frame.spec.migration:
            raise _not_confirmed(frame, confirmed)
        early = bool(context["params"].get(EARLY, False))
        record = self.work.run(self._finalise(frame, early=early), "finalising of the cutover")
        return {"epoch": record.epoch, "early": record.early}

    async def _finalise(self, frame: TaskFrame, *, early: bool) -> FinalRecord:
        from datetime import timedelta

        from heavylift.cutover.finalise import FinalTerms, finalise
        from heavylift.switching.parts import cutover_of

        soak = timedelta(seconds=cutover_of(frame.spec).soak)
        async with self.switch(frame) as request:
            record, ref = await finalise(request, FinalTerms(soak, early), self.tell)
            await self.note(request, frame, "cutover.finalised", ref, {"early": record.early})
        return record


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


def _not_confirmed(frame: TaskFrame, confirmed: str) -> PermanentError:
    return PermanentError(
        f"finalising the cutover of {frame.spec.migration}",
        got=f"the confirmation {confirmed!r}" if confirmed else "no confirmation",
        expected=f"the migration's name, {frame.spec.migration}: after this there is no rollback",
        state="nothing was changed",
        remedy="trigger the DAG anew with the name in its field Confirm",
        code="8744",
    )


def _not_shown_yet(record: CanaryRecord, path: str) -> TransientError:
    return TransientError(
        f"step {record.step} of the canary of {record.run.migration}",
        got=f"too little to judge by: {'; '.join(record.reasons)}",
        expected="as many samples as the limits of the spec need",
        state=f"requests stay as they are; the numbers so far are in {path}",
        remedy="nothing: a retry goes on; a longer step or more requests a second need none",
        code="8760",
    )


def _not_promoted(record: CanaryRecord, path: str) -> IncompleteError:
    return IncompleteError(
        f"step {record.step} of the canary of {record.run.migration}",
        got=f"verdict {record.verdict}: {'; '.join(record.reasons)}",
        expected="a target that does as well as the source, within the bounds of the spec",
        state=f"everything goes back to the source; the numbers are in {path}",
        remedy="mend the target, or after a hold give the step more time or requests; then trigger anew",
        code="8700",
    )
