"""The last tasks of the revalidate phase: judge its gate, tell the next phase, have the last word."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
    Verdict,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator

if TYPE_CHECKING:
    from heavylift.evidence.records import PhaseSummary
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec import MigrationSpec
    from heavylift.spec.sections_models import Model
    from heavylift_airflow.context import TaskFrame


class EvaluateModelsGateOperator(EvaluateGateOperator):
    """Judges a gate of the revalidate phase, which answers for models alone.

    :raises IncompleteError: the gate is closed; the failed checks are named.
    """

    def subjects(self, spec: MigrationSpec) -> dict[str, Any]:
        """Return all models with their versions."""
        return {"datasets": [], "models": model_versions(spec)}


class PublishModelsOperator(PublishPhaseOperator):
    """Sends an event to the phase's asset once every model is proved and every gate open.

    :raises IncompleteError: something is missing; no event is sent.
    """

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            return await models_summary(store, frame)


class BuildModelsReportOperator(BuildReportOperator):
    """Writes the run's report, with the plots of parity and latency."""

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await models_summary(store, frame)


class SummariseModelsOperator(SummariseRunOperator):
    """Has the last word on a run: fails unless every model was checked, compared, and passed.

    A dry run passes when every model that has files was checked and nothing stands in its way.

    :return: ``{"models", "passed"}``.
    :raises IncompleteError: a model is not proved; all reasons are named.
    """

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        summary = await models_summary(store, frame)
        missing = await _unchecked(store, frame) if frame.options.dry_run else summary.reasons
        return Verdict(summary, missing, "both sides' models are as they were")

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        return {"models": len(summary.models), "passed": summary.passed}


def has_files(model: Model) -> bool:
    """Tell whether a model lies somewhere on the source, and not only behind an endpoint."""
    return model.source is not None or (model.registry is not None and model.source_endpoint is None)


def model_versions(spec: MigrationSpec) -> list[tuple[str, str]]:
    """Return all models of a spec, each with its versions."""
    return [(model.name, version) for model in spec.models for version in model.versions or ("",)]


async def models_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    gates = frame.spec.gates_for(Phase.REVALIDATE)
    found = await summarise(store, frame.run, [], gates, models=model_versions(frame.spec))
    unconverted = await _unconverted(store, frame)
    if not unconverted:
        return found
    return found.model_copy(update={"passed": False, "reasons": (*found.reasons, *unconverted)})


async def _unconverted(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    """Return which conversions that the spec asks for have no proof."""
    from heavylift.evidence.model_evidence import read_conversion

    reasons = []
    for model in frame.spec.models:
        for version, form in product(model.versions or ("",), model.convert_to):
            found = await read_conversion(store, frame.run, model.name, version, form.value)
            if found is None or not found.record.passed:
                why = found.record.statement if found else f"it was not converted to {form.value}"
                reasons.append(f"{model.name} {version}".strip() + f": {why}")
    return reasons


async def _unchecked(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    """Return why a dry run does not pass: models that were not checked, or cannot go."""
    from heavylift.evidence.model_evidence import read_model_evidence

    reasons = []
    for model in frame.spec.models:
        for version in (model.versions or ("",)) if has_files(model) else ():
            found = await read_model_evidence(store, frame.run, model.name, version)
            if found.check is None:
                reasons.append(f"{found.name}: it was not checked")
            elif not found.check.record.passed:
                reasons.append(f"{found.name}: {found.check.record.statement}")
    return reasons
