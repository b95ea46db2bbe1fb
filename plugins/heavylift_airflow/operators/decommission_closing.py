"""The last tasks of the phase decommission: the report, and the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    SummariseRunOperator,
    Verdict,
)

if TYPE_CHECKING:
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

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        summary = await leaving_summary(store, frame)
        missing = await _in_use(store, frame) if frame.options.dry_run else summary.reasons
        return Verdict(summary, missing, "heavylift decommission status tells what is deleted")

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        return {"passed": True}


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
