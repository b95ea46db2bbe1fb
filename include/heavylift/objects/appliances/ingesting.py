"""Copying a device's content into the target, as a provider's ingest would do it.

For disks of one's own that are plugged in near the target, and for the sandbox. Each file becomes
an object under its stored path; attributes stay behind, as they do with every provider that reads
files. Reconciling then gives keys and attributes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from heavylift.errors import HeavyliftError, IncompleteError, ServerUnavailableError, TransientError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import MAX_LISTED, Failure, Tally, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.attempts import claim, latest_record
from heavylift.objects.appliances.checking import demand_load
from heavylift.objects.appliances.custody import Step, demand_state, read_custody, record_step
from heavylift.objects.appliances.mounting import Mount, mounted
from heavylift.objects.appliances.places import device_folder, device_path
from heavylift.objects.appliances.planning import demand_device
from heavylift.objects.appliances.records import Custody, IngestRecord, LoadRecord
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier
from heavylift.objects.copy_object import copy_object
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import PlanRow
from heavylift.objects.pool import for_each
from heavylift.objects.progress import Meter, Progress
from heavylift.objects.sessions import evidence_of
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Metadata

_NOTHING_BUT_BYTES = Metadata(content_headers=False, user_metadata=False, tags=False)


async def ingest_device(
    request: ApplianceRequest,
    device: str,
    actor: str,
    report: Callable[[Progress], None] | None = None,
) -> IngestRecord:
    """Copy every file of a shipped device into the target, under its stored path, bytes only.

    Idempotent: objects that are there and equal are left. Nothing on the target is overwritten.
    When all is there, the device's custody says ``ingested``.

    :param actor: who does it, for the audit trail.
    :raises ConflictError: the device was not shipped, or another one is mounted.
    :raises IncompleteError: some files were not copied; the record names them.
    """
    async with evidence_of(request.transfer) as evidence:
        await demand_device(evidence, request, device)
        custody = await read_custody(evidence, request, device)
        before = await latest_record(evidence, request, device, "ingest", IngestRecord)
        if custody.has_reached(Custody.RECONCILED) and before is not None:
            return before.record
        demand_state(custody, Custody.SHIPPED, Custody.INGESTED, what="ingest")
        load = (await demand_load(evidence, request, device)).record
        with mounted(request, device, custody.fact("serial"), custody.fact("mounted_at")) as mount:
            record, path = await _Ingest(request, evidence, load, mount).run(report)
        if custody.state is not Custody.INGESTED:
            ref = await evidence.ref_of(path)
            await record_step(evidence, request, device, Step(Custody.INGESTED, actor, {}, evidence=(ref,)))
        return record


@dataclass
class _Ingest:
    request: ApplianceRequest
    evidence: EvidenceStore
    load: LoadRecord
    mount: Mount
    copied: Tally = field(default_factory=Tally)
    unchanged: Tally = field(default_factory=Tally)
    failed: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    errors: list[HeavyliftError] = field(default_factory=list)

    async def run(self, report: Callable[[Progress], None] | None) -> tuple[IngestRecord, str]:
        run, dataset, device = self.request.run, self.request.dataset, self.load.device
        folder = device_folder(run, dataset, device)
        attempt = await claim(
            self.evidence, lambda n: f"{folder}/ingests/{n:03d}", what=f"ingest of device {device}"
        )
        began, meter = utc_now(), Meter(self.load.on_device)
        limits, place = self.request.transfer.options.limits, self.request.transfer.target
        settings = HttpSettings(connections=limits.max_concurrency + 8)
        async with (
            open_store(self.mount.location, None) as files,
            open_store(place.location, place.connection, settings=settings) as target,
            meter.reporting(report),
        ):
            await target.check()
            copier = self._copier(files, target, meter)

            async def one(item: ListedObject) -> None:
                await self._one(copier, item, meter)

            async for page in files.list_pages():
                await for_each(page, one, limits.max_concurrency)
        record = IngestRecord(
            run=run,
            dataset=dataset,
            device=device,
            attempt=attempt,
            started_at=began,
            ended_at=utc_now(),
            found=self.copied + self.unchanged + self.failed,
            copied=self.copied,
            unchanged=self.unchanged,
            failed=self.failed,
            failures=tuple(self.failures),
        )
        _, ref = await write_next(
            self.evidence, lambda n: device_path(run, dataset, device, "ingest", n), record
        )
        self._raise_for(record, ref.path)
        return record, ref.path

    def _copier(self, files: ObjectStore, target: ObjectStore, meter: Meter) -> Copier:
        limits = self.request.transfer.options.limits
        name = f"{self.request.dataset}/ingests/{self.load.device}"
        return Copier(
            source=files,
            target=target,
            source_prefix="",
            target_prefix=self.request.transfer.target.location.prefix,
            budget=MemoryBudget(limits.memory_budget),
            journal=UploadJournal(self.evidence, self.request.run.migration, name),
            keep=_NOTHING_BUT_BYTES,
            part_bytes=limits.part_size,
            arrived=meter.add_bytes,
            look_first=True,
        )

    async def _one(self, copier: Copier, item: ListedObject, meter: Meter) -> None:
        one = Tally(objects=1, size_bytes=item.size_bytes)
        try:
            done = await copy_object(copier, PlanRow(item.key, "copy", item.size_bytes, item.version, None))
        except HeavyliftError as error:
            self.failed += one
            if len(self.failures) < MAX_LISTED:
                self.failures.append(Failure(key=item.key, error=error.attrs()))
                self.errors.append(error)
        else:
            if done.outcome == "moved":
                self.copied += one
            else:
                self.unchanged += one
        meter.add_object()

    def _raise_for(self, record: IngestRecord, path: str) -> None:
        if not record.failed.objects:
            return
        only_transient = all(isinstance(error, TransientError) for error in self.errors)
        kind = ServerUnavailableError if only_transient else IncompleteError
        raise kind(
            f"ingest of device {record.device}",
            got=f"{record.failed.objects} files failed; first: {self.errors[0]}",
            expected=f"all {record.found.objects} files on the target",
            state=f"{record.copied.objects + record.unchanged.objects} are there; all cases are in {path}",
            remedy="mend the cause, then run the ingest again: only the rest is done",
            code="5741" if only_transient else "5740",
        )
