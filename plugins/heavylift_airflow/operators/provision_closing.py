"""The gate and the last tasks of the provision phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.gates.infra_checks import is_asked
from heavylift.spec.provision_parts import TRANSLATED, Part, part_of
from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
    Verdict,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.task import find_gate

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.infra_evidence import ProvisionEvidence
    from heavylift.evidence.records import GateResult, PhaseSummary
    from heavylift.evidence.run_evidence import Kept
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec import MigrationSpec
    from heavylift_airflow.context import TaskFrame


class EvaluateInfrastructureGateOperator(EvaluateGateOperator):
    """Judges a gate of the provision phase, for the stage that it is named for, or for its part.

    A run that destroys makes no part, and judges none.

    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate the gate, unless it judges what a run that destroys does not make."""
        frame = self.moving_frame(context)
        gate = find_gate(frame.spec, self.phase, self.gate)
        if part_of(gate) and not is_asked(gate, destroys=frame.options.destroy):
            raise AirflowSkipException("a run that destroys makes no part, and no other run removes one")
        return super().execute(context)

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return what the phase provision makes, and nothing else."""
        return {"datasets": [], "provision": True}


class ApproveInfrastructureOperator(GateApprovalOperator):
    """Asks a person to approve exactly the plans of terraform's that the gate's result names by digest.

    Nobody is asked about a stage that would do nothing.

    :raises IncompleteError: there is no passed result to approve.
    """

    async def _look(self, frame: TaskFrame) -> tuple[Kept[GateResult] | None, bool, str]:
        from heavylift.evidence.infra_evidence import read_provision
        from heavylift.gates.approval import gate_is_open
        from heavylift.gates.evaluate import latest_gate_result
        from heavylift.gates.infra_checks import gate_now

        async with self.evidence(frame) as store:
            evidence = await read_provision(store, frame.run)
            gate = gate_now(find_gate(frame.spec, self.phase, self.gate), evidence)
            kept = await latest_gate_result(store, frame.run, gate.name)
            return kept, *await gate_is_open(store, frame.run, gate)


class PublishInfrastructureOperator(PublishPhaseOperator):
    """Sends an event to the phase's asset once everything is applied and proved, and every gate was open.

    After a run that destroyed, none is sent.

    :raises IncompleteError: something is missing; no event is sent.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Demand the proof, then let the event carry where it lies."""
        if not self.frame(context).options.destroy:
            return super().execute(context)
        raise AirflowSkipException("what was made is destroyed: there is nothing to tell the next phase")

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            return await provision_summary(store, frame)


class BuildInfrastructureReportOperator(BuildReportOperator):
    """Writes the run's report, with what was made, what was not, and what terraform did."""

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await provision_summary(store, frame)


class SummariseInfrastructureOperator(SummariseRunOperator):
    """Has the last word on a run: fails unless everything is made and proved, and every gate was open.

    Infrastructure is applied; pipelines, permissions and manifests are written, and not applied. A dry run
    passes when the files are made and scanned, the first stage is planned, and each part is translated.

    :return: ``{"plan_digest", "passed", "written_not_applied"}``.
    :raises IncompleteError: something is missing; all reasons are named.
    """

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        from heavylift.evidence.infra_evidence import read_provision

        summary = await provision_summary(store, frame)
        looked = _unlooked(await read_provision(store, frame.run), frame)
        missing = looked if frame.options.dry_run else summary.reasons
        state = "what terraform applied is in its state and in the evidence; nothing else was applied"
        return Verdict(summary, missing, state)

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        return {
            "plan_digest": summary.plan_digest,
            "passed": summary.passed,
            "written_not_applied": [part for part in summary.provides if part in TRANSLATED],
        }


async def provision_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    gates = frame.spec.gates_for(Phase.PROVISION)
    parts = [part.value for part in frame.spec.parts]
    return await summarise(store, frame.run, [], gates, provision=True, provides=parts)


def _unlooked(evidence: ProvisionEvidence, frame: TaskFrame) -> list[str]:
    """Return what a dry run has left undone."""
    parts = () if frame.options.destroy else frame.spec.parts
    missing = [part.value for part in TRANSLATED if part in parts and part.value not in evidence.parts]
    found = [f"{part}: nothing was translated" for part in missing]
    return found + (_unplanned(evidence) if Part.INFRASTRUCTURE in frame.spec.parts else [])


def _unplanned(evidence: ProvisionEvidence) -> list[str]:
    made = evidence.generation
    found = [] if made else ["there are no generated files"]
    if made and (evidence.scan is None or evidence.scan.record.files_digest != made.record.digest):
        found.append("the generated files were not scanned")
    return found if evidence.plan("first") else [*found, "the first stage was not planned"]
