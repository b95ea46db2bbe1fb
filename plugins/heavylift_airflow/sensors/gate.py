"""The sensor that waits for a gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator

from heavylift.errors import IncompleteError
from heavylift_airflow.task import HeavyliftTask, find_gate
from heavylift_airflow.triggers.gate import GateTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift_airflow.context import TaskFrame


class GateSensor(HeavyliftTask, BaseSensorOperator):
    """Waits until the gate has been evaluated in this run, and demands that it passed.

    It reads the evidence store, never a task's state: a task that was marked successful in the
    UI has left no result there. The first look is made at once; only then does it defer to the
    triggerer.

    Idempotency: it changes nothing; each run reads the latest result.

    :param gate: the gate's name in the spec. (templated)
    :param timeout: longest wait, seconds; 7 days by default.
    :return: ``{"gate", "passed", "checks", "failed"}``.
    :raises IncompleteError: the latest result did not pass.
    """

    template_fields: Sequence[str] = (*HeavyliftTask.template_fields, "gate")
    operator_extra_links = HeavyliftTask.operator_extra_links

    def __init__(self, *, gate: str, poke_interval: float = 15.0, **kwargs: Any) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.gate = gate

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; defer where there is no result yet."""
        frame = self.moving_frame(context)
        summary = self.work.run(self._look(frame), f"reading the result of gate {self.gate!r}")
        if summary is None:
            self._wait(frame)
        return summary

    def _wait(self, frame: TaskFrame) -> NoReturn:
        self.log.info("gate %s has not been evaluated yet: waiting for it in the triggerer", self.gate)
        place = frame.spec.evidence
        trigger = GateTrigger(
            place.connection, place.url, frame.run.model_dump(), self.gate, float(self.poke_interval)
        )
        self.defer(trigger=trigger, method_name="resume", timeout=timedelta(seconds=float(self.timeout)))

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Look again: the triggerer's word is no evidence."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    async def _look(self, frame: TaskFrame) -> dict[str, Any] | None:
        from heavylift.gates.evaluate import latest_gate_result
        from heavylift_airflow.operators.gates import gate_summary

        gate = find_gate(frame.spec, self.phase, self.gate)
        async with self.evidence(frame) as store:
            kept = await latest_gate_result(store, frame.run, gate.name)
        if kept is None:
            return None
        self.evidence_path = kept.ref.path
        if not kept.record.passed:
            raise _not_passed(self.gate, kept.ref.path)
        return gate_summary(kept.record)


def _not_passed(gate: str, path: str) -> IncompleteError:
    return IncompleteError(
        f"waiting for gate {gate!r}",
        got=f"a result that did not pass ({path})",
        expected="a result that passed",
        state="the gate is closed",
        remedy="mend what the result names, then clear the gate's task evaluate with Downstream",
        code="8016",
    )
