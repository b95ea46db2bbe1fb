"""What a run of the phase provision has left behind: files, scan, plans, applications.

Read by gates, summaries and reports, so that all three judge the same files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.evidence.access_records import (
    AccessRecord,
    AccessVerification,
    translation_path,
    verification_path,
)
from heavylift.evidence.endpoint_records import EndpointsRecord, endpoints_path
from heavylift.evidence.image_records import ImagesRecord, images_path
from heavylift.evidence.infra_records import (
    INFRA_FOLDER,
    PROVISION_PHASE,
    ApplicationRecord,
    DriftRecord,
    GenerationRecord,
    ScanRecord,
    StageName,
    StagePlanRecord,
    infra_path,
)
from heavylift.evidence.part_records import PARTS, PartRecord, part_path
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.secret_records import SecretsRecord, secrets_path

if TYPE_CHECKING:
    from datetime import datetime

    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.parsing import RecordT
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore

ENDPOINT_ACTS = ("plan", "apply", "verify", "plan-removal", "remove")
STAGES: tuple[StageName, StageName] = ("first", "second")
_APPLIED = re.compile(rf".*/{INFRA_FOLDER}/applied-(.+)-\d+\.json")


@dataclass(frozen=True)
class ProvisionEvidence:
    """The latest records of one run.

    :param plans: by stage; ``applied`` by root; ``parts`` what was translated, by name.
    :param endpoints: by act; what was planned, applied, verified and removed.
    :param access_seen: the target's own permissions, compared with ``access``.
    """

    run: RunKey
    generation: Kept[GenerationRecord] | None = None
    scan: Kept[ScanRecord] | None = None
    plans: Mapping[StageName, Kept[StagePlanRecord]] = field(default_factory=dict)
    applied: Mapping[str, Kept[ApplicationRecord]] = field(default_factory=dict)
    drift: Kept[DriftRecord] | None = None
    secrets: Kept[SecretsRecord] | None = None
    parts: Mapping[str, Kept[PartRecord]] = field(default_factory=dict)
    access: Kept[AccessRecord] | None = None
    access_seen: Kept[AccessVerification] | None = None
    images: Kept[ImagesRecord] | None = None
    images_verified: Kept[ImagesRecord] | None = None
    endpoints: Mapping[str, Kept[EndpointsRecord]] = field(default_factory=dict)

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from, and those that they refer to."""
        all_kept = (
            self.generation,
            self.scan,
            *self.plans.values(),
            *self.applied.values(),
            self.drift,
            self.secrets,
            *self.parts.values(),
            self.access,
            self.access_seen,
            self.images,
            self.images_verified,
            *self.endpoints.values(),
        )
        found = [kept.ref for kept in all_kept if kept]
        found += [each.ref for kept in self.parts.values() for each in kept.record.files]
        return (*found, *([self.generation.record.bundle] if self.generation else []))

    @property
    def named(self) -> tuple[str, ...]:
        """The parts that the run has left something of; infrastructure where it has nothing else."""
        others = [*(["secrets"] if self.secrets else []), *(["images"] if self.images else []), *self.parts]
        others += ["access"] if self.access and "access" not in others else []
        others += ["target_access"] if self.access_seen else []
        acts = {"plan": "endpoints", "verify": "serving", "plan-removal": "endpoints_removal"}
        others += [part for act, part in acts.items() if act in self.endpoints]
        made = self.generation or self.scan or self.plans or self.applied
        return (*(["infrastructure"] if made or not others else []), *others)

    def plan(self, stage: StageName) -> StagePlanRecord | None:
        """Return a stage's plan, if it is of the files that the run has now."""
        kept = self.plans.get(stage)
        if kept is None or self.generation is None:
            return None
        return kept.record if kept.record.files_digest == self.generation.record.digest else None

    @property
    def drifted(self) -> int:
        """How many resources were found to differ after the last application."""
        ended = [kept.record.ended_at for kept in self.applied.values()]
        if self.drift is None or any(each > self.drift.record.seen_at for each in ended):
            return 0
        return self.drift.record.found

    def is_applied(self, plan: StagePlanRecord, root: str) -> bool:
        """Tell whether what a plan says of ``root`` was done and proved, after it was planned."""
        kept, planned = self.applied.get(root), next(each for each in plan.roots if each.root == root)
        if kept is None:
            return False
        done = kept.record
        fits = (done.files_digest, done.destroy) == (plan.files_digest, plan.destroy)
        # A stage that is planned anew after its application has nothing left to do.
        of_it = done.digest == planned.digest or not planned.change_count
        return fits and of_it and done.proved


async def read_provision(store: EvidenceStore, run: RunKey) -> ProvisionEvidence:
    """Read the latest records of ``run``; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    names = [file.path async for file in store.files(f"{run.folder}/{INFRA_FOLDER}")]
    roots = sorted({match[1] for path in names if (match := _APPLIED.fullmatch(path))})
    plans = {stage: await _latest(store, run, f"plan-{stage}", StagePlanRecord) for stage in STAGES}
    applied = {root: await _latest(store, run, f"applied-{root}", ApplicationRecord) for root in roots}
    return ProvisionEvidence(
        run,
        await _latest(store, run, "generation", GenerationRecord),
        await _latest(store, run, "scan", ScanRecord),
        {stage: plan for stage, plan in plans.items() if plan},
        {root: done for root, done in applied.items() if done},
        await _latest(store, run, "drift", DriftRecord),
        await read_latest(store, lambda number: secrets_path(run, "copy", number), SecretsRecord),
        {part: kept for part in PARTS if (kept := await _part(store, run, part))},
        await read_latest(store, lambda number: translation_path(run, number), AccessRecord),
        await read_latest(store, lambda number: verification_path(run, number), AccessVerification),
        await read_latest(store, lambda number: images_path(run, "copy", number), ImagesRecord),
        await read_latest(store, lambda number: images_path(run, "verify", number), ImagesRecord),
        {act: seen for act in ENDPOINT_ACTS if (seen := await _endpoints(store, run, act))},
    )


async def latest_applied(store: EvidenceStore, migration: str) -> RunKey | None:
    """Return the newest run of a migration that has applied or destroyed something, or None.

    :raises AuditError: a record is damaged.
    """
    newest: tuple[datetime, RunKey] | None = None
    for seen in await list_runs(store, migration, PROVISION_PHASE):
        applied = (await read_provision(store, seen.key)).applied if seen.provisioned else {}
        ended = max((kept.record.ended_at for kept in applied.values()), default=None)
        if ended and (newest is None or ended > newest[0]):
            newest = ended, seen.key
    return newest[1] if newest else None


async def _endpoints(store: EvidenceStore, run: RunKey, act: str) -> Kept[EndpointsRecord] | None:
    return await read_latest(store, lambda number: endpoints_path(run, act, number), EndpointsRecord)


async def _part(store: EvidenceStore, run: RunKey, part: str) -> Kept[PartRecord] | None:
    return await read_latest(store, lambda number: part_path(run, part, number), PartRecord)


async def _latest(store: EvidenceStore, run: RunKey, kind: str, model: type[RecordT]) -> Kept[RecordT] | None:
    return await read_latest(store, lambda number: infra_path(run, kind, number), model)
