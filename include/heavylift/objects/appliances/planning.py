"""Planning: what goes on which device, what goes online, written as evidence."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import NotFoundError
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.records import EvidenceRef, Finding, Severity, Tally
from heavylift.evidence.run_evidence import Kept, read_kept
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.appliances.custody import read_custody
from heavylift.objects.appliances.database import database
from heavylift.objects.appliances.packing import Packed, Packing, room_on
from heavylift.objects.appliances.places import shipment_path, shipment_rows_path
from heavylift.objects.appliances.records import Custody, PlannedDevice, ShipmentPlan
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.listing import Listing, list_to_file
from heavylift.objects.naming import refuse_unholdable
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.patterns import selector
from heavylift.platforms.ports import ObjectStore


async def plan_shipment(request: ApplianceRequest) -> ShipmentPlan:
    """List both sides, pack what the target lacks onto devices, and write the plan as evidence.

    Reads source and target and touches no device; on the target it writes and deletes tiny probe
    objects where unusual keys ask for it. In one run a plan is made once:
    a second call returns it. Where a device of it has been lost meanwhile, the new plan has the
    same objects on a device more, in its place.
    """
    async with evidence_of(request.transfer) as evidence:
        current = await latest_shipment(evidence, request)
        if current is None:
            return await _first_plan(request, evidence)
        return await _replace_lost(request, evidence, current.record)


async def latest_shipment(evidence: EvidenceStore, request: ApplianceRequest) -> Kept[ShipmentPlan] | None:
    """Return the run's plan that holds now, or None before the first."""
    number = await latest_number(evidence, lambda n: shipment_path(request.run, request.dataset, n))
    if not number:
        return None
    return await read_kept(evidence, shipment_path(request.run, request.dataset, number), ShipmentPlan)


async def demand_device(
    evidence: EvidenceStore, request: ApplianceRequest, device: str
) -> tuple[ShipmentPlan, PlannedDevice]:
    """Return the plan and its device of that name.

    :raises NotFoundError: there is no plan, or no such device in it.
    """
    kept = await latest_shipment(evidence, request)
    found = kept.record.device(device) if kept else None
    if kept is not None and found is not None:
        return kept.record, found
    known = ", ".join(each.id for each in kept.record.devices) if kept else "there is no plan in this run"
    raise NotFoundError(
        f"looking up device {device!r} of dataset {request.dataset!r}",
        got="no such device in the run's plan",
        expected=known or "a device of the plan",
        state="nothing was touched",
        remedy="plan first ('heavylift appliance plan'), and name a device of the plan",
        code="5705",
    )


@dataclass
class _Work:
    """Where one planning keeps its files."""

    request: ApplianceRequest
    evidence: EvidenceStore
    folder: Path

    async def keep(self, name: str, path: Path) -> EvidenceRef:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        place = shipment_rows_path(self.request.run, self.request.dataset, name, digest)
        return await self.evidence.write_file(place, path, PARQUET)


async def _first_plan(request: ApplianceRequest, evidence: EvidenceStore) -> ShipmentPlan:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="heavylift-shipment-") as name:
        work = _Work(request, evidence, Path(name))
        room = room_on(request.model, request.appliance.fill, request.appliance.folder)
        with database(work.folder, request.transfer.options.limits.memory_budget) as db:
            async with open_both(request.transfer) as (source, target):
                listings = await _list(request, source, target, work.folder)
                packing = Packing(db, listings[0].path, listings[1].path, room)
                prefix = request.transfer.target.location.prefix
                await refuse_unholdable(packing, target, prefix, may_probe=True)
            packed = packing.pack(request.model, request.appliance.count)
            devices = [await _device(work, packing, number) for number in range(packed.devices)]
            plan = await _plan(work, packing, packed, listings[0], devices, began)
        await evidence.write_json(shipment_path(request.run, request.dataset, 1), plan)
        return plan


async def _list(
    request: ApplianceRequest, source: ObjectStore, target: ObjectStore, work: Path
) -> tuple[Listing, Listing]:
    transfer = request.transfer
    await source.check()
    await target.check()
    selected = selector(transfer.options.include, transfer.options.exclude)
    return (
        await list_to_file(source, transfer.source.location.prefix, selected, work / "source.parquet"),
        await list_to_file(target, transfer.target.location.prefix, selected, work / "target.parquet"),
    )


async def _device(work: _Work, packing: Packing, number: int) -> PlannedDevice:
    planned, occupied, escaped, first, last = packing.device(number)
    path = work.folder / "device.parquet"
    packing.write_device(number, path)
    name = device_name(work.request, number + 1)
    return PlannedDevice(
        id=name,
        planned=planned,
        occupied_bytes=occupied,
        escaped=escaped,
        first_key=first,
        last_key=last,
        rows=await work.keep(name, path),
    )


def device_name(request: ApplianceRequest, number: int) -> str:
    """Return the name of a plan's ``number``-th device, from 1: ``<dataset>-01``."""
    return f"{request.dataset}-{number:02d}"


async def _plan(
    work: _Work,
    packing: Packing,
    packed: Packed,
    source: Listing,
    devices: list[PlannedDevice],
    began: float,
) -> ShipmentPlan:
    request, online = work.request, packing.tally_online(source.path)
    path = work.folder / "online.parquet"
    rows = await work.keep("online", path) if packing.write_online(path) else None
    return ShipmentPlan(
        run=request.run,
        dataset=request.dataset,
        number=1,
        source_url=str(request.transfer.source.location),
        target_url=str(request.transfer.target.location),
        device_model=request.model.id,
        device_source=request.model.source,
        device_verified=request.model.verified,
        device_capacity_bytes=request.model.capacity_bytes or 0,
        device_max_files=request.model.max_files,
        fill=request.appliance.fill,
        folder=request.appliance.folder,
        arrangement=packed.arrangement,
        lower_bound=packed.lower_bound,
        upper_bound=packed.upper_bound,
        found=source.total,
        shipped=sum((device.planned for device in devices), Tally()),
        online=sum(online.values(), Tally()),
        online_reasons={rule: tally.objects for rule, tally in online.items()},
        online_rows=rows,
        devices=tuple(devices),
        findings=tuple(_findings(request)),
        seconds=round(time.monotonic() - began, 3),
    )


def _findings(request: ApplianceRequest) -> list[Finding]:
    model = request.model
    if model.verified == "yes" or not model.provider:
        return []
    detail = f"the figures of {model.title} are from {model.source}, {model.date}; verified: {model.verified}"
    return [
        Finding(
            rule="device-not-verified",
            severity=Severity.WARNING,
            subject=model.id,
            detail=detail,
            remedy="compare them with your order; where they differ set capacity, max_files, max_object_size",
        )
    ]


async def _replace_lost(
    request: ApplianceRequest, evidence: EvidenceStore, plan: ShipmentPlan
) -> ShipmentPlan:
    """Return the plan with a device for the objects of each lost one; the same plan without any."""
    replaced = {device.replaces for device in plan.devices}
    devices = list(plan.devices)
    for device in plan.devices:
        if device.id in replaced:
            continue
        custody = await read_custody(evidence, request, device.id)
        if custody.state is Custody.LOST:
            name = device_name(request, len(devices) + 1)
            devices.append(device.model_copy(update={"id": name, "replaces": device.id}))
    if len(devices) == len(plan.devices):
        return plan
    new = plan.model_copy(update={"number": plan.number + 1, "devices": tuple(devices)})
    await evidence.write_json(shipment_path(request.run, request.dataset, new.number), new)
    return new
