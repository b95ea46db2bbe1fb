"""Loads single objects onto a device with the mover's own primitives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heavylift.checksums import Algorithm
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.device_store import DeviceStore
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.appliances.todo import TodoRow
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier, kept_attributes
from heavylift.objects.copy_object import copy_object
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import ManifestRow, PlanRow
from heavylift.platforms.ports import ObjectStore


class Loader:
    """What all copies onto one device share.

    :param arrived: called with the number of bytes that came in.
    """

    def __init__(
        self,
        request: ApplianceRequest,
        device: str,
        evidence: EvidenceStore,
        source: ObjectStore,
        arrived: Callable[[int], None],
    ) -> None:
        self._request, self._source, self._arrived = request, source, arrived
        self._budget = MemoryBudget(request.transfer.options.limits.memory_budget)
        # The name keeps the device's uploads apart from those of the transfer to the target.
        name = f"{request.dataset}/devices/{device}"
        self._journal = UploadJournal(evidence, request.run.migration, name)
        self._copier: Copier | None = None
        self.rejected_reads = 0
        self.resent_bytes = 0

    def aim(self, files: ObjectStore, rows: Sequence[TodoRow]) -> None:
        """Get ready for the next rows, of which the device must know the escaped names."""
        self.collect()
        options = self._request.transfer.options
        self._device = DeviceStore(
            files, {row.rel: row.stored_path for row in rows if row.stored_path != row.rel}
        )
        self._copier = Copier(
            source=self._source,
            target=self._device,
            source_prefix=self._request.transfer.source.location.prefix,
            target_prefix="",
            budget=self._budget,
            journal=self._journal,
            keep=options.metadata,
            part_bytes=options.limits.part_size,
            arrived=self._arrived,
            look_first=True,
        )

    def collect(self) -> None:
        """Take the counters of the rows so far."""
        if self._copier is not None:
            self.rejected_reads += self._copier.rejected_reads
            self.resent_bytes += self._copier.resent_bytes
            self._copier = None

    async def load(self, row: TodoRow) -> tuple[LoadRow, bool]:
        """Make the device hold one object, and return its manifest row and whether it was written now.

        :raises NotFoundError: it is gone from the source.
        """
        copier = self._copier
        if copier is None:
            raise LookupError("aim first")
        if row.damaged:
            await self._device.delete(row.rel)
        done = await copy_object(copier, PlanRow(row.rel, "copy", row.size_bytes, row.source_version, None))
        attributes = self._device.attributes.pop(row.rel, None)
        if attributes is None:
            # It lay there from an attempt that was killed; what belongs to it is asked for again.
            head = await self._source.head(copier.source_prefix + row.rel)
            attributes = await kept_attributes(copier, row.rel, head)
        sums = await self._checksums(done)
        return (
            LoadRow(
                rel=row.rel,
                stored_path=row.stored_path,
                size_bytes=done.size_bytes,
                source_version=done.source_version,
                checksums=sums,
                attributes=attributes,
                source_proof=done.source_proof,
                loaded_us=done.finished_us,
            ),
            done.outcome == "moved",
        )

    async def _checksums(self, done: ManifestRow) -> dict[Algorithm, str]:
        sums = dict(done.target_checksums)
        if Algorithm.SHA256 not in sums:
            sums = dict((await self._device.head(done.rel)).object.checksums)
        return sums
