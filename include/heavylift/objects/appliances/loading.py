"""Loading a device: its objects copied from the source, each proved, resumable at any point."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    IncompleteError,
    NotFoundError,
    ServerUnavailableError,
    TransientError,
    UnsupportedError,
)
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import MAX_LISTED, EvidenceRef, Failure, RunKey, Tally, utc_now
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.appliances import load_manifest, mounting
from heavylift.objects.appliances.attempts import claim, latest_record
from heavylift.objects.appliances.custody import DeviceCustody, Step, demand_state, read_custody, record_step
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.objects.appliances.loader import Loader
from heavylift.objects.appliances.mounting import Mount, mounted
from heavylift.objects.appliances.places import device_path, load_attempt_folder, load_folder
from heavylift.objects.appliances.planning import demand_device
from heavylift.objects.appliances.records import Custody, LoadRecord, PlannedDevice
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.appliances.todo import PART, Todo, TodoRow, fetch_parts, find_todo
from heavylift.objects.pool import for_each
from heavylift.objects.progress import Meter, Progress
from heavylift.objects.sessions import evidence_of
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store

FLUSH_ROWS = 2_000
FLUSH_SECONDS = 10.0
MOST_TRANSIENT_IN_A_ROW = 20
"""After so many objects failed by themselves one after the other, the other side is taken for down."""


async def load_device(
    request: ApplianceRequest,
    device: str,
    actor: str,
    report: Callable[[Progress], None] | None = None,
) -> LoadRecord:
    """Copy a device's objects from the source onto the mounted device, and write its load manifest.

    Idempotent: what earlier attempts at this filling of the device have proved is left, finished
    parts of large objects are not written again, and an object that a check found damaged is
    written anew. A device that was emptied, or another one, is filled afresh; for one that has left
    nothing is done. When all is on the
    device, its custody says ``loaded``.

    :param actor: who does it, for the audit trail.
    :raises ConflictError: the device is not delivered yet, or it is another than was meant.
    :raises IncompleteError: some objects failed for good; the record names them.
    :raises TransientError: what failed may go away; running again does only the rest.
    """
    async with evidence_of(request.transfer) as evidence:
        _, planned = await demand_device(evidence, request, device)
        custody = await read_custody(evidence, request, device)
        before = await latest_record(evidence, request, device, "load", LoadRecord)
        if custody.has_reached(Custody.SHIPPED) and before is not None:
            return before.record
        demand_state(custody, Custody.DELIVERED, Custody.LOADED, what="loading")
        with (
            mounted(request, device, custody.fact("serial"), custody.fact("mounted_at"), fill=True) as mount,
            tempfile.TemporaryDirectory(prefix="heavylift-load-") as work,
        ):
            record = await _Load(request, evidence, planned, mount, Path(work)).run(report)
            await _record_loaded(evidence, request, custody, record, actor)
        return record


async def _record_loaded(
    evidence: EvidenceStore,
    request: ApplianceRequest,
    custody: DeviceCustody,
    record: LoadRecord,
    actor: str,
) -> None:
    facts: dict[str, str] = {}
    if custody.state is Custody.LOADED:
        if not record.loaded.objects:
            return
        facts = {"reason": f"{record.loaded.objects} objects written anew, attempt {record.attempt}"}
    proof = (record.manifest,) if record.manifest else ()
    await record_step(evidence, request, record.device, Step(Custody.LOADED, actor, facts, evidence=proof))


@dataclass
class _Counts:
    """What an attempt has settled so far."""

    loaded: Tally = field(default_factory=Tally)
    unchanged: Tally = field(default_factory=Tally)
    failed: Tally = field(default_factory=Tally)
    vanished: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    errors: list[HeavyliftError] = field(default_factory=list)
    transient_in_a_row: int = 0
    stopped_by: HeavyliftError | None = None

    def left_of(self, found: Tally) -> Tally:
        settled = self.loaded + self.unchanged + self.failed + self.vanished
        return Tally(
            objects=found.objects - settled.objects, size_bytes=found.size_bytes - settled.size_bytes
        )

    def settle(self, row: TodoRow, *, moved: bool) -> None:
        one = Tally(objects=1, size_bytes=row.size_bytes)
        self.transient_in_a_row = 0
        if moved:
            self.loaded += one
        else:
            self.unchanged += one

    def gone(self, row: TodoRow) -> None:
        self.vanished += Tally(objects=1, size_bytes=row.size_bytes)

    def error(self, row: TodoRow, error: HeavyliftError) -> None:
        self.failed += Tally(objects=1, size_bytes=row.size_bytes)
        if len(self.failures) < MAX_LISTED:
            self.failures.append(Failure(key=row.rel, error=error.attrs()))
            self.errors.append(error)
        self.transient_in_a_row = self.transient_in_a_row + 1 if isinstance(error, TransientError) else 0
        if isinstance(error, CredentialError) or self.transient_in_a_row >= MOST_TRANSIENT_IN_A_ROW:
            self.stopped_by = error


class _Parts:
    """Writes load rows to the evidence store every few seconds, so that a kill loses few."""

    def __init__(self, evidence: EvidenceStore, folder: str, work: Path) -> None:
        self._evidence, self._folder, self._work = evidence, folder, work
        self._rows: list[LoadRow] = []
        self._number, self._flushed_at = 0, time.monotonic()
        self._lock = asyncio.Lock()

    async def add(self, row: LoadRow) -> None:
        self._rows.append(row)
        if len(self._rows) >= FLUSH_ROWS or time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        async with self._lock:
            rows, self._rows = self._rows, []
            self._flushed_at = time.monotonic()
            if not rows:
                return
            path = self._work / "flush.parquet"
            load_manifest.write_rows(path, rows)
            await self._evidence.write_file(f"{self._folder}/{PART}{self._number}.parquet", path, PARQUET)
            self._number += 1


class _Load:
    """One attempt at one filling of one device."""

    def __init__(
        self,
        request: ApplianceRequest,
        evidence: EvidenceStore,
        planned: PlannedDevice,
        mount: Mount,
        work: Path,
    ) -> None:
        self._request, self._evidence = request, evidence
        self._planned, self._mount, self._work = planned, mount, work
        self._counts = _Counts()
        self._began: datetime = utc_now()
        self._loader: Loader

    async def run(self, report: Callable[[Progress], None] | None) -> LoadRecord:
        """Do what is left, then write manifest and record."""
        run, dataset, device, load_id = self._key()
        attempt = await claim(
            self._evidence,
            lambda n: load_attempt_folder(run, dataset, device, load_id, n),
            what=f"load of device {device}",
        )
        todo = await find_todo(self._evidence, self._request, self._planned, load_id, self._work)
        _demand_space(self._mount, device, todo)
        self._counts.unchanged += todo.done
        meter = Meter(self._planned.planned)
        meter.objects, meter.size_bytes = todo.done.objects, todo.done.size_bytes
        folder = load_attempt_folder(run, dataset, device, load_id, attempt)
        parts = _Parts(self._evidence, folder, self._work)
        try:
            async with meter.reporting(report), AsyncExitStack() as stack:
                await self._copy(stack, todo, meter, parts)
        finally:
            # Also when cancelled: what is on the device by now must be known to the next attempt.
            await asyncio.shield(parts.flush())
        record, path = await self._conclude(attempt)
        _raise_for(record, self._counts, path)
        return record

    def _key(self) -> tuple[RunKey, str, str, str]:
        return self._request.run, self._request.dataset, self._planned.id, self._mount.load_id

    async def _copy(self, stack: AsyncExitStack, todo: Todo, meter: Meter, parts: _Parts) -> None:
        limits, place = self._request.transfer.options.limits, self._request.transfer.source
        settings = HttpSettings(connections=limits.max_concurrency + 8)
        source = await stack.enter_async_context(
            open_store(place.location, place.connection, settings=settings, pacer=Pacer(limits.max_bandwidth))
        )
        files = await stack.enter_async_context(open_store(self._mount.location, None))
        await source.check()
        self._loader = Loader(self._request, self._planned.id, self._evidence, source, meter.add_bytes)

        async def work(row: TodoRow) -> None:
            if self._counts.stopped_by is None:
                await self._one(source, row, meter, parts)

        for rows in todo.batches():
            self._loader.aim(files, rows)
            await for_each(rows, work, limits.max_concurrency)

    async def _one(self, source: ObjectStore, row: TodoRow, meter: Meter, parts: _Parts) -> None:
        try:
            loaded, moved = await self._loader.load(row)
        except NotFoundError as error:
            await self._not_found(source, row, error)
        except HeavyliftError as error:
            self._counts.error(row, error)
        else:
            self._counts.settle(row, moved=moved)
            await parts.add(loaded)
        meter.add_object()

    async def _not_found(self, source: ObjectStore, row: TodoRow, error: NotFoundError) -> None:
        """Tell an object that has gone from its source from a source that has."""
        try:
            await source.check()
        except HeavyliftError as other:
            self._counts.error(row, other)
            self._counts.stopped_by = other
            return
        try:
            await source.head(self._request.transfer.source.location.prefix + row.rel)
        except NotFoundError:
            self._counts.gone(row)
        except HeavyliftError as other:
            self._counts.error(row, other)
        else:
            self._counts.error(row, error)

    async def _conclude(self, attempt: int) -> tuple[LoadRecord, str]:
        run, dataset, device, load_id = self._key()
        counts = self._counts
        self._loader.collect()
        record = LoadRecord(
            run=run,
            dataset=dataset,
            device=device,
            load_id=load_id,
            attempt=attempt,
            started_at=self._began,
            ended_at=utc_now(),
            found=self._planned.planned,
            loaded=counts.loaded,
            unchanged=counts.unchanged,
            failed=counts.failed,
            vanished=counts.vanished,
            left=counts.left_of(self._planned.planned),
            failures=tuple(counts.failures),
            rejected_reads=self._loader.rejected_reads,
            resent_bytes=self._loader.resent_bytes,
        )
        if not record.failed.objects and not record.left.objects:
            record = await self._seal(record, attempt)
        _number, ref = await write_next(
            self._evidence, lambda n: device_path(run, dataset, device, "load", n), record
        )
        return record, ref.path

    async def _seal(self, record: LoadRecord, attempt: int) -> LoadRecord:
        """Put the manifest of all attempts together, as evidence and on the device."""
        run, dataset, device, load_id = self._key()
        mounting.clean_leftovers(self._mount)
        parts = await fetch_parts(self._evidence, self._request, device, load_id, self._work)
        path = self._work / mounting.MANIFEST
        budget = self._request.transfer.options.limits.memory_budget
        on_device, digest = load_manifest.merge(parts, path, self._work, budget)
        name = f"{load_folder(run, dataset, device, load_id)}/manifest-{attempt}.parquet"
        ref = await self._evidence.write_file(name, path, PARQUET)
        record = record.model_copy(update={"on_device": on_device, "manifest": ref, "root_digest": digest})
        mounting.write_beside(self._mount, mounting.MANIFEST, path)
        mounting.write_beside(self._mount, mounting.LOAD, canonical_json(record))
        return record


def _demand_space(mount: Mount, device: str, todo: Todo) -> None:
    free = mounting.free_bytes(mount)
    if free >= todo.left.size_bytes:
        return
    raise UnsupportedError(
        f"loading of device {device}",
        got=f"{free} free bytes at {mount.root}",
        expected=f"room for {todo.left.size_bytes} bytes in {todo.left.objects} objects",
        state="nothing was written by this attempt",
        remedy="mount the device that was ordered, or set its capacity in the spec and plan in a new run",
        code="5731",
    )


def _raise_for(record: LoadRecord, counts: _Counts, path: str) -> None:
    if not (record.failed.objects or record.left.objects):
        return
    first = counts.stopped_by or counts.errors[0]
    only_transient = all(isinstance(error, TransientError) for error in counts.errors)
    kind = ServerUnavailableError if only_transient else IncompleteError
    done = record.loaded.objects + record.unchanged.objects
    raise kind(
        f"loading of device {record.device}",
        got=f"{record.failed.objects} objects failed, {record.left.objects} not tried; first: {first}",
        expected=f"all {record.found.objects} objects on the device",
        state=f"{done} objects are on the device and proved; all cases are in evidence {path}",
        remedy="mend the cause, then load again: only the rest is done",
        code="5733" if only_transient else "5732",
    )


def manifest_of(record: LoadRecord) -> EvidenceRef:
    """Return the manifest of a device that was loaded.

    :raises IncompleteError: the loading has not come to its end.
    """
    if record.manifest is not None:
        return record.manifest
    raise IncompleteError(
        f"looking for the load manifest of device {record.device}",
        got="a load that is not complete",
        expected="all objects on the device",
        state="nothing was done",
        remedy="load the device again: only the rest is done",
        code="5734",
    )
