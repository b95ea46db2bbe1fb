"""The sensor that waits for the end of a source's time of grace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseSensorOperator

from heavylift.errors import ConflictError
from heavylift_airflow.task import HeavyliftTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.decommission_evidence import PlanLife
    from heavylift_airflow.context import TaskFrame


class GraceSensor(HeavyliftTask, BaseSensorOperator):
    """Waits in the triggerer until the time of grace is over, and takes no worker's place meanwhile.

    Idempotency: it changes nothing; each run reads the plan's events anew.

    :return: ``{"plan", "grace_ends"}``.
    :raises ConflictError: the source was brought back, or the plan is not where this belongs.
    """

    template_fields: Sequence[str] = (*HeavyliftTask.template_fields,)
    operator_extra_links = HeavyliftTask.operator_extra_links

    # Airflow needs an __init__ of the sensor's own.
    def __init__(self, *, spec_path: str, phase: str, **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; defer until the grace ends."""
        from heavylift.evidence.records import utc_now

        frame = self.moving_frame(context)
        life = self.work.run(self._look(frame), "reading how far the plan is")
        ends = life.grace_ends if life else None
        if life is None or ends is None or life.state not in ("disabled", "deleting", "deleted"):
            raise _no_grace(frame, life)
        if utc_now() < ends:
            self.log.info("the time of grace ends %s", ends)
            self.defer(trigger=DateTimeTrigger(moment=ends), method_name="resume")
        return {"plan": life.number, "grace_ends": ends.isoformat()}

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Look again: the triggerer's word is no evidence."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    async def _look(self, frame: TaskFrame) -> PlanLife | None:
        from heavylift.evidence.decommission_evidence import latest_life

        async with self.evidence(frame) as store:
            return await latest_life(store, frame.spec.migration)


def _no_grace(frame: TaskFrame, life: PlanLife | None) -> ConflictError:
    return ConflictError(
        f"waiting for the end of grace of the source of {frame.spec.migration}",
        got=f"a plan that is {life.state}" if life else "no plan",
        expected="one that is disabled",
        state="nothing was changed",
        remedy="where the source was brought back this run is over; else clear disable with Downstream",
        code="9333",
    )
