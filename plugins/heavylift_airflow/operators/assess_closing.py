"""The last tasks of the assess phase: judge its gate, tell the next phase, have the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
    Verdict,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import PhaseSummary
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec import MigrationSpec
    from heavylift_airflow.context import TaskFrame


class EvaluatePlanGateOperator(EvaluateGateOperator):
    """Judges a gate of the assess phase, which answers for the run's plan.

    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return the assessment alone."""
        return {"datasets": [], "assessment": True}


class PublishPlanOperator(PublishPhaseOperator):
    """Sends an event to the phase's asset once the plan is made, every gate open and the plan approved.

    The event carries the plan's digest.

    :raises IncompleteError: something is missing; no event is sent.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Demand the proof, then let the event carry where it lies and which plan it is."""
        proof = super().execute(context)
        plan: dict[str, Any] = {**proof, "plan_digest": self._digest}
        for asset in self.outlets:
            context["outlet_events"][asset].extra = plan
        return plan

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            summary = await plan_summary(store, frame)
        self._digest = summary.plan_digest
        return summary


class BuildPlanReportOperator(BuildReportOperator):
    """Writes the run's report, with the pictures of graph, waves and costs."""

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await plan_summary(store, frame)


class SummarisePlanOperator(SummariseRunOperator):
    """Has the last word on a run: fails unless its plan is made, and every gate open and approved.

    A dry run passes when the plan is made.

    :return: ``{"plan_digest", "passed"}``.
    :raises IncompleteError: something is missing; all reasons are named.
    """

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        from heavylift.evidence.assess_evidence import read_assess
        from heavylift.gates.summary import assess_reasons

        summary = await plan_summary(store, frame)
        made = assess_reasons(await read_assess(store, frame.run))
        missing = made if frame.options.dry_run else summary.reasons
        return Verdict(summary, missing, "nothing was changed on either platform")

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        return {"plan_digest": summary.plan_digest, "passed": summary.passed}


async def plan_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    return await summarise(store, frame.run, [], frame.spec.gates_for(Phase.ASSESS), assessment=True)
