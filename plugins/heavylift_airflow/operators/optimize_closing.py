"""The gate and the last tasks of the optimize phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
    Verdict,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.task import find_gate

if TYPE_CHECKING:
    from heavylift.evidence.records import GateResult, PhaseSummary
    from heavylift.evidence.run_evidence import Kept
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec import MigrationSpec
    from heavylift_airflow.context import TaskFrame


class EvaluateOptimizeGateOperator(EvaluateGateOperator):
    """Judges a gate of the optimize phase, which answers for all that the spec wants judged.

    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return the trials, sizes and purchases."""
        return {"datasets": [], "optimized": subjects_of_spec(spec)}


class ApproveChangesOperator(GateApprovalOperator):
    """Asks a person to approve exactly the changes that the gate's result names by digest.

    Nobody is asked where nothing is recommended.

    :raises IncompleteError: there is no passed result to approve.
    """

    async def _look(self, frame: TaskFrame) -> tuple[Kept[GateResult] | None, bool, str]:
        from heavylift.evidence.optimize_evidence import read_optimize
        from heavylift.gates.approval import gate_is_open
        from heavylift.gates.evaluate import latest_gate_result
        from heavylift.gates.optimize_checks import optimize_gate_now

        async with self.evidence(frame) as store:
            evidence = await read_optimize(store, frame.run)
            gate = optimize_gate_now(find_gate(frame.spec, self.phase, self.gate), evidence)
            kept = await latest_gate_result(store, frame.run, gate.name)
            return kept, *await gate_is_open(store, frame.run, gate)


class PublishOptimizeOperator(PublishPhaseOperator):
    """Sends an event to the phase's asset once the changes are proposed and approved.

    :raises IncompleteError: something is missing; no event is sent.
    """

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            return await optimize_summary(store, frame)


class BuildOptimizeReportOperator(BuildReportOperator):
    """Writes the run's report, with the settings that were tried and all that is recommended."""

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await optimize_summary(store, frame)


class SummariseOptimizeOperator(SummariseRunOperator):
    """Has the last word on a run: fails unless all was judged, proposed, and every gate open.

    A dry run passes when sizes and purchases are reckoned and changes proposed.

    :return: ``{"digest", "passed"}``.
    :raises IncompleteError: something is missing; all reasons are named.
    """

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        summary = await optimize_summary(store, frame)
        missing = await _unreckoned(store, frame) if frame.options.dry_run else summary.reasons
        return Verdict(summary, missing, "nothing was changed on either platform")

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        return {"digest": summary.plan_digest, "passed": summary.passed}


async def optimize_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    gates = frame.spec.gates_for(Phase.OPTIMIZE)
    return await summarise(store, frame.run, [], gates, optimized=subjects_of_spec(frame.spec))


def subjects_of_spec(spec: MigrationSpec) -> list[tuple[str, str]]:
    """Return all that a spec wants judged, by kind and name."""
    wanted = spec.optimize
    kinds = (("trials", "trials"), ("rightsizing", "rightsizing"), ("mix", "purchases"))
    return [(kind, each.name) for kind, field in kinds for each in getattr(wanted, field, ())]


async def _unreckoned(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    from heavylift.evidence.optimize_evidence import read_optimize
    from heavylift.gates.optimize_checks import optimize_reasons

    subjects = [each for each in subjects_of_spec(frame.spec) if each[0] != "trials"]
    return optimize_reasons(await read_optimize(store, frame.run), subjects)
