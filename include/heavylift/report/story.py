"""Collects all that a report tells about one run from the evidence store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from heavylift.errors import AuditError
from heavylift.evidence.assess_evidence import AssessEvidence, read_assess
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import AuditEntry
from heavylift.evidence.database_evidence import DatabaseEvidence, read_database
from heavylift.evidence.decommission_evidence import LeavingEvidence, read_leaving
from heavylift.evidence.feature_evidence import FeatureEvidence, read_feature_store
from heavylift.evidence.infra_evidence import ProvisionEvidence, read_provision
from heavylift.evidence.model_evidence import ModelEvidence, read_model_evidence
from heavylift.evidence.optimize_evidence import OptimizeEvidence, read_optimize
from heavylift.evidence.paths import dataset_of_folder, gate_path, summary_path
from heavylift.evidence.records import Approval, EvidenceRef, GateResult, PhaseSummary, RunKey, utc_now
from heavylift.evidence.registry_evidence import RegistryEvidence, read_registry
from heavylift.evidence.run_evidence import DatasetEvidence, Kept, read_all, read_dataset, read_latest
from heavylift.evidence.runs import SeenRun, list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_evidence import StreamEvidence, read_stream_evidence
from heavylift.evidence.switch_evidence import SwitchEvidence, read_switch
from heavylift.evidence.workload_records import KINDS, WorkloadTestRecord, latest_test
from heavylift.gates.approval import gate_standing, read_approvals
from heavylift.report.beside import Told, read_beside

_STARTED = "run.started"
DECOMMISSION, CUTOVER = "decommission", "cutover"
MOST_ENTRIES = 2_000
"""How far back in the audit trail the acts of a run are looked for."""


@dataclass(frozen=True)
class GateStory:
    """All evaluations of one gate in a run and all answers to it.

    :param standing: why it is open or not, in words.
    """

    name: str
    results: tuple[Kept[GateResult], ...]
    approvals: tuple[Kept[Approval], ...]
    is_open: bool
    standing: str


@dataclass(frozen=True)
class TrailStory:
    """What the audit trail says of a run.

    :param length: number of entries of the whole trail.
    :param acts: the run's entries among the last ones, oldest first.
    :param problem: what is wrong with the end of the trail; empty where nothing is.
    """

    head: str = ""
    length: int = 0
    acts: tuple[AuditEntry, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class RunStory:
    """One run, told by its evidence.

    :param summary: the run's last word; None while it has none.
    :param others: the migration's other runs, the latest first.
    :param beside: what has no section of its own, each in a line.
    """

    run: RunKey
    title: str
    evidence_url: str
    made_at: datetime
    summary: PhaseSummary | None
    datasets: tuple[DatasetEvidence, ...]
    gates: tuple[GateStory, ...]
    trail: TrailStory
    others: tuple[tuple[SeenRun, PhaseSummary | None], ...]
    databases: tuple[DatabaseEvidence, ...] = ()
    streams: tuple[StreamEvidence, ...] = ()
    registries: tuple[RegistryEvidence, ...] = ()
    feature_stores: tuple[FeatureEvidence, ...] = ()
    models: tuple[ModelEvidence, ...] = ()
    assess: AssessEvidence | None = None
    provision: ProvisionEvidence | None = None
    switch: SwitchEvidence | None = None
    optimize: OptimizeEvidence | None = None
    leaving: LeavingEvidence | None = None
    workload: tuple[Kept[WorkloadTestRecord], ...] = ()
    beside: tuple[tuple[Told, EvidenceRef], ...] = ()

    @property
    def has_objects(self) -> bool:
        """Tell whether the run is about objects: it has datasets, or nothing at all."""
        looked = self.assess or self.provision or self.switch or self.optimize or self.leaving
        others = self.databases or self.streams or self.registries or self.feature_stores or self.models
        return bool(self.datasets) or not (others or looked or self.beside)

    @property
    def was_dry(self) -> bool:
        """Tell whether the run was started as a dry run."""
        return self._was_started("dry_run")

    @property
    def was_rehearsal(self) -> bool:
        """Tell whether the run was started as a rehearsal."""
        return self._was_started("rehearse")

    def _was_started(self, option: str) -> bool:
        started = [act for act in self.trail.acts if act.action == _STARTED]
        return bool(started and started[-1].details.get(option))


async def read_story(
    store: EvidenceStore,
    run: RunKey,
    summary: PhaseSummary | None = None,
    *,
    runs: Sequence[SeenRun] | None = None,
    others: int = 20,
) -> RunStory:
    """Return the story of ``run``; changes nothing.

    :param summary: the run's last word where it is not stored yet.
    :param runs: the migration's runs, where they are already known.
    :param others: how many other runs to tell of.
    :raises AuditError: a record of the run is damaged.
    """
    known = await list_runs(store, run.migration) if runs is None else runs
    seen = {each.key: each for each in known}
    this = seen.pop(run, None)
    last_word = summary or await _summary(store, run)
    names = _names(last_word.datasets if last_word else (), this.datasets if this else ())
    databases, streams, registries, feature_stores, models, gates = (
        dict.fromkeys([*getattr(last_word, sort, ()), *getattr(this, sort, ())])
        for sort in ("databases", "streams", "registries", "feature_stores", "models", "gates")
    )
    if this and this.switched:
        # Drains and comparisons are steps of the switch: its own record says what they proved.
        databases = {}
    latest = list(reversed(seen.values()))[:others]
    return RunStory(
        run=run,
        title=this.title if this else run.run,
        evidence_url=store.url,
        made_at=utc_now(),
        summary=last_word,
        datasets=tuple([await read_dataset(store, run, name) for name in names]),
        gates=tuple([await _gate(store, run, name) for name in gates]),
        trail=await _trail(store, run),
        others=tuple([(each, await _summary(store, each.key)) for each in latest]),
        databases=tuple([await read_database(store, run, name) for name in databases]),
        streams=tuple([await read_stream_evidence(store, run, name) for name in streams]),
        registries=tuple([await read_registry(store, run, name) for name in registries]),
        feature_stores=tuple([await read_feature_store(store, run, name) for name in feature_stores]),
        assess=await read_assess(store, run) if this and this.assessed else None,
        provision=await read_provision(store, run) if this and this.provisioned else None,
        optimize=await read_optimize(store, run) if this and this.optimized else None,
        switch=await read_switch(store, run) if this and this.switched else None,
        leaving=await read_leaving(store, run) if run.phase == DECOMMISSION else None,
        workload=await _workload(store, run) if run.phase == CUTOVER else (),
        models=tuple([await read_model_evidence(store, run, *each) for each in models]),
        beside=await read_beside(store, run, names),
    )


def _names(declared: tuple[str, ...], folders: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys([*declared, *(dataset_of_folder(folder) for folder in folders)]))


async def _summary(store: EvidenceStore, run: RunKey) -> PhaseSummary | None:
    kept = await read_latest(store, lambda number: summary_path(run, number), PhaseSummary)
    return kept.record if kept else None


async def _gate(store: EvidenceStore, run: RunKey, name: str) -> GateStory:
    is_open, why = await gate_standing(store, run, name)
    results = await read_all(store, lambda number: gate_path(run, name, number), GateResult)
    return GateStory(name, tuple(results), tuple(await read_approvals(store, run, name)), is_open, why)


async def _trail(store: EvidenceStore, run: RunKey) -> TrailStory:
    """Read the end of the trail; damage there is told in the report, not raised."""
    head, length, acts = "", 0, list[AuditEntry]()
    try:
        async for entry in AuditTrail(store, run.migration).entries_backwards():
            head, length = head or entry.hash, length or entry.seq
            if (entry.phase, entry.run) == (run.phase, run.run):
                acts.append(entry)
            if entry.seq <= length - MOST_ENTRIES:
                break
    except AuditError as error:
        return TrailStory(head, length, tuple(reversed(acts)), str(error))
    return TrailStory(head, length, tuple(reversed(acts)))


async def _workload(store: EvidenceStore, run: RunKey) -> tuple[Kept[WorkloadTestRecord], ...]:
    """Return the newest test of each kind of the migration's workload, as far as there is one."""
    found = [await latest_test(store, run.migration, kind) for kind in KINDS]
    return tuple(kept for kept in found if kept is not None)
