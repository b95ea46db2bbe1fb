"""Moves what claims hold: a Job on the source for each, its proof, then a Job on the target, and its proof.

All state is the clusters' and the bucket's own, so that each call goes on where the last one was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap, PartProblem
from heavylift.evidence.run_evidence import read_dataset
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.manifests.volume_jobs import ClusterJobs, JobState
from heavylift.manifests.volumes import (
    EVIDENCE,
    Claim,
    VolumeAsk,
    as_text,
    claims_of,
    demand_fit,
    job_of,
    migration_of,
    place_of,
)
from heavylift.spec.beside import all_beside, demand_beside

if TYPE_CHECKING:
    from heavylift.evidence.records import VerificationRecord
    from heavylift.spec.sections_parts import Manifests, VolumeMoves

_PHASE = "transfer"


@dataclass(frozen=True)
class VolumesRequest:
    """The claims of a spec's manifests, and how they move.

    :param look_up: connection id → connection.
    """

    spec_path: str
    migration: str
    manifests: Manifests
    section: VolumeMoves
    look_up: Callable[[str], Connection]

    @property
    def asks(self) -> tuple[VolumeAsk, VolumeAsk]:
        """What Jobs are made of: those of the source, and those of the target."""
        s = self.section
        source = VolumeAsk(s.bucket, s.image, s.secret_name, s.user, self.migration)
        return source, VolumeAsk(s.bucket, s.target_image or s.image, s.secret_name, s.user, self.migration)


@dataclass
class Moved:
    """How far the move has come.

    :param running: Jobs under way, as ``side namespace/name``.
    """

    made: Made
    claims: list[Claim]
    running: list[str] = field(default_factory=list)


def written_volumes(request: VolumesRequest) -> Moved:
    """Return the Jobs of every claim as files; reaches no cluster.

    :raises SpecError: a manifest cannot be read, or what was asked for cannot be put into a Job.
    """
    section = request.manifests
    paths = all_beside(request.spec_path, section.files)
    source, target = request.asks
    for each in (source, target):
        demand_fit(each)
    made = Made("volumes", section.source.value, section.target.value)
    for path in paths:
        demand_beside(request.spec_path, path)
    claims = claims_of(paths)
    gaps = [
        PartGap(
            subject=f"{each.namespace}/{each.name}",
            what=each.refused,
            remedy="move it by other means, and accept it",
        )
        for each in claims
        if each.refused
    ]
    accepted = [Accepted(each.subject, each.reason) for each in section.accept_untranslated]
    # Acceptances that meet nothing here are those of the manifests themselves, which tell of them.
    made.gaps, _ = judge_gaps(gaps, accepted)
    for claim in _fit(claims):
        file = f"{claim.namespace}.{claim.name}.yaml"
        made.files[f"source/{file}"] = as_text(job_of(claim, source, restores=False))
        made.files[f"target/{file}"] = as_text(job_of(claim, target, restores=True))
    made.counts = {"claims": len(_fit(claims)), "copied": 0, "restored": 0, "objects": 0}
    return Moved(made, _fit(claims))


async def move_volumes(request: VolumesRequest) -> Moved:
    """Make what Jobs are due, look at all, and return how far the move has come.

    A claim's Job on the target is made once its copy in the bucket is proved by the evidence that lies
    there: every object of the volume, equal by its checksum. A Job that failed is told and never made anew
    by itself: it has had its tries.

    Idempotency: a Job has the same name and content in every run; one that is there is looked at.

    :raises CredentialError: a cluster or the bucket refuses the connection.
    :raises PreconditionError: a Job of such a name has another content.
    :raises SpecError: as :func:`written_volumes`.
    """
    moved = written_volumes(request)
    section = request.section
    source = ClusterJobs(request.look_up(section.source_connection or ""), "source")
    target = ClusterJobs(request.look_up(section.target_connection or ""), "target")
    bucket = request.look_up(section.connection or "")
    moved.made.loader = "the evidence of both copies"
    try:
        async with open_evidence(f"{section.bucket.rstrip('/')}/{EVIDENCE}", bucket) as store:
            for claim in moved.claims:
                mover = _Mover(moved, claim, store)
                if await mover.step(source, request.asks[0], restores=False):
                    await mover.step(target, request.asks[1], restores=True)
    finally:
        await source.close()
        await target.close()
    return moved


class _Mover:
    """Moves one claim."""

    def __init__(self, moved: Moved, claim: Claim, store: EvidenceStore) -> None:
        self._moved, self._claim, self._store = moved, claim, store

    async def step(self, cluster: ClusterJobs, asked: VolumeAsk, *, restores: bool) -> bool:
        """Bring one of both copies on its way, and tell whether it is proved."""
        job = job_of(self._claim, asked, restores=restores)
        side = "target" if restores else "source"
        seen = await cluster.look(job)
        if seen.state is JobState.MISSING:
            try:
                seen = await cluster.start(job, self._claim)
            except NotFoundError as error:
                self._against(side, f"[HL-{error.code}] {error.got}: {error.remedy}")
                return False
        if seen.state is JobState.RUNNING:
            self._moved.running.append(f"{side} {seen.namespace}/{seen.name}")
            return False
        if seen.state is JobState.FAILED:
            self._against(side, f"the Job {seen.name} failed: {seen.why}")
            return False
        proof = await self._proof(asked, restores=restores)
        if proof is None or not proof.passed:
            what = "says that it is not complete" if proof else "is missing"
            self._against(side, f"the Job {seen.name} is complete, but its proof in the bucket {what}")
            return False
        made = self._moved.made
        made.valid += 1
        made.counts["restored" if restores else "copied"] += 1
        made.counts["objects"] += proof.equal.objects if restores else 0
        return True

    async def _proof(self, asked: VolumeAsk, *, restores: bool) -> VerificationRecord | None:
        """Return the newest verification of exactly this copy."""
        place = place_of(self._claim, asked)
        newest: VerificationRecord | None = None
        migration = migration_of(self._claim, asked)
        for run in await list_runs(self._store, migration, _PHASE):
            for dataset in run.datasets:
                kept = (await read_dataset(self._store, run.key, dataset)).verification
                if kept is None or not _is_of(kept.record, place, restores=restores):
                    continue
                if newest is None or kept.record.verified_at >= newest.verified_at:
                    newest = kept.record
        return newest

    def _against(self, side: str, problem: str) -> None:
        made = self._moved.made
        made.invalid += 1
        name = f"{side}/{self._claim.namespace}.{self._claim.name}.yaml"
        made.problems.append(PartProblem(file=name, problem=problem))


def _is_of(record: VerificationRecord, place: str, *, restores: bool) -> bool:
    """Tell whether a proof is of the copy between a claim's place and the volume that its Job mounts."""
    bucket, volume = record.source_url, record.target_url
    if not restores:
        bucket, volume = volume, bucket
    return bucket.rstrip("/") == place.rstrip("/") and volume.startswith("file://")


def _fit(claims: list[Claim]) -> list[Claim]:
    return [each for each in claims if not each.refused]
