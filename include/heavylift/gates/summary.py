"""The last word on a run: what became of every object, and whether the phase's own proof passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import summary_path
from heavylift.evidence.records import EvidenceRef, PhaseSummary, RunKey
from heavylift.evidence.run_evidence import Counts, DatasetEvidence, counts_of, read_dataset
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import counted, differ, enumeration

if TYPE_CHECKING:
    from heavylift.evidence.assess_evidence import AssessEvidence
    from heavylift.evidence.database_evidence import DatabaseEvidence
    from heavylift.evidence.feature_evidence import FeatureEvidence
    from heavylift.evidence.infra_evidence import ProvisionEvidence
    from heavylift.evidence.model_evidence import ModelEvidence, ModelVersions
    from heavylift.evidence.optimize_evidence import OptimizeEvidence
    from heavylift.evidence.registry_evidence import RegistryEvidence
    from heavylift.evidence.stream_evidence import StreamEvidence
    from heavylift.evidence.switch_evidence import SwitchEvidence
    from heavylift.evidence.switch_records import SideName
    from heavylift.gates.optimize_checks import Subjects
    from heavylift.spec.gates import Gate


async def summarise(
    store: EvidenceStore,
    run: RunKey,
    datasets: Sequence[str],
    gates: Sequence[Gate],
    databases: Sequence[str] = (),
    streams: Sequence[str] = (),
    registries: Sequence[str] = (),
    models: ModelVersions = (),
    assessment: bool = False,
    feature_stores: Sequence[str] = (),
    provision: bool = False,
    provides: Sequence[str] = (),
    switched_to: SideName | None = None,
    optimized: Subjects | None = None,
    given_up: bool = False,
) -> PhaseSummary:
    """Return the summary of ``run``; writes nothing.

    Passed only if the latest verification of every dataset, database, stream and registry passed and is
    younger than the last write to the target, no shard is unfinished, every model was checked and
    agrees, all infrastructure is applied and proved, the parts ``provides`` are made, everything was
    switched to the side ``switched_to``, all of ``optimized`` was judged and proposed, a source that is
    ``given_up`` is certified to be deleted, and every gate is open. With none of them it does not pass.

    :raises AuditError: a record of the run is damaged.
    """
    evidence = [await read_dataset(store, run, name) for name in datasets]
    reasons = [reason for each in evidence for reason in _reasons(each)]
    reasons += await _of_databases(store, run, databases) if databases else []
    reasons += await _of_streams(store, run, streams) if streams else []
    reasons += await _of_registries(store, run, registries) if registries else []
    reasons += await _of_feature_stores(store, run, feature_stores) if feature_stores else []
    versions = tuple(models)
    reasons += await _of_models(store, run, versions) if versions else []
    assessed = await _assessed(store, run) if assessment else None
    reasons += assess_reasons(assessed) if assessed else []
    provided = await _provided(store, run) if provision else None
    if provided:
        from heavylift.gates.infra_checks import gates_now, provision_reasons

        reasons += provision_reasons(provided, provides)
        gates = gates_now(gates, provided)
        reasons += await _outdated(store, provided, gates)
    if switched_to:
        from heavylift.gates.switch_checks import switch_reasons

        reasons += switch_reasons(await _switch(store, run), switched_to)
    proposed = await _proposed(store, run) if optimized is not None else None
    if proposed is not None:
        from heavylift.gates.optimize_checks import optimize_gate_now, optimize_reasons

        reasons += optimize_reasons(proposed, optimized or ())
        gates = [optimize_gate_now(gate, proposed) for gate in gates]
    reasons += await _given_up(store, run) if given_up else []
    reasons += [reason for gate in gates for reason in await _closed(store, run, gate)]
    if not (
        datasets
        or databases
        or streams
        or registries
        or feature_stores
        or versions
        or assessment
        or provision
        or switched_to
        or optimized
        or given_up
    ):
        reasons.append("the run has no dataset, no database, no stream, no registry and no model")
    counts = sum((counts_of(each) for each in evidence), Counts())
    return PhaseSummary(
        run=run,
        passed=not reasons,
        reasons=tuple(reasons),
        datasets=tuple(datasets),
        databases=tuple(databases),
        streams=tuple(streams),
        registries=tuple(registries),
        feature_stores=tuple(feature_stores),
        models=versions,
        provides=tuple(provides),
        plan_digest=_plan_digest(assessed, provided, proposed),
        gates=tuple(gate.name for gate in gates),
        roots={each.dataset: each.verification.record.root for each in evidence if each.verification},
        audit_head=await AuditTrail(store, run.migration).head(),
        **{name: getattr(counts, name) for name in Counts.model_fields},
    )


async def write_summary(store: EvidenceStore, summary: PhaseSummary, *, dry_run: bool = False) -> EvidenceRef:
    """Keep ``summary`` as evidence under the run's next free number.

    :param dry_run: the run was to look only, and has looked at everything.
    """
    summary = summary.model_copy(update={"dry_run": dry_run})
    _number, ref = await write_next(store, lambda number: summary_path(summary.run, number), summary)
    return ref


async def _closed(store: EvidenceStore, run: RunKey, gate: Gate) -> list[str]:
    """Return why ``gate`` is not open, if it is not."""
    from heavylift.gates.approval import gate_is_open

    is_open, why = await gate_is_open(store, run, gate)
    return [] if is_open else [why]


async def _outdated(store: EvidenceStore, provided: ProvisionEvidence, gates: Sequence[Gate]) -> list[str]:
    """Return which gates were asked about another translation than the run has now."""
    from heavylift.gates.evaluate import latest_gate_result
    from heavylift.gates.part_checks import part_digest
    from heavylift.spec.provision_parts import Part, part_of

    reasons = []
    for gate in gates:
        part = part_of(gate)
        if part is None or part is Part.SECRETS:
            continue
        kept = await latest_gate_result(store, provided.run, gate.name)
        if kept and kept.record.plan_digest != part_digest(part, provided):
            reasons.append(f"gate {gate.name} was asked about an older translation: evaluate it again")
    return reasons


def _reasons(evidence: DatasetEvidence) -> list[str]:
    """Return why a dataset of the run does not count as moved."""
    name = evidence.dataset
    reasons: list[str] = []
    if evidence.plan is None:
        reasons.append(f"{name}: there is no plan")
    elif evidence.plan.record.dry_run:
        return [f"{name}: this was a dry run, nothing was moved"]
    unfinished = evidence.unfinished_shards
    if unfinished:
        reasons.append(f"{name}: {counted(len(unfinished), 'shard')} unfinished ({enumeration(unfinished)})")
    if not evidence.deletes_done:
        reasons.append(f"{name}: what has gone from the source has not been dealt with on the target")
    if evidence.verification is None:
        reasons.append(f"{name}: it was not verified")
    elif not evidence.verification.record.passed:
        reasons.append(f"{name}: its verification failed ({_differences(evidence)})")
    elif evidence.precedes_last_copy(evidence.verification.record.verified_at):
        reasons.append(f"{name}: objects were copied after its verification")
    return reasons


# What reads a kind of evidence is imported where there is some: it takes a command of objects a tenth of
# a second otherwise.


async def _of_databases(store: EvidenceStore, run: RunKey, names: Sequence[str]) -> list[str]:
    from heavylift.evidence.database_evidence import read_database

    return [reason for name in names for reason in database_reasons(await read_database(store, run, name))]


async def _of_models(store: EvidenceStore, run: RunKey, versions: ModelVersions) -> list[str]:
    from heavylift.evidence.model_evidence import read_model_evidence

    return [
        reason
        for name, version in versions
        for reason in model_reasons(await read_model_evidence(store, run, name, version))
    ]


async def _assessed(store: EvidenceStore, run: RunKey) -> AssessEvidence:
    from heavylift.evidence.assess_evidence import read_assess

    return await read_assess(store, run)


async def _provided(store: EvidenceStore, run: RunKey) -> ProvisionEvidence:
    from heavylift.evidence.infra_evidence import read_provision

    return await read_provision(store, run)


async def _proposed(store: EvidenceStore, run: RunKey) -> OptimizeEvidence:
    from heavylift.evidence.optimize_evidence import read_optimize

    return await read_optimize(store, run)


def _plan_digest(
    assessed: AssessEvidence | None, provided: ProvisionEvidence | None, proposed: OptimizeEvidence | None
) -> str:
    if proposed is not None:
        return proposed.proposal.record.digest if proposed.proposal else ""
    if provided is not None:
        return provided.generation.record.plan_digest if provided.generation else ""
    return assessed.plan_digest if assessed else ""


async def _of_streams(store: EvidenceStore, run: RunKey, names: Sequence[str]) -> list[str]:
    from heavylift.evidence.stream_evidence import read_stream_evidence

    return [
        reason for name in names for reason in stream_reasons(await read_stream_evidence(store, run, name))
    ]


async def _of_registries(store: EvidenceStore, run: RunKey, names: Sequence[str]) -> list[str]:
    from heavylift.evidence.registry_evidence import read_registry

    return [reason for name in names for reason in registry_reasons(await read_registry(store, run, name))]


async def _of_feature_stores(store: EvidenceStore, run: RunKey, names: Sequence[str]) -> list[str]:
    from heavylift.evidence.feature_evidence import read_feature_store

    return [
        reason for name in names for reason in feature_reasons(await read_feature_store(store, run, name))
    ]


def database_reasons(evidence: DatabaseEvidence) -> list[str]:
    """Return why a database of the run does not count as moved."""
    name = evidence.database
    reasons: list[str] = []
    if evidence.preflight and not evidence.preflight.record.passed:
        reasons.append(f"{name}: its preflight found what stands in the way")
    if not evidence.is_moved:
        reasons.append(f"{name}: there is neither a complete snapshot nor a sync")
    if evidence.verification is None:
        reasons.append(f"{name}: it was not verified")
    elif not evidence.verification.record.passed:
        wrong = differ(evidence.verification.record.difference_count, "row")
        reasons.append(f"{name}: its verification failed ({wrong})")
    elif evidence.is_stale:
        reasons.append(f"{name}: changes were applied after its verification")
    return reasons


def stream_reasons(evidence: StreamEvidence) -> list[str]:
    """Return why a stream of the run does not count as mirrored."""
    name = evidence.stream
    reasons: list[str] = []
    if evidence.mirror is None:
        reasons.append(f"{name}: it was not mirrored")
    elif not evidence.mirror.record.complete:
        reasons.append(f"{name}: its mirror did not come to the end")
    if evidence.verification is None:
        reasons.append(f"{name}: it was not verified")
    elif not evidence.verification.record.passed:
        found = evidence.verification.record
        wrong = differ(found.missing + found.different + found.extra, "record")
        reasons.append(f"{name}: its verification failed ({wrong})")
    elif evidence.is_stale:
        reasons.append(f"{name}: records were mirrored after its verification")
    return reasons


def registry_reasons(evidence: RegistryEvidence) -> list[str]:
    """Return why a registry of the run does not count as moved."""
    return _unmoved(evidence.registry, evidence, _wrong_things(evidence))


def feature_reasons(evidence: FeatureEvidence) -> list[str]:
    """Return why a feature store of the run does not count as moved."""
    record = evidence.verification.record if evidence.verification else None
    wrong = differ(record.difference_count, "thing") if record and record.difference_count else ""
    return _unmoved(evidence.store, evidence, wrong or "nothing was compared")


def _unmoved(name: str, evidence: RegistryEvidence | FeatureEvidence, wrong: str) -> list[str]:
    reasons: list[str] = []
    if evidence.preflight and not evidence.preflight.record.passed:
        reasons.append(f"{name}: its preflight found what stands in the way")
    if not evidence.moves:
        reasons.append(f"{name}: there is neither a copy nor a sync")
    if evidence.verification is None:
        reasons.append(f"{name}: it was not verified")
    elif not evidence.verification.record.passed:
        reasons.append(f"{name}: its verification failed ({wrong})")
    elif evidence.is_stale:
        reasons.append(f"{name}: rows were written after its verification")
    return reasons


def _wrong_things(evidence: RegistryEvidence) -> str:
    record = evidence.verification.record if evidence.verification else None
    if record is None:
        return ""
    if record.difference_count:
        return differ(record.difference_count, "thing")
    unequal = [each.table for each in record.tables if not each.equal]
    return f"the databases differ in {enumeration(unequal, 3)}" if unequal else "nothing was compared"


def model_reasons(evidence: ModelEvidence) -> list[str]:
    """Return why a version of a model in the run does not count as proved."""
    name = evidence.name
    reasons: list[str] = []
    if evidence.check is not None and not evidence.check.record.passed:
        reasons.append(f"{name}: {evidence.check.record.statement}")
    if evidence.comparison is None:
        reasons.append(f"{name}: it was not compared")
    elif not evidence.comparison.record.passed:
        reasons.append(f"{name}: {evidence.comparison.record.statement}")
    if evidence.is_of_other_bytes:
        reasons.append(f"{name}: what was compared is not what was checked")
    return reasons


def assess_reasons(evidence: AssessEvidence) -> list[str]:
    """Return why an assessment does not count as made."""
    missing = [
        what
        for what, kept in (
            ("inventory", evidence.inventory),
            ("graph", evidence.graph),
            ("plan", evidence.assessment),
        )
        if kept is None
    ]
    return [f"there is no {what}" for what in missing] + [why for why in [evidence.staleness] if why]


def _differences(evidence: DatasetEvidence) -> str:
    record = evidence.verification.record if evidence.verification else None
    if record is None:
        return ""
    counts = (
        (record.missing, "missing"),
        (record.different, "different"),
        (record.unverifiable, "unverifiable"),
        (record.attributes_differ, "with other attributes"),
    )
    return ", ".join(f"{number:,} {what}" for number, what in counts if number)


async def _given_up(store: EvidenceStore, run: RunKey) -> list[str]:
    from heavylift.evidence.decommission_evidence import read_leaving
    from heavylift.gates.leaving_checks import leaving_reasons

    return leaving_reasons(await read_leaving(store, run))


async def _switch(store: EvidenceStore, run: RunKey) -> SwitchEvidence:
    from heavylift.evidence.switch_evidence import read_switch

    return await read_switch(store, run)
