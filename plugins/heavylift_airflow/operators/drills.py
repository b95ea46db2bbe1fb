"""The operator that drills the fail-over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.cutover import SwitchOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.drill_records import DrillRecord
    from heavylift_airflow.context import TaskFrame


class DrillFailoverOperator(SwitchOperator):
    """Rehearses the fail-over and the way back, and measures what each would take (RTO) and lose (RPO).

    Nobody is moved. Once the workload is on the target the way back alone is drilled. While a switch is under
    way, or once the way back is closed, it is put off: a record says so, and the run is skipped.

    Idempotency: each run of the task drills anew and adds a record; the newest counts.

    :return: ``{"outcome", "way", "rto_seconds", "rpo_seconds", "rto_back_seconds", "rpo_back_seconds"}``.
    :raises IncompleteError: the rehearsal did not pass, or takes or loses more than the spec accepts.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Drill, keep the record, and fail where a fail-over would not be good enough."""
        frame = self.moving_frame(context)
        record = self.work.run(self._drill(frame), "fail-over drill")
        if record.outcome == "put off":
            raise AirflowSkipException(f"put off: {'; '.join(record.reasons)}")
        self.log.info("drill %s: %s", record.outcome, record.figures)
        if record.outcome == "failed":
            raise _not_good(record, self.evidence_path or "")
        return drill_figures(record)

    async def _drill(self, frame: TaskFrame) -> DrillRecord:
        from heavylift.switching.drills import run_drill

        async with self.switch(frame) as request:
            record, ref = await run_drill(request, frame.spec, self.tell)
            await self.note(request, frame, "failover.drilled", ref, drill_figures(record))
        return record


def drill_figures(record: DrillRecord) -> dict[str, Any]:
    """Return a drill's figures."""
    return {
        "outcome": record.outcome,
        "way": record.way,
        "rto_seconds": record.rto_seconds,
        "rpo_seconds": record.rpo_seconds,
        "rto_back_seconds": record.back.rto_seconds if record.back else None,
        "rpo_back_seconds": record.back.rpo_seconds if record.back else None,
    }


def _not_good(record: DrillRecord, path: str) -> IncompleteError:
    return IncompleteError(
        f"fail-over drill of {record.run.migration}",
        got="; ".join(record.reasons),
        expected="everything as a fail-over needs it, within the RTO and RPO of the spec",
        state=f"the workload is as it was; {record.figures}; the record is {path}",
        remedy="mend what the record names, then clear this task: it drills anew",
        code="9721",
    )
