"""Mending what an ingest lost: keys that lay under an escaped name, and attributes."""

from __future__ import annotations

from typing import cast

from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.ingested_view import IngestedView
from heavylift.objects.appliances.judging import lost_attributes
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier
from heavylift.objects.copy_object import copy_object
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import PlanRow
from heavylift.platforms.describing import DescribesInPlace
from heavylift.platforms.ports import ObjectStore


class Mender:
    """Gives ingested objects their keys and attributes back, on the target.

    Attributes are given back in place where the store can do that (Google Cloud Storage). Writing
    again works with all others, and is proved like every copy; the bytes pass through this machine.

    :param renamed: objects moved to their key; ``restored``: written again for their attributes.
    :param accepted: objects with other attributes that are no failure: the spec does not want them
        mended, or the target cannot keep them.
    """

    def __init__(
        self, request: ApplianceRequest, evidence: EvidenceStore, target: ObjectStore, device: str
    ) -> None:
        options = request.transfer.options
        self._target, self._prefix = target, request.transfer.target.location.prefix
        self._keep = options.metadata
        self._restore = request.appliance.restore_attributes
        self._view = IngestedView(target, self._prefix)
        name = f"{request.dataset}/mending/{device}"
        self._copier = Copier(
            source=cast("ObjectStore", self._view),  # Only read, so it needs no writing half.
            target=target,
            source_prefix=self._prefix,
            target_prefix=self._prefix,
            budget=MemoryBudget(options.limits.memory_budget),
            journal=UploadJournal(evidence, request.run.migration, name),
            keep=options.metadata,
            part_bytes=options.limits.part_size,
            arrived=lambda _: None,
        )
        self.renamed = self.restored = self.accepted = 0

    async def mend(self, row: LoadRow, version: str, place: str) -> tuple[str, list[str]]:
        """Put one object, whose bytes are right, under its key and with its attributes.

        :param place: the relative key under which it lies, in ``version``.
        :return: its version now, and what of its attributes is still not there.
        """
        if place != row.rel:
            version = await self._copy(row, version, place)
            await self._target.delete(self._prefix + place)
            self.renamed += 1
        key = self._prefix + row.rel
        problems = await lost_attributes(self._target, key, row, self._keep)
        if problems and self._restore:
            version = await self._describe(row, version)
            self.restored += 1
            problems = await lost_attributes(self._target, key, row, self._keep)
        if problems and (not self._restore or self._target.attribute_problems(row.attributes)):
            self.accepted += 1
        return version, problems

    async def _describe(self, row: LoadRow, version: str) -> str:
        if isinstance(self._target, DescribesInPlace):
            key = self._prefix + row.rel
            return await self._target.describe(key, row.attributes, version=version)
        return await self._copy(row, version, row.rel)

    async def _copy(self, row: LoadRow, version: str, place: str) -> str:
        in_place = place == row.rel
        plan = PlanRow(
            row.rel, "replace" if in_place else "copy", row.size_bytes, version, version if in_place else None
        )
        self._view.show(row, place)
        try:
            return (await copy_object(self._copier, plan)).target_version
        finally:
            self._view.hide(row)
