"""The gate and the last tasks of the phases cutover and rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
    Verdict,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import GateResult, PhaseSummary
    from heavylift.evidence.run_evidence import Kept
    from heavylift.evidence.store import EvidenceStore
    from heavylift.evidence.switch_records import SideName
    from heavylift.spec import MigrationSpec
    from heavylift_airflow.context import TaskFrame


class EvaluateCutoverGateOperator(EvaluateGateOperator):
    """Judges a gate of the cutover phase, by what the run has just looked at. Not in a rehearsal.

    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge the gate; a rehearsal passes none, because it moves nobody."""
        if self.frame(context).options.rehearse:
            raise AirflowSkipException("rehearsal: no gate is judged")
        return super().execute(context)

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return the switch, and the tests of the workload that the spec wants."""
        from heavylift.switching.ready import workload_demand

        return {"datasets": [], "cutover": True, "workload": workload_demand(spec)}


class ApproveCutoverOperator(GateApprovalOperator):
    """Asks a person to let the workload be switched now, by exactly the result that they see."""

    async def _look(self, frame: TaskFrame) -> tuple[Kept[GateResult] | None, bool, str]:
        if frame.options.rehearse:
            raise AirflowSkipException("rehearsal: nobody is asked")
        return await super()._look(frame)


class PublishCutoverOperator(PublishPhaseOperator):
    """Sends an event to the phase's asset once everything is on the target, and the gate was open.

    :raises IncompleteError: something is missing; no event is sent.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Demand the proof, then let the event carry where it lies; a rehearsal sends none."""
        if self.frame(context).options.rehearse:
            raise AirflowSkipException("rehearsal: nobody was moved")
        return super().execute(context)

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            return await switch_summary(store, frame)


class BuildSwitchReportOperator(BuildReportOperator):
    """Writes the run's report: what was looked at, shifted and switched, and how long writes paused."""

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await switch_summary(store, frame)


class SummariseSwitchOperator(SummariseRunOperator):
    """Has the last word on a run: fails unless everything came to the side that the phase is for.

    A rehearsal passes when its record does; a dry run when nothing stands in the way of a cutover.

    :return: ``{"goal", "passed"}``.
    :raises IncompleteError: something is missing; all reasons are named.
    """

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        summary = await switch_summary(store, frame)
        missing = await _tried(store, frame)
        return Verdict(
            summary,
            summary.reasons if missing is None else missing,
            "heavylift cutover status tells where everything is",
            over=await _went_back(store, frame),
            details={"rehearsal": frame.options.rehearse},
        )

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        return {"goal": goal_of(self.phase), "passed": True}


async def _went_back(store: EvidenceStore, frame: TaskFrame) -> bool:
    """Tell whether the run's switch was taken back: then clearing its tasks opens nothing any more."""
    from heavylift.evidence.switch_evidence import read_switch

    kept = (await read_switch(store, frame.run)).switch
    if kept is None:
        return False
    # What settles leads to the other side, and its record is the run's last.
    return kept.record.outcome == "returned" or kept.record.goal != goal_of(frame.run.phase)


async def switch_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    phase = Phase(frame.run.phase)
    gates = frame.spec.gates_for(phase)
    return await summarise(store, frame.run, [], gates, switched_to=goal_of(phase))


def goal_of(phase: str) -> SideName:
    """Return the side that a phase brings everything to."""
    return "source" if phase == "rollback" else "target"


async def _drilled(store: EvidenceStore, frame: TaskFrame) -> list[str] | None:
    """Return why the run's newest drill was not good enough; None of a run that drills nothing.

    A rehearsal may pass that takes or loses more than the spec accepts.
    """
    from heavylift.evidence.drill_records import last_drills

    own = [
        kept.record for kept in await last_drills(store, frame.spec.migration) if kept.record.run == frame.run
    ]
    if not own:
        return None
    return list(own[-1].reasons) if own[-1].outcome == "failed" else []


async def _tried(store: EvidenceStore, frame: TaskFrame) -> list[str] | None:
    """Return why a rehearsal or a dry run does not pass; None of a run that is neither."""
    from heavylift.evidence.switch_evidence import read_switch

    if frame.options.rehearse and not frame.options.dry_run:
        found = await read_switch(store, frame.run)
        drilled = await _drilled(store, frame)
        if drilled is not None:
            return drilled
        tried = [kept.record for kept in (found.rehearsal, found.back) if kept]
        return [each.reason for each in tried if not each.passed] if tried else ["nothing was rehearsed"]
    if not frame.options.dry_run:
        return None
    if goal_of(frame.run.phase) == "source":
        return []
    looked = (await read_switch(store, frame.run)).readiness
    if looked is None:
        return ["nobody has looked whether the workload can be switched"]
    return [f"{each.item} {each.subject}: {each.detail}" for each in looked.record.open_items]
