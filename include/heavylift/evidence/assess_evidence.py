"""What a run of the phase assess has left behind: inventory, graph, assessment.

Read by gates, summaries and reports, so that all three judge the same files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from heavylift.evidence.assessment_records import AssessmentRecord, assessment_path
from heavylift.evidence.baseline_records import BASELINES_FOLDER, EndpointBaseline
from heavylift.evidence.inventory_records import INVENTORY_FOLDER, GraphRecord, InventoryRecord
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.quota_records import QUOTAS_FOLDER, QuotaRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.run_evidence import Kept, read_kept, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.utilisation_records import UTILISATION_FOLDER, ComponentUse, UtilisationRecord

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.parsing import RecordT
    from heavylift.evidence.store import EvidenceStore

ASSESS_PHASE = "assess"
"""The phase that this evidence belongs to."""

_CONNECTION = rf"/{INVENTORY_FOLDER}/[^/]+"


@dataclass(frozen=True)
class AssessEvidence:
    """The latest records of one run.

    :param inventory: the source's; ``others`` are those of the servers, stores and accounts beside it.
    """

    run: RunKey
    inventory: Kept[InventoryRecord] | None = None
    graph: Kept[GraphRecord] | None = None
    assessment: Kept[AssessmentRecord] | None = None
    others: tuple[Kept[InventoryRecord], ...] = ()
    baselines: tuple[Kept[EndpointBaseline], ...] = ()
    utilisation: tuple[Kept[UtilisationRecord], ...] = ()
    quotas: tuple[Kept[QuotaRecord], ...] = ()

    @property
    def inventories(self) -> tuple[Kept[InventoryRecord], ...]:
        """The source's inventory, then all others."""
        return (*([self.inventory] if self.inventory else []), *self.others)

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from, and those that they refer to."""
        kept_all = (
            *self.inventories,
            self.graph,
            self.assessment,
            *self.baselines,
            *self.utilisation,
            *self.quotas,
        )
        found = [kept.ref for kept in kept_all if kept]
        found += [each.file for use in self.utilisation for each in use.record.components]
        for kept in self.inventories:
            found += [kept.record.components, kept.record.references]
        if self.graph:
            record = self.graph.record
            found += [record.edge_rows, record.outside_rows, record.picture]
        if self.assessment:
            found += [self.assessment.record.input, self.assessment.record.plan]
        return tuple(dict.fromkeys(found))

    @property
    def plan_digest(self) -> str:
        """The digest of the run's plan; empty where it has none."""
        return self.assessment.record.plan_digest if self.assessment else ""

    @property
    def staleness(self) -> str:
        """Why the assessment is not of what the run has now; empty where it is."""
        if self.assessment is None or self.inventory is None or self.graph is None:
            return ""
        planned = {self.assessment.record.inventory, *self.assessment.record.also}
        if any(kept.ref not in planned for kept in self.inventories):
            return "an inventory was taken after the plan was made"
        if any(kept.ref not in self.assessment.record.quotas for kept in self.quotas):
            return "quotas were read after the plan was made"
        if self.assessment.record.graph != self.graph.ref:
            return "a graph was made after the plan"
        return ""


async def read_assess(store: EvidenceStore, run: RunKey) -> AssessEvidence:
    """Read the latest records of ``run``; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    assessment = await read_latest(store, lambda n: assessment_path(run, n), AssessmentRecord)
    graph = await _newest(store, run.folder, "", "graph", GraphRecord)
    newest: dict[str, Kept[InventoryRecord]] = {}
    for folder, path in sorted((await _newest_paths(store, run.folder, "", "inventory")).items()):
        kept = await read_kept(store, path, InventoryRecord)
        if kept is not None:
            newest[folder] = kept
    # The source's is the one beside which the graph lies; before there is a graph, the one begun first.
    began = sorted(newest, key=lambda folder: newest[folder].record.began_at)
    own = graph.ref.path.rpartition("/")[0] if graph else next(iter(began), "")
    others = tuple(kept for folder, kept in newest.items() if folder != own)
    baselines, utilisation = await _baselines(store, run), await _utilisation(store, run)
    quotas = await read_quota_records(store, run)
    return AssessEvidence(run, newest.get(own), graph, assessment, others, baselines, utilisation, quotas)


async def _baselines(store: EvidenceStore, run: RunKey) -> tuple[Kept[EndpointBaseline], ...]:
    """Return the newest baseline of each endpoint of a run."""
    pattern = re.compile(rf"(.*/{BASELINES_FOLDER}/[^/]+)/endpoint-baseline-(\d+)\.json")
    paths = await _newest_matching(store, run.folder, pattern)
    found = [await read_kept(store, paths[folder], EndpointBaseline) for folder in sorted(paths)]
    return tuple(kept for kept in found if kept is not None)


async def _utilisation(store: EvidenceStore, run: RunKey) -> tuple[Kept[UtilisationRecord], ...]:
    """Return the newest utilisation of each connection of a run."""
    pattern = re.compile(rf"(.*/{UTILISATION_FOLDER}/[^/]+)/utilisation-(\d+)\.json")
    paths = await _newest_matching(store, run.folder, pattern)
    found = [await read_kept(store, paths[folder], UtilisationRecord) for folder in sorted(paths)]
    return tuple(kept for kept in found if kept is not None)


async def read_quota_records(store: EvidenceStore, run: RunKey) -> tuple[Kept[QuotaRecord], ...]:
    """Return the newest quotas of each connection and region of a run."""
    pattern = re.compile(rf"(.*/{QUOTAS_FOLDER}/[^/]+/[^/]+)/quotas-(\d+)\.json")
    paths = await _newest_matching(store, run.folder, pattern)
    found = [await read_kept(store, paths[folder], QuotaRecord) for folder in sorted(paths)]
    return tuple(kept for kept in found if kept is not None)


async def latest_inventory(
    store: EvidenceStore, migration: str, connection: str, run: RunKey | None = None
) -> tuple[str, InventoryRecord] | None:
    """Return the path and record of the newest finished inventory of a connection, or None.

    :param run: only this run's.
    """
    folder = run.folder if run else f"{migration}/{ASSESS_PHASE}"
    kept = await _newest(store, folder, connection, "inventory", InventoryRecord)
    return (kept.ref.path, kept.record) if kept else None


async def latest_graph(
    store: EvidenceStore, migration: str, connection: str, run: RunKey | None = None
) -> Kept[GraphRecord] | None:
    """Return the newest graph of a connection, or None; ``run`` as in :func:`latest_inventory`."""
    folder = run.folder if run else f"{migration}/{ASSESS_PHASE}"
    return await _newest(store, folder, connection, "graph", GraphRecord)


async def latest_assessment(
    store: EvidenceStore, migration: str, run: RunKey | None = None
) -> Kept[AssessmentRecord] | None:
    """Return the newest assessment of a migration, or None; with ``run`` only that run's."""
    if run is not None:
        return await read_latest(store, lambda n: assessment_path(run, n), AssessmentRecord)
    newest: Kept[AssessmentRecord] | None = None
    for seen in await list_runs(store, migration, ASSESS_PHASE):
        kept = await read_latest(store, partial(assessment_path, seen.key), AssessmentRecord)
        if kept and (newest is None or kept.record.made_at >= newest.record.made_at):
            newest = kept
    return newest


async def latest_use(store: EvidenceStore, migration: str, component: str) -> ComponentUse | None:
    """Return what the newest record that knows it tells of a component's use, or None."""
    pattern = re.compile(rf"(.*/{UTILISATION_FOLDER}/[^/]+)/utilisation-(\d+)\.json")
    paths = await _newest_matching(store, f"{migration}/{ASSESS_PHASE}", pattern)
    for path in reversed(paths.values()):
        kept = await read_kept(store, path, UtilisationRecord)
        for each in kept.record.components if kept else ():
            if each.component == component:
                return each
    return None


async def _newest(
    store: EvidenceStore, folder: str, connection: str, kind: str, model: type[RecordT]
) -> Kept[RecordT] | None:
    paths = await _newest_paths(store, folder, connection, kind)
    # The last of the folders is that of the newest file.
    return await read_kept(store, [*paths.values()][-1], model) if paths else None


async def _newest_paths(store: EvidenceStore, folder: str, connection: str, kind: str) -> dict[str, str]:
    place = f"/{INVENTORY_FOLDER}/{re.escape(safe_segment(connection))}" if connection else _CONNECTION
    return await _newest_matching(store, folder, re.compile(rf"(.*{place})/{kind}-(\d+)\.json"))


async def _newest_matching(store: EvidenceStore, folder: str, pattern: re.Pattern[str]) -> dict[str, str]:
    """Return the newest file in each folder, the newest of all last; a pattern has folder and number."""
    found = [
        (file.modified_at, int(match[2]), match[1], file.path)
        async for file in store.files(folder)
        if (match := pattern.fullmatch(file.path))
    ]
    newest: dict[str, str] = {}
    for _, _, where, path in sorted(found):
        newest.pop(where, None)
        newest[where] = path
    return newest
