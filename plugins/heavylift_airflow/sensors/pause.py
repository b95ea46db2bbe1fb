"""The sensor that stays beside a task that switches, and lets writes go on where that has died."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from heavylift_airflow.task import HeavyliftTask
from heavylift_airflow.triggers.pause import PauseTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class WatchPauseSensor(HeavyliftTask, BaseSensorOperator):
    """Waits in the triggerer beside a task that switches, until that has ended.

    While nobody can write for longer than ``cutover.max_write_pause`` and ten seconds, the trigger lets
    writes go on at the side that was written to last: it needs neither scheduler nor worker, so that killing
    these in the midst of a switch keeps nobody frozen. A retry of the task goes on from there.

    Idempotency: it changes nothing unless nobody can write, and looks at the world each time.

    :param watched: the id of the task that switches, in the same DAG.
    :param timeout: longest wait, seconds; 7 days by default.
    :return: ``{"ended"}``, how many pauses it has ended.
    """

    template_fields: Sequence[str] = (*HeavyliftTask.template_fields,)
    operator_extra_links = HeavyliftTask.operator_extra_links

    def __init__(self, *, spec_path: str, phase: str, watched: str, **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.watched = watched

    def execute(self, context: Context) -> dict[str, Any]:
        """Leave the watching to the triggerer."""
        frame = self.moving_frame(context)
        if frame.options.rehearse:
            raise AirflowSkipException("rehearsal: nobody is moved")
        trigger = PauseTrigger(
            spec_path=self.spec_path,
            run=frame.run.model_dump(),
            watched={"dag_id": frame.dag_id, "run_id": context["run_id"], "task_id": self.watched},
            actor=frame.task_actor,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=timedelta(seconds=float(self.timeout)))

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Tell what was done."""
        told = self.log.warning if event["ended"] else self.log.info
        told(
            "%s %s; pauses of writes that were ended for it: %s", self.watched, event["state"], event["ended"]
        )
        return {"ended": event["ended"]}
