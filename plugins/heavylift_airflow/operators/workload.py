"""The operator that tests the moved workload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.workload_records import WorkloadKind, WorkloadTestRecord
    from heavylift_airflow.context import TaskFrame


class TryWorkloadOperator(HeavyliftOperator):
    """Runs the tests of one kind against the target's endpoint, and keeps the record for gates and report.

    Idempotency: it changes nothing; each run of the task tests anew, and the newest record counts.

    :param kind: functional, performance, security or continuity. (templated)
    :return: ``{"kind", "verdict", "cases"}``.
    :raises IncompleteError: a case failed, or could not be run.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "kind")

    def __init__(self, *, kind: WorkloadKind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Test, and fail where a case did not pass."""
        frame = self.moving_frame(context)
        record = self.work.run(self._try(frame), f"{self.kind} test of the workload")
        for each in record.cases:
            told = self.log.info if each.verdict == "passed" else self.log.warning
            told("%s: %s: %s", each.verdict.upper(), each.name, each.got)
        if record.verdict != "passed":
            raise _not_passed(record, self.evidence_path or "")
        return {"kind": self.kind, "verdict": record.verdict, "cases": len(record.cases)}

    async def _try(self, frame: TaskFrame) -> WorkloadTestRecord:
        from heavylift.workload.api import try_workload
        from heavylift.workload.requests import WorkloadRequest

        async with self.evidence(frame) as store:
            request = WorkloadRequest(store, frame.spec, frame.run, frame.task_actor, look_up)
            record, ref = await try_workload(request, self.kind, self.log.info)
            self.evidence_path = ref.path
        return record


def _not_passed(record: WorkloadTestRecord, path: str) -> IncompleteError:
    wrong = [f"{each.name}: {each.verdict}, {each.got}" for each in record.cases if each.verdict != "passed"]
    return IncompleteError(
        f"{record.kind} test of the workload of {record.run.migration}",
        got="; ".join(wrong[:5]) or "no case",
        expected="every case to pass",
        state=f"nothing was changed; the record is {path}",
        remedy="mend what the cases name, then clear this task",
        code="9339",
    )
