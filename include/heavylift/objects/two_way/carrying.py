"""Carrying one object's change to the other side; whatever has to give way is put aside first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from heavylift.evidence.store import EvidenceStore
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier
from heavylift.objects.copy_object import copy_object
from heavylift.objects.hours import Hours
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.objects.progress import Meter
from heavylift.objects.quarantine import copier_within, copy_within, quarantine_prefix
from heavylift.objects.requests import TransferRequest
from heavylift.objects.two_way.naming import conflict_name
from heavylift.objects.two_way.ways import DELETE_SOURCE, DELETE_TARGET, TO_SOURCE, TO_TARGET, Way
from heavylift.platforms.deleting import delete_version
from heavylift.platforms.ports import ObjectStore
from heavylift.spec.classes import StorageClasses


@dataclass(frozen=True)
class Carried:
    """What was done about one object.

    :param pairs: keys that are now equal on both sides, each with both versions; as a manifest tells it.
    :param kept: where the version lies that gave way; empty where none had to.
    """

    pairs: tuple[ManifestRow, ...] = ()
    kept: str = ""


class Carrier:
    """Carries changes between two open stores.

    :param aside: the folder of the quarantines, this attempt's own.
    """

    def __init__(
        self,
        request: TransferRequest,
        evidence: EvidenceStore,
        source: ObjectStore,
        target: ObjectStore,
        meter: Meter,
        hours: Hours,
        aside: str,
    ) -> None:
        self._request, self._evidence = request, evidence
        self._meter, self._hours = meter, hours
        self._budget = MemoryBudget(request.options.limits.memory_budget)
        prefixes = request.source.location.prefix, request.target.location.prefix
        self._prefix_bytes = max(len(prefix.encode()) for prefix in prefixes)
        self.source_aside, self.target_aside = [quarantine_prefix(prefix, aside) for prefix in prefixes]
        # Classes are translated on the way to the target alone; on the way back the store decides.
        self._forth = self._copier(source, target, *prefixes, request.options.storage_class)
        self._back = self._copier(target, source, prefixes[1], prefixes[0], StorageClasses())
        self._keep_source = copier_within(request, evidence, source, prefixes[0], self.source_aside)
        self._keep_target = copier_within(request, evidence, target, prefixes[1], self.target_aside)

    @property
    def notes(self) -> list[tuple[str, str]]:
        """What of objects' attributes the other side keeps in another form, or not at all."""
        return self._forth.notes + self._back.notes

    async def carry(self, way: Way) -> Carried:
        """Do what was decided about one object. Idempotent: what is there already and equal is left.

        :raises PreconditionError: it changed meanwhile, as do ConflictError, AlreadyExistsError and
            NotFoundError tell; nothing was lost.
        """
        if way.act == TO_TARGET:
            kept = await self._put_aside(self._keep_target, way.rel, way.target_version, way.target_size)
            return Carried((await self._to_target(way),), kept)
        if way.act == TO_SOURCE:
            kept = await self._put_aside(self._keep_source, way.rel, way.source_version, way.source_size)
            return Carried((await self._to_source(way),), kept)
        if way.act in {DELETE_TARGET, DELETE_SOURCE}:
            return Carried(kept=await self._delete(way))
        return await self._keep_both(way)

    async def _to_target(self, way: Way) -> ManifestRow:
        row = _plan_row(way.rel, way.source_version, way.source_size, way.target_version)
        return await copy_object(self._forth, row)

    async def _to_source(self, way: Way) -> ManifestRow:
        row = _plan_row(way.rel, way.target_version, way.target_size, way.source_version)
        return _swapped(await copy_object(self._back, row))

    async def _put_aside(self, keeper: Copier, rel: str, version: str | None, size_bytes: int) -> str:
        if version is None:
            return ""
        await copy_within(keeper, rel, size_bytes, version)
        return keeper.target_url(rel)

    async def _delete(self, way: Way) -> str:
        on_target = way.act == DELETE_TARGET
        keeper = self._keep_target if on_target else self._keep_source
        version, size = (
            (way.target_version, way.target_size) if on_target else (way.source_version, way.source_size)
        )
        kept = await self._put_aside(keeper, way.rel, version, size)
        await delete_version(keeper.source, keeper.source_prefix + way.rel, version or "")
        return kept

    async def _keep_both(self, way: Way) -> Carried:
        """Keep the target's version under a second name on both sides, and the source's under the first."""
        second = conflict_name(way.rel, way.target_version or "", self._prefix_bytes)
        within = _renaming(self._keep_target, way.rel, second, self._back.source_prefix)
        copied = await copy_within(within, "", way.target_size, way.target_version or "")
        row = PlanRow(second, "copy", way.target_size, copied.target_version, None)
        twin = _swapped(await copy_object(self._back, row))
        kept = self._forth.target_url(second)
        return Carried((twin, await self._to_target(way)), kept)

    def _copier(
        self,
        origin: ObjectStore,
        goal: ObjectStore,
        origin_prefix: str,
        goal_prefix: str,
        storage_class: StorageClasses,
    ) -> Copier:
        options = self._request.options
        return Copier(
            source=origin,
            target=goal,
            source_prefix=origin_prefix,
            target_prefix=goal_prefix,
            budget=self._budget,
            journal=UploadJournal(self._evidence, self._request.run.migration, self._request.dataset),
            keep=options.metadata,
            part_bytes=options.limits.part_size,
            arrived=self._meter.add_bytes,
            hours=self._hours,
            look_first=True,
            storage_class=storage_class,
        )


def _plan_row(rel: str, version: str | None, size_bytes: int, there: str | None) -> PlanRow:
    return PlanRow(rel, "copy" if there is None else "replace", size_bytes, version or "", there)


def _renaming(keeper: Copier, rel: str, second: str, prefix: str) -> Copier:
    """Return a copier that copies one key of a store to another; it is given the empty relative key."""
    return replace(keeper, source_prefix=prefix + rel, target_prefix=prefix + second)


def _swapped(row: ManifestRow) -> ManifestRow:
    """Return what a copy from target to source has done, as the dataset's own manifest tells it.

    ``unchanged``: the target's version is its users', so that no sync takes it for Heavylift's to delete.
    """
    return replace(
        row,
        outcome="unchanged",
        source_version=row.target_version,
        target_version=row.source_version,
        source_proof=row.target_proof,
        target_proof=row.source_proof,
        source_checksums=row.target_checksums,
        target_checksums=row.source_checksums,
    )
