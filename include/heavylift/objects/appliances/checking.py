"""Checking a device before it is shipped: every byte read again and compared with the manifest."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from heavylift.checksums import Algorithm
from heavylift.errors import AuditError, HeavyliftError, IncompleteError, IntegrityError, NotFoundError
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.records import EvidenceRef, Tally, utc_now
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.appliances import load_manifest
from heavylift.objects.appliances.attempts import latest_record
from heavylift.objects.appliances.badness import BadObjects
from heavylift.objects.appliances.custody import demand_state, read_custody
from heavylift.objects.appliances.database import database
from heavylift.objects.appliances.device_store import forget_cached
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.objects.appliances.loading import manifest_of
from heavylift.objects.appliances.mounting import Mount, mounted
from heavylift.objects.appliances.places import device_path
from heavylift.objects.appliances.planning import demand_device
from heavylift.objects.appliances.records import BadObject, Custody, DeviceCheck, LoadRecord
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.listing import list_to_file
from heavylift.objects.pool import for_each
from heavylift.objects.progress import Meter, Progress
from heavylift.objects.proof import read_checksums
from heavylift.objects.sessions import evidence_of
from heavylift.patterns import everything
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store

AT_ONCE = 4
"""Files read at the same time: more would make a disk seek."""


async def check_device(
    request: ApplianceRequest, device: str, report: Callable[[Progress], None] | None = None
) -> DeviceCheck:
    """Read a loaded device whole, compare it with its load manifest, and write the result as evidence.

    The file system is asked to forget what it has in memory of each file first, so that the
    device itself is read. Files that no manifest names are found too: an ingest would take them
    in. Changes nothing on the device. Each call adds a record, until the device has left; what is
    wrong does not raise, it makes ``passed`` false, and the next load writes the damaged objects anew.

    :raises ConflictError: the device is not loaded, or another one is mounted.
    :raises AuditError: the manifest is not the one that the load left.
    """
    async with evidence_of(request.transfer) as evidence:
        await demand_device(evidence, request, device)
        custody = await read_custody(evidence, request, device)
        before = await latest_record(evidence, request, device, "check", DeviceCheck)
        if custody.has_reached(Custody.SHIPPED) and before is not None:
            return before.record
        demand_state(custody, Custody.LOADED, what="check")
        load = (await demand_load(evidence, request, device)).record
        with (
            mounted(request, device, custody.fact("serial"), custody.fact("mounted_at")) as mount,
            tempfile.TemporaryDirectory(prefix="heavylift-check-") as work,
        ):
            if mount.load_id != load.load_id:
                raise _other_filling(device, mount, load)
            manifest = await fetch_manifest(evidence, load, Path(work))
            return await _check(request, evidence, load, mount, manifest, report)


async def demand_load(evidence: EvidenceStore, request: ApplianceRequest, device: str) -> Kept[LoadRecord]:
    """Return a device's latest load, if it is complete.

    :raises IncompleteError: there is none.
    """
    kept = await latest_record(evidence, request, device, "load", LoadRecord)
    if kept is None or not kept.record.complete:
        raise IncompleteError(
            f"looking for the load of device {device}",
            got="no load that came to its end",
            expected="a loaded device",
            state="nothing was done",
            remedy="load the device: 'heavylift appliance load'",
            code="5735",
        )
    return kept


async def demand_checked(evidence: EvidenceStore, request: ApplianceRequest, device: str) -> EvidenceRef:
    """Return the check that proves a device's latest load.

    :raises IncompleteError: that load was not checked, or the check found something.
    """
    load = (await demand_load(evidence, request, device)).record
    check = await latest_record(evidence, request, device, "check", DeviceCheck)
    if check is not None and check.record.passed and check.record.root_digest == load.root_digest:
        return check.ref
    raise IncompleteError(
        f"shipping of device {device}",
        got="a check that found damage"
        if check and not check.record.passed
        else "no check of its latest load",
        expected="a check that passed",
        state="the device must not leave",
        remedy="check the device: 'heavylift appliance check'; after damage load it again first",
        code="5736",
    )


async def fetch_manifest(evidence: EvidenceStore, load: LoadRecord, work: Path) -> Path:
    """Fetch a load's manifest and compute its root digest again.

    :raises AuditError: it is another than the load left.
    """
    ref = manifest_of(load)
    path = work / "load-manifest.parquet"
    await evidence.fetch(ref.path, path)
    if load_manifest.root_digest(path) != load.root_digest:
        raise AuditError(
            f"reading the load manifest {ref.path}",
            got="rows with another root digest",
            expected=load.root_digest,
            state="nothing was done with it",
            remedy="restore the file; its copy on the device is heavylift/load-manifest.parquet",
            code="5737",
        )
    return path


async def _check(
    request: ApplianceRequest,
    evidence: EvidenceStore,
    load: LoadRecord,
    mount: Mount,
    manifest: Path,
    report: Callable[[Progress], None] | None,
) -> DeviceCheck:
    began, checked_at = time.monotonic(), utc_now()
    meter, bad = Meter(load.on_device), BadObjects(manifest.with_name("bad.parquet"))
    equal = Tally()

    async with open_store(mount.location, None) as files, meter.reporting(report):

        async def judge(row: LoadRow) -> None:
            nonlocal equal
            await asyncio.to_thread(forget_cached, str(mount.data), row.stored_path)
            found = await _judge(files, row, meter)
            if found is None:
                equal += Tally(objects=1, size_bytes=row.size_bytes)
            else:
                bad.add(found)
            meter.add_object()

        for rows in load_manifest.read_rows(manifest):
            await for_each(rows, judge, AT_ONCE)
        for extra in await _extra(request, files, manifest):
            bad.add(extra)
    return await _store(request, evidence, load, bad, equal, checked_at, time.monotonic() - began)


async def _judge(files: ObjectStore, row: LoadRow, meter: Meter) -> BadObject | None:
    """Return what is wrong with one file, or None."""
    kinds = (Algorithm.CRC32C, Algorithm.SHA256)
    try:
        size, sums = await read_checksums(files, row.stored_path, None, kinds)
    except NotFoundError:
        return BadObject(key=row.rel, stored_path=row.stored_path, kind="missing")
    except HeavyliftError as error:
        return BadObject(key=row.rel, stored_path=row.stored_path, kind="unreadable", got=error.got[:200])
    meter.add_bytes(size)
    if size == row.size_bytes and all(sums[kind] == row.checksums[kind] for kind in kinds):
        return None
    return BadObject(
        key=row.rel,
        stored_path=row.stored_path,
        kind="different",
        got=f"{size} bytes, SHA-256 {sums[Algorithm.SHA256]}",
        expected=f"{row.size_bytes} bytes, SHA-256 {row.checksums[Algorithm.SHA256]}",
    )


async def _extra(request: ApplianceRequest, files: ObjectStore, manifest: Path) -> list[BadObject]:
    """Return the files, and things that are no files, that no manifest names."""
    listing = await list_to_file(files, "", everything, manifest.with_name("device.parquet"))
    budget = request.transfer.options.limits.memory_budget
    with database(manifest.parent, budget) as db:
        rows = db.execute(
            "SELECT rel FROM read_parquet(?)"
            " WHERE rel NOT IN (SELECT stored_path FROM read_parquet(?)) ORDER BY rel",
            [str(listing.path), str(manifest)],
        ).fetchall()
    others = getattr(files, "unlisted", {})
    found = [BadObject(key="", stored_path=str(rel), kind="extra") for (rel,) in rows]
    return found + [
        BadObject(key="", stored_path=path, kind="extra", got=why) for path, why in others.items()
    ]


async def _store(
    request: ApplianceRequest,
    evidence: EvidenceStore,
    load: LoadRecord,
    bad: BadObjects,
    equal: Tally,
    checked_at: datetime,
    seconds: float,
) -> DeviceCheck:
    def path_of(number: int) -> str:
        return device_path(request.run, request.dataset, load.device, "check", number)

    rows = None
    if bad.written():
        number = await latest_number(evidence, path_of) + 1
        name = path_of(number).removesuffix(".json") + f"-{utc_now():%Y%m%dT%H%M%S%f}.parquet"
        rows = await evidence.write_file(name, bad.path, PARQUET)
    record = DeviceCheck(
        run=request.run,
        dataset=request.dataset,
        device=load.device,
        load_id=load.load_id,
        root_digest=load.root_digest,
        checked_at=checked_at,
        checked=load.on_device,
        equal=equal,
        missing=bad.kinds["missing"],
        different=bad.kinds["different"],
        unreadable=bad.kinds["unreadable"],
        extra=bad.kinds["extra"],
        bad=tuple(bad.first),
        rows=rows,
        seconds=round(seconds, 3),
        passed=not bad.kinds,
    )
    await write_next(evidence, path_of, record)
    return record


def demand_passed(check: DeviceCheck) -> None:
    """Make sure that a check found nothing.

    :raises IntegrityError: it did; the first objects are named.
    """
    if check.passed:
        return
    named = ", ".join(f"{item.kind} {item.key or item.stored_path!r}" for item in check.bad[:5])
    raise IntegrityError(
        f"check of device {check.device}",
        got=f"{check.missing} missing, {check.different} different, {check.unreadable} unreadable and"
        f" {check.extra} extra files ({named})",
        expected=f"exactly the {check.checked.objects} files of the load manifest",
        state=f"{check.equal.objects} files are as they were loaded; the check changed nothing",
        remedy="take extra files away; load the device again, which writes the damaged objects anew, and"
        " check it again; if it goes on, send the device back",
        code="5738",
    )


def _other_filling(device: str, mount: Mount, load: LoadRecord) -> IncompleteError:
    return IncompleteError(
        f"check of device {device}",
        got=f"a device whose filling is {mount.load_id[:8]}",
        expected=f"the filling {load.load_id[:8]} that was loaded last",
        state="nothing was touched",
        remedy="load this device to its end first",
        code="5739",
    )
