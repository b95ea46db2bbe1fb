"""The sensor that tells people how far the soak after a cutover is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseSensorOperator

from heavylift_airflow.task import HeavyliftTask

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from heavylift.cutover.soaking import Soak
    from heavylift_airflow.context import TaskFrame

NEARS, ENDS, OVERDUE = "nears", "ends", "overdue"
MOMENTS = (NEARS, ENDS, OVERDUE)


class SoakSensor(HeavyliftTask, BaseSensorOperator):
    """Waits in the triggerer until the soak nears its end, ends, or is over for long, then tells people.

    A soak that a rollback or a finalise has ended needs nobody; neither does one that a later cutover began.

    Idempotency: it changes nothing; each message is sent once, whoever sees the moment.

    :param moment: ``nears``, ``ends`` or ``overdue``.
    :return: ``{"moment", "told", "soak_ends"}``; without a soak ``told`` is false.
    """

    template_fields: Sequence[str] = (*HeavyliftTask.template_fields,)
    operator_extra_links = HeavyliftTask.operator_extra_links

    # Airflow needs an __init__ of the sensor's own.
    def __init__(self, *, spec_path: str, phase: str, moment: str, **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.moment = moment

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; defer until the moment, or tell."""
        from heavylift.evidence.records import utc_now

        frame = self.moving_frame(context)
        soak = self.work.run(self._look(frame), "reading how far the soak is")
        if soak is None:
            self.log.info("there is no soak: the workload is not on the target, or the cutover is final")
            return {"moment": self.moment, "told": False, "soak_ends": None}
        at = moment_of(soak, self.moment)
        if utc_now() < at:
            self.log.info("the soak ends %s; nobody needs to be told before %s", soak.ends_at, at)
            self.defer(trigger=DateTimeTrigger(moment=at), method_name="resume")
        told = self._tell(context, frame, soak)
        return {"moment": self.moment, "told": told, "soak_ends": soak.ends_at.isoformat()}

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Look again: it may have been rolled back or made final meanwhile."""
        self.log.info("woken: %s", event)
        return self.execute(context)

    def _tell(self, context: Context, frame: TaskFrame, soak: Soak) -> bool:
        from heavylift_airflow.notifying import tell_of_soak

        title, todo = words(soak, self.moment, frame.spec.migration)
        self.log.warning("%s; %s", title, todo)
        tell_of_soak(context, title, todo, f"soak {soak.epoch} {self.moment}")
        return True

    async def _look(self, frame: TaskFrame) -> Soak | None:
        from heavylift.cutover.soaking import current_soak
        from heavylift.switching.parts import cutover_of

        async with self.evidence(frame) as store:
            length = timedelta(seconds=cutover_of(frame.spec).soak)
            return await current_soak(store, frame.spec.migration, length)


def moment_of(soak: Soak, moment: str) -> datetime:
    """Return when people are told of a moment."""
    return {NEARS: soak.nears_at, ENDS: soak.ends_at, OVERDUE: soak.overdue_at}[moment]


def words(soak: Soak, moment: str, migration: str) -> tuple[str, str]:
    """Return what is told, and what to do."""
    ends = f"{soak.ends_at:%Y-%m-%d %H:%M} UTC"
    close = f"trigger DAG {migration}.finalise to close the way back, or {migration}.rollback to go back"
    return {
        NEARS: (f"the soak ends {ends}", f"decide whether the workload stays: then {close}"),
        ENDS: (f"the soak is over since {ends}, and nobody has finalised it", close),
        OVERDUE: (
            f"the soak is over since {ends} and forgotten: streams go on, and the source keeps their log",
            close,
        ),
    }[moment]
