"""The last tasks of every run: tell the next phase, write the report, have the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import EvidenceRef, PhaseSummary
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame

MAX_REASONS = 10


class PublishPhaseOperator(HeavyliftOperator):
    """Sends an event to the phase's asset, once the evidence shows that the phase is proved.

    The latest verification of every dataset, database, stream and registry must have passed, and every
    gate be open and, where the spec says so, approved: all of it read from the evidence store and the
    audit trail.

    Where a registry goes back to the source no event is sent. Idempotency: a second run sends one more event
    and changes nothing else.

    :raises IncompleteError: something is missing; no event is sent.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Demand the proof, then let the event carry where it lies."""
        from heavylift.spec.registry_phase import goes_back

        frame = self.moving_frame(context)
        if any(map(goes_back, frame.spec.registries)):
            raise AirflowSkipException("something goes back to the source: what follows judges the target")
        summary = self.work.run(self._summary(frame), "publishing of the result")
        if not summary.passed:
            state = "no event was sent to the next phase"
            raise not_proved("publishing of the result", summary.reasons, state)
        proof: dict[str, Any] = {
            "migration": frame.spec.migration,
            "run": context["run_id"],
            "evidence": frame.run.folder,
            "audit_head": summary.audit_head,
        }
        for asset in self.outlets:
            context["outlet_events"][asset].extra = proof
        return proof

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            return await summary_of(store, frame, self.phase)


class BuildReportOperator(HeavyliftOperator):
    """Writes the run's report: one HTML file, for failed runs and dry runs too.

    Idempotency: each run of the task adds a report; earlier ones stay.

    :return: ``{"report": path in the evidence store, "sha256", "size_bytes"}``.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Build the report and note it in the audit trail."""
        frame = self.frame(context)
        return self.work.run(self._build(frame), "building of the report")

    async def _build(self, frame: TaskFrame) -> dict[str, Any]:
        from heavylift.report.build import build_report
        from heavylift_airflow.trail import note

        async with self.evidence(frame) as store:
            ref = await build_report(store, frame.run, await self._summary(store, frame))
            self.evidence_path = ref.path
            await note(store, frame, "report.built", evidence=(ref,))
        return {"report": ref.path, "sha256": ref.sha256, "size_bytes": ref.size_bytes}

    async def _summary(self, store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
        return await summary_of(store, frame, self.phase)


@dataclass(frozen=True)
class Verdict:
    """How a run stands.

    :param missing: why it does not pass; for a dry run or a rehearsal, why it does not pass as one.
    :param state: what stays as it is where it does not pass.
    :param over: nothing can go on in this run, whatever is cleared.
    :param details: further ones for the audit trail.
    """

    summary: PhaseSummary
    missing: Sequence[str]
    state: str
    over: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


class SummariseRunOperator(HeavyliftOperator):
    """Has the last word on a run: fails unless the evidence shows that the phase is proved.

    It runs whatever happened before it, and it is the run's only leaf, so that the run's colour
    tells the truth. A dry run passes when every dataset has a plan that could be carried out, and
    every database and registry a preflight that passed.

    Idempotency: each run of the task adds a summary; the last one counts.

    :return: the counts of found, moved, unchanged, refused and failed objects; with databases also
        ``databases``, with registries ``registries``, with feature stores ``feature_stores``.
    :raises IncompleteError: the phase is not proved; all reasons are named.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Summarise the run, keep the summary, and fail where it did not pass."""
        frame = self.frame(context)
        summary = self.work.run(self._summarise(frame), "summary of the run")
        counts = self.counts(summary)
        self.log.info("%s", ", ".join(f"{name} {value}" for name, value in counts.items()))
        return counts

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        summary = await summary_of(store, frame, self.phase)
        summary = summary.model_copy(update={"report": await _latest_report(store, frame)})
        missing = await _missing_plans(store, frame) if frame.options.dry_run else summary.reasons
        moved = f"moved {summary.moved.objects} of {summary.found.objects} objects"
        return Verdict(summary, missing, f"{moved}; what is on the target stays there")

    def counts(self, summary: PhaseSummary) -> dict[str, Any]:
        """Return what is told of a run that has passed."""
        counts: dict[str, Any] = {
            name: getattr(summary, name).objects
            for name in ("found", "moved", "unchanged", "refused", "failed")
        }
        for sort in ("databases", "registries", "feature_stores"):
            if named := getattr(summary, sort):
                counts[sort] = len(named)
        return counts

    async def _summarise(self, frame: TaskFrame) -> PhaseSummary:
        from heavylift.evidence.paths import original_text
        from heavylift.gates.summary import write_summary
        from heavylift_airflow.trail import note

        options = frame.options
        async with self.evidence(frame) as store:
            verdict = await self.verdict(store, frame)
            missing = list(verdict.missing)
            tried = (options.dry_run or options.rehearse) and not missing
            ref = await write_summary(store, verdict.summary, dry_run=tried)
            self.evidence_path = ref.path
            details = {
                "passed": not missing,
                "dry_run": options.dry_run,
                "reasons": missing[:MAX_REASONS],
                **verdict.details,
            }
            await note(store, frame, "run.finished", evidence=(ref,), details=details)
        if missing:
            run_id = original_text(frame.run.run) or frame.run.run
            raise not_proved(f"run {run_id}", missing, verdict.state, over=verdict.over)
        return verdict.summary


async def summary_of(store: EvidenceStore, frame: TaskFrame, phase: str) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.gates.summary import summarise
    from heavylift.spec import Phase

    datasets = [dataset.name for dataset in frame.spec.datasets]
    databases = [database.name for database in frame.spec.databases]
    streams = [stream.name for stream in frame.spec.streams]
    gates = frame.spec.gates_for(Phase(phase))
    registries = [registry.name for registry in frame.spec.registries]
    features = [each.name for each in frame.spec.feature_stores]
    summary = await summarise(
        store, frame.run, datasets, gates, databases, streams, registries, feature_stores=features
    )
    if not frame.spec.envelopes:
        return summary
    from heavylift.gates.envelope_checks import envelope_reasons

    names = [envelope.name for envelope in frame.spec.envelopes]
    reasons = (*summary.reasons, *await envelope_reasons(store, frame.spec.migration, names))
    return summary.model_copy(update={"reasons": reasons, "passed": summary.passed and not reasons})


async def _latest_report(store: EvidenceStore, frame: TaskFrame) -> EvidenceRef | None:
    from heavylift.evidence.numbered import latest_number
    from heavylift.evidence.paths import report_path

    number = await latest_number(store, lambda n: report_path(frame.run, n))
    return await store.ref_of(report_path(frame.run, number)) if number else None


async def _missing_plans(store: EvidenceStore, frame: TaskFrame) -> tuple[str, ...]:
    """Return why a dry run does not pass: datasets without a plan that could be carried out."""
    from heavylift.evidence.paths import plan_path
    from heavylift.evidence.records import PlanRecord
    from heavylift.evidence.run_evidence import read_kept

    reasons = []
    for dataset in frame.spec.datasets:
        kept = await read_kept(store, plan_path(frame.run, dataset.name), PlanRecord)
        if kept is None:
            reasons.append(f"{dataset.name}: there is no plan")
        elif any(finding.severity == "blocker" for finding in kept.record.findings):
            reasons.append(f"{dataset.name}: {kept.record.refused.objects} objects cannot be moved")
    for unfit in (_unfit_databases, _unfit_streams, _unfit_registries, _unfit_features):
        reasons += await unfit(store, frame)
    return tuple(reasons)


async def _unfit_streams(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    from heavylift.evidence.stream_evidence import read_stream_evidence

    reasons: list[str] = []
    for stream in frame.spec.streams:
        plan = (await read_stream_evidence(store, frame.run, stream.name)).plan
        if plan is None:
            reasons.append(f"{stream.name}: there is no plan")
        elif plan.record.refusals:
            reasons.append(f"{stream.name}: its plan found what stands in the way")
    return reasons


async def _unfit_registries(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    from heavylift.evidence.registry_evidence import read_registry

    reasons: list[str] = []
    for registry in frame.spec.registries:
        found = (await read_registry(store, frame.run, registry.name)).preflight
        if found is None:
            reasons.append(f"{registry.name}: there is no preflight")
        elif not found.record.passed:
            reasons.append(f"{registry.name}: its preflight found what stands in the way")
    return reasons


async def _unfit_features(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    from heavylift.evidence.feature_evidence import read_feature_store

    reasons: list[str] = []
    for each in frame.spec.feature_stores:
        found = (await read_feature_store(store, frame.run, each.name)).preflight
        if found is None:
            reasons.append(f"{each.name}: there is no preflight")
        elif not found.record.passed:
            reasons.append(f"{each.name}: its preflight found what stands in the way")
    return reasons


async def _unfit_databases(store: EvidenceStore, frame: TaskFrame) -> list[str]:
    from heavylift.evidence.database_evidence import read_database
    from heavylift.spec import Phase

    reasons: list[str] = []
    if frame.run.phase != Phase.TRANSFER.value:
        # Only a transfer looks at databases beforehand; a sync applies what there is, or nothing.
        return reasons
    for database in frame.spec.databases:
        found = (await read_database(store, frame.run, database.name)).preflight
        if found is None:
            reasons.append(f"{database.name}: there is no preflight")
        elif not found.record.passed:
            reasons.append(f"{database.name}: its preflight found what stands in the way")
    return reasons


def not_proved(what: str, reasons: Sequence[str], state: str, *, over: bool = False) -> IncompleteError:
    """Return the error of a run whose evidence does not prove it.

    :param over: nothing can go on in this run, whatever is cleared.
    """
    more = f" and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
    return IncompleteError(
        what,
        got="; ".join(reasons[:MAX_REASONS]) + more,
        expected="a proof for all that moves, and every gate open",
        state=state,
        remedy="mend what it says, then trigger this phase anew"
        if over
        else "look at the first failed task of this run, mend what it says, clear it with Downstream",
        code="8017",
    )
