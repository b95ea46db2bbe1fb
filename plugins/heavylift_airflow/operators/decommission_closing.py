"""The last tasks of the phase decommission: the report, and the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.closing import (
    MAX_REASONS,
    BuildReportOperator,
    SummariseRunOperator,
    not_proved,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import PhaseSummary
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame


class BuildLeavingReportOperator(BuildReportOperator):
    """Writes the run's report: who was looked for, what was planned, what the certificate says."""

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await leaving_summary(store, frame)


class SummariseLeavingOperator(SummariseRunOperator):
    """Has the last word on a run: fails unless a complete certificate was issued for its plan.

    A dry run passes when nobody uses the source.

    :return: ``{"passed"}``.
    :raises IncompleteError: something is missing; all reasons are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Summarise the run, keep the summary, and fail where it did not pass."""
        frame = self.frame(context)
        self.work.run(self._summarise(frame), "summary of the run")
        return {"passed": True}

    async def _summarise(self, frame: TaskFrame) -> PhaseSummary:
        from heavylift.gates.summary import write_summary
        from heavylift_airflow.trail import note

        async with self.evidence(frame) as store:
            summary = await leaving_summary(store, frame)
            missing = await _in_use(store, frame) if frame.options.dry_run else list(summary.reasons)
            ref = await write_summary(store, summary, dry_run=frame.options.dry_run and not missing)
            self.evidence_path = ref.path
            details = {
                "passed": not missing,
                "dry_run": frame.options.dry_run,
                "reasons": missing[:MAX_REASONS],
            }
            await note(store, frame, "run.finished", evidence=(ref,), details=details)
        if missing:
            raise not_proved(
                f"run {frame.run.run}", missing, "heavylift decommission status tells what is deleted"
            )
        return summary


async def leaving_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    return await summarise(store, frame.run, [], frame.spec.gates_for(Phase.DECOMMISSION), given_up=True)


async def _in_use(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    from heavylift.evidence.decommission_evidence import latest_unused

    looked = await latest_unused(store, frame.run)
    if looked is None:
        return ["nobody has looked whether the source is used"]
    return [f"{each.item} {each.subject}: {each.detail}" for each in looked.record.open_items]
