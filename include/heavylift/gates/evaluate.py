"""Evaluating a gate: read a run's evidence, judge it, keep the result as evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heavylift.errors import AuditError
from heavylift.evidence.assess_evidence import AssessEvidence, latest_assessment, read_assess
from heavylift.evidence.database_evidence import read_database
from heavylift.evidence.feature_evidence import FeatureEvidence, read_feature_store
from heavylift.evidence.infra_evidence import read_provision
from heavylift.evidence.model_evidence import ModelEvidence, ModelVersions, read_model_evidence
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import gate_path
from heavylift.evidence.records import CheckOutcome, EvidenceRef, GateResult, RunKey, utc_now
from heavylift.evidence.registry_evidence import RegistryEvidence, read_registry
from heavylift.evidence.run_evidence import DatasetEvidence, Kept, read_dataset, read_latest
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_evidence import StreamEvidence, read_stream_evidence
from heavylift.gates.assess_checks import judge_assess_freshness
from heavylift.gates.checks import (
    ASSESS_JUDGES,
    DATABASE_JUDGES,
    FEATURE_JUDGES,
    INFRA_JUDGES,
    JUDGES,
    MODEL_JUDGES,
    REGISTRY_JUDGES,
    STREAM_JUDGES,
    judge,
    judge_assessment,
    judge_database,
    judge_features,
    judge_infra,
    judge_model,
    judge_registry,
    judge_stream,
)
from heavylift.gates.database_checks import DatabaseSubject, judge_database_freshness
from heavylift.gates.envelope_checks import judge_envelopes
from heavylift.gates.freshness import TABLE_CHECKS, judge_freshness
from heavylift.gates.infra_checks import InfraSubject, gate_now, judge_infra_freshness, stage_digest
from heavylift.gates.leaving_checks import judge_leaving, leaving_subject
from heavylift.gates.model_checks import judge_model_freshness
from heavylift.gates.part_checks import judge_parts, part_digest
from heavylift.gates.registry_checks import judge_registry_freshness
from heavylift.gates.stream_checks import judge_stream_freshness
from heavylift.gates.workload_checks import WorkloadDemand, judge_workload
from heavylift.spec.gates import Gate
from heavylift.spec.provision_parts import PART_CHECKS, part_of
from heavylift.spec.provision_stages import stage_of
from heavylift.spec.vocabulary import Check

if TYPE_CHECKING:
    from heavylift.evidence.optimize_evidence import OptimizeEvidence
    from heavylift.gates.optimize_checks import Subjects
    from heavylift.gates.plan_checks import PlanDemand


async def evaluate_gate(
    store: EvidenceStore,
    run: RunKey,
    gate: Gate,
    datasets: Sequence[str],
    *,
    tabular: Collection[str] | None = None,
    databases: Mapping[str, float] | None = None,
    streams: Sequence[str] = (),
    registries: Sequence[str] = (),
    feature_stores: Sequence[str] = (),
    envelopes: Sequence[str] = (),
    models: ModelVersions = (),
    assessment: bool = False,
    provision: bool = False,
    cutover: bool = False,
    optimized: Subjects | None = None,
    leaving: bool = False,
    workload: WorkloadDemand | None = None,
    plan: PlanDemand | None = None,
) -> tuple[GateResult, EvidenceRef]:
    """Judge ``gate`` by the evidence of ``run`` and write the result.

    Each call adds a numbered result; a gate that does not pass raises nothing. The caller
    notes the act in the audit trail.

    :param datasets: all datasets that the gate answers for; with none it does not pass.
    :param tabular: those of them that have expectations; table checks are judged on these
        alone. None means all.
    :param databases: all databases that it answers for, and the lag in seconds under which each
        counts as caught up.
    :param streams: all streams that it answers for; ``registries``, ``feature_stores`` and ``envelopes``
        likewise.
    :param models: all models that it answers for, each with its version.
    :param assessment: whether it answers for the run's assessment.
    :param provision: whether it answers for a stage of the run's infrastructure: the one it is named for.
    :param cutover: whether it answers for a switch that the run is about to make.
    :param optimized: all that was to be judged, by kind and name, in the phase optimize.
    :param leaving: whether it answers for a source that is given up.
    :param workload: which tests of the moved workload it answers for.
    :param plan: where the plan is approved and for what, for the check ``plan_approved``; and what
        ``compliance_clean`` must have been judged on.
    :raises AuditError: a record of the run is damaged.
    """
    now = utc_now()
    evidence = [await read_dataset(store, run, name) for name in datasets]
    wanted = set(datasets if tabular is None else tabular)
    outcomes = [outcome for each in evidence for outcome in _of_dataset(gate, each, wanted, now)]
    for name, max_lag in (databases or {}).items():
        outcomes += _of_database(gate, DatabaseSubject(await read_database(store, run, name), max_lag), now)
    for name in streams:
        outcomes += _of_stream(gate, await read_stream_evidence(store, run, name), now)
    for name in registries:
        outcomes += _of_registry(gate, await read_registry(store, run, name), now)
    for name in feature_stores:
        outcomes += _of_features(gate, await read_feature_store(store, run, name), now)
    for name, version in models:
        outcomes += _of_model(gate, await read_model_evidence(store, run, name, version), now)
    assessed = await read_assess(store, run) if assessment else None
    outcomes += _of_assessment(gate, assessed, now) if assessed else []
    infra = await _infra_subject(store, run, gate) if provision else None
    gate = gate_now(gate, infra.evidence) if infra else gate
    outcomes += _of_infra(gate, infra, now) if infra else []
    outcomes += await _of_cutover(store, run, gate, now) if cutover else []
    proposed = await _proposed(store, run, gate) if optimized is not None else None
    if proposed is not None:
        gate, judged = _of_optimize(gate, proposed, optimized or (), now)
        outcomes += judged
    left = await leaving_subject(store, run) if leaving else None
    outcomes += judge_leaving(gate, left, now) if left else []
    outcomes += await _of_envelopes(store, run.migration, gate, envelopes, now)
    outcomes += await _of_workload(store, run.migration, gate, workload, now)
    outcomes += await _of_plan(store, run.migration, gate, plan)
    outcomes += await _of_compliance(store, run.migration, gate, plan, now)
    outcomes += _unjudged(gate, outcomes, datasets)
    result = GateResult(
        run=run,
        gate=gate.name,
        evaluated_at=now,
        checks=tuple(outcomes),
        passed=all(outcome.passed for outcome in outcomes),
        approval_required=gate.approval.required,
        plan_digest=left.plan_digest if left else _digest(gate, assessed, infra, proposed),
    )
    _number, ref = await write_next(store, lambda number: gate_path(run, gate.name, number), result)
    return result, ref


async def latest_gate_result(store: EvidenceStore, run: RunKey, gate: str) -> Kept[GateResult] | None:
    """Return the last result of the gate called ``gate`` with its reference, or None.

    :raises AuditError: the result is damaged, or is that of another run or gate.
    """
    kept = await read_latest(store, lambda number: gate_path(run, gate, number), GateResult)
    if kept and (kept.record.run, kept.record.gate) != (run, gate):
        raise AuditError(
            f"reading the result of gate {gate!r}",
            got=f"a result of gate {kept.record.gate!r} in run {kept.record.run.folder}",
            expected=f"one of run {run.folder}",
            state="the gate stays closed",
            remedy="run 'heavylift audit verify', then evaluate the gate again",
            code="4101",
        )
    return kept


def _of_dataset(
    gate: Gate, evidence: DatasetEvidence, tabular: set[str], now: datetime
) -> list[CheckOutcome]:
    checks = [
        check
        for check in gate.checks
        if check in JUDGES and (check not in TABLE_CHECKS or evidence.dataset in tabular)
    ]
    outcomes = [judge(check, evidence) for check in checks]
    if checks:
        outcomes.append(judge_freshness(evidence, checks, timedelta(seconds=gate.max_age), now))
    return outcomes


def _of_database(gate: Gate, subject: DatabaseSubject, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in DATABASE_JUDGES]
    outcomes = [judge_database(check, subject) for check in checks]
    if set(checks) - {Check.REPLICATION_CAUGHT_UP}:
        outcomes.append(judge_database_freshness(subject, timedelta(seconds=gate.max_age), now))
    return outcomes


def _of_stream(gate: Gate, evidence: StreamEvidence, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in STREAM_JUDGES]
    outcomes = [judge_stream(check, evidence) for check in checks]
    if set(checks) - {Check.REPLICATION_CAUGHT_UP}:
        outcomes.append(judge_stream_freshness(evidence, timedelta(seconds=gate.max_age), now))
    return outcomes


def _of_registry(gate: Gate, evidence: RegistryEvidence, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in REGISTRY_JUDGES]
    outcomes = [judge_registry(check, evidence) for check in checks]
    if checks:
        outcomes.append(judge_registry_freshness(evidence, timedelta(seconds=gate.max_age), now))
    return outcomes


def _of_features(gate: Gate, evidence: FeatureEvidence, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in FEATURE_JUDGES]
    outcomes = [judge_features(check, evidence) for check in checks]
    if checks:
        outcomes.append(judge_registry_freshness(evidence, timedelta(seconds=gate.max_age), now))
    return outcomes


def _of_model(gate: Gate, evidence: ModelEvidence, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in MODEL_JUDGES]
    outcomes = [judge_model(check, evidence) for check in checks]
    if checks:
        outcomes.append(judge_model_freshness(evidence, timedelta(seconds=gate.max_age), now))
    return outcomes


def _of_assessment(gate: Gate, evidence: AssessEvidence, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in ASSESS_JUDGES]
    outcomes = [judge_assessment(check, evidence) for check in checks]
    if checks:
        outcomes.append(judge_assess_freshness(evidence, timedelta(seconds=gate.max_age), now))
    return outcomes


async def _infra_subject(store: EvidenceStore, run: RunKey, gate: Gate) -> InfraSubject:
    newest = await latest_assessment(store, run.migration)
    digest = newest.record.plan_digest if newest else ""
    return InfraSubject(await read_provision(store, run), stage_of(gate).value, digest)


def _of_infra(gate: Gate, subject: InfraSubject, now: datetime) -> list[CheckOutcome]:
    checks = [check for check in gate.checks if check in INFRA_JUDGES]
    outcomes = [judge_infra(check, subject) for check in checks]
    max_age = timedelta(seconds=gate.max_age)
    if checks and part_of(gate) is None:
        outcomes.append(judge_infra_freshness(subject, max_age, now))
    return outcomes + judge_parts(gate, subject.evidence, max_age, now)


async def _of_cutover(store: EvidenceStore, run: RunKey, gate: Gate, now: datetime) -> list[CheckOutcome]:
    if Check.CUTOVER_READY not in gate.checks:
        return []
    from heavylift.evidence.switch_evidence import read_switch
    from heavylift.gates.switch_checks import judge_cutover_ready

    return [judge_cutover_ready(await read_switch(store, run), timedelta(seconds=gate.max_age), now)]


async def _proposed(store: EvidenceStore, run: RunKey, gate: Gate) -> OptimizeEvidence | None:
    if Check.CHANGES_PROPOSED not in gate.checks:
        return None
    from heavylift.evidence.optimize_evidence import read_optimize

    return await read_optimize(store, run)


def _of_optimize(
    gate: Gate, evidence: OptimizeEvidence, subjects: Subjects, now: datetime
) -> tuple[Gate, list[CheckOutcome]]:
    from heavylift.gates.optimize_checks import judge_changes, optimize_gate_now

    outcomes = judge_changes(evidence, subjects, timedelta(seconds=gate.max_age), now)
    return optimize_gate_now(gate, evidence), outcomes


def _digest(
    gate: Gate,
    assessed: AssessEvidence | None,
    infra: InfraSubject | None,
    proposed: OptimizeEvidence | None,
) -> str:
    if proposed is not None:
        return proposed.proposal.record.digest if proposed.proposal else ""
    if infra is not None:
        if part := part_of(gate):
            return part_digest(part, infra.evidence)
        return stage_digest(infra.evidence, infra.stage)
    return assessed.plan_digest if assessed else ""


async def _of_plan(
    store: EvidenceStore, migration: str, gate: Gate, plan: PlanDemand | None
) -> list[CheckOutcome]:
    if Check.PLAN_APPROVED not in gate.checks or plan is None:
        return []
    from heavylift.gates.plan_checks import judge_plan_approved

    return [await judge_plan_approved(store, migration, plan)]


async def _of_envelopes(
    store: EvidenceStore, migration: str, gate: Gate, envelopes: Sequence[str], now: datetime
) -> list[CheckOutcome]:
    if Check.ENVELOPES_VERIFIED not in gate.checks:
        return []
    return await judge_envelopes(store, migration, envelopes, timedelta(seconds=gate.max_age), now)


async def _of_workload(
    store: EvidenceStore, migration: str, gate: Gate, workload: WorkloadDemand | None, now: datetime
) -> list[CheckOutcome]:
    if Check.WORKLOAD_TESTS_PASSED not in gate.checks or workload is None:
        return []
    return await judge_workload(store, migration, workload, now)


async def _of_compliance(
    store: EvidenceStore, migration: str, gate: Gate, plan: PlanDemand | None, now: datetime
) -> list[CheckOutcome]:
    if Check.COMPLIANCE_CLEAN not in gate.checks or plan is None:
        return []
    from heavylift.gates.compliance_checks import judge_compliance

    return [await judge_compliance(store, migration, plan.judged, timedelta(seconds=gate.max_age), now)]


def _unjudged(gate: Gate, outcomes: list[CheckOutcome], datasets: Sequence[str]) -> list[CheckOutcome]:
    """Return a failed outcome for each check that had nothing to judge: no gate passes on nothing."""
    judged = {outcome.name for outcome in outcomes}
    missing = {
        check.value: _why_unjudged(check, datasets) for check in gate.checks if check.value not in judged
    }
    if not gate.checks:
        missing = {"checks": "the gate has no check"}
    return [
        CheckOutcome(name=name, subject=gate.name, passed=False, detail=why) for name, why in missing.items()
    ]


def _why_unjudged(check: Check, datasets: Sequence[str]) -> str:
    if check in _NOBODY_TO_JUDGE:
        return f"there is no {_NOBODY_TO_JUDGE[check]}"
    if check in INFRA_JUDGES or check in PART_CHECKS:
        return "there is no infrastructure to judge"
    if check in ASSESS_JUDGES:
        return "there is no assessment to judge"
    if check in MODEL_JUDGES and check not in JUDGES:
        return "there is no model to judge"
    if check not in JUDGES:
        return "there is no database and no stream to judge"
    if check in TABLE_CHECKS and datasets:
        return "no dataset of this migration has expectations"
    return "there is no dataset to judge"


_NOBODY_TO_JUDGE = {
    Check.CUTOVER_READY: "switch to judge",
    Check.WORKLOAD_TESTS_PASSED: "test of the workload to judge",
    Check.SOURCE_UNUSED: "source that is given up",
    Check.GRACE_OVER: "source that is given up",
    Check.CHANGES_PROPOSED: "optimisation to judge",
    Check.REGISTRIES_EQUAL: "registry to judge",
    Check.FEATURES_EQUAL: "feature store to judge",
    Check.ENVELOPES_VERIFIED: "envelope to judge",
}
