"""Where the devices of a dataset stand, and the last word on a run of the offline path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import summary_path
from heavylift.evidence.records import EvidenceRef, PhaseSummary, Tally
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.appliances.attempts import latest_record
from heavylift.objects.appliances.custody import DeviceCustody, read_custody
from heavylift.objects.appliances.planning import latest_shipment
from heavylift.objects.appliances.records import (
    SETTLED,
    Custody,
    DeviceCheck,
    LoadRecord,
    PlannedDevice,
    Reconciliation,
    ShipmentPlan,
)
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.sessions import evidence_of


@dataclass(frozen=True)
class DeviceStanding:
    """All that is known of one device."""

    planned: PlannedDevice
    custody: DeviceCustody
    load: Kept[LoadRecord] | None
    check: Kept[DeviceCheck] | None
    reconciliation: Kept[Reconciliation] | None

    @property
    def brought(self) -> Tally:
        """What of its objects is proved to be on the target."""
        return self.reconciliation.record.equal if self.reconciliation else Tally()


@dataclass(frozen=True)
class ShipmentStanding:
    """A dataset's plan and its devices; ``plan`` is None before the first planning."""

    dataset: str
    plan: ShipmentPlan | None
    devices: tuple[DeviceStanding, ...] = ()

    @property
    def replaced(self) -> frozenset[str]:
        """Lost devices whose objects another device brings."""
        return frozenset(device.planned.replaces for device in self.devices if device.planned.replaces)

    @property
    def unsettled(self) -> tuple[str, ...]:
        """Why the offline path of this dataset is not at its end."""
        if self.plan is None:
            return (f"{self.dataset}: there is no plan of devices",)
        return tuple(
            f"{self.dataset}: device {device.planned.id} is {device.custody.state.value}"
            for device in self.devices
            if device.custody.state not in SETTLED
        )


async def read_standing(evidence: EvidenceStore, request: ApplianceRequest) -> ShipmentStanding:
    """Return where a dataset's devices stand, by the evidence alone.

    :raises AuditError: a step of a device is not in the audit trail.
    """
    kept = await latest_shipment(evidence, request)
    if kept is None:
        return ShipmentStanding(request.dataset, None)
    devices = [
        DeviceStanding(
            planned=device,
            custody=await read_custody(evidence, request, device.id),
            load=await latest_record(evidence, request, device.id, "load", LoadRecord),
            check=await latest_record(evidence, request, device.id, "check", DeviceCheck),
            reconciliation=await latest_record(
                evidence, request, device.id, "reconciliation", Reconciliation
            ),
        )
        for device in kept.record.devices
    ]
    return ShipmentStanding(request.dataset, kept.record, tuple(devices))


async def summarise_shipment(evidence: EvidenceStore, requests: Sequence[ApplianceRequest]) -> PhaseSummary:
    """Return the last word on a run: passed when every device is reconciled, or recorded as lost.

    ``moved`` are the objects that devices are proved to have brought; ``left`` are all others,
    which the transfer that follows takes: what changed, did not fit, was lost or handed over. Its
    ``datasets`` stay empty, for none has a plan and verification of its own here.
    """
    standings = [await read_standing(evidence, request) for request in requests]
    reasons = [reason for standing in standings for reason in standing.unsettled]
    found = sum((standing.plan.found for standing in standings if standing.plan), Tally())
    moved = sum((device.brought for standing in standings for device in _bringing(standing)), Tally())
    run = requests[0].run
    return PhaseSummary(
        run=run,
        passed=not reasons and bool(standings),
        reasons=tuple(reasons),
        gates=(),
        found=found,
        moved=moved,
        unchanged=Tally(),
        refused=Tally(),
        failed=Tally(),
        left=Tally(objects=found.objects - moved.objects, size_bytes=found.size_bytes - moved.size_bytes),
        audit_head=await AuditTrail(evidence, run.migration).head(),
    )


def _bringing(standing: ShipmentStanding) -> list[DeviceStanding]:
    return [device for device in standing.devices if device.custody.state is Custody.RECONCILED]


async def device_custody(request: ApplianceRequest, device: str) -> DeviceCustody:
    """Return one device's custody, from the request's own evidence store."""
    async with evidence_of(request.transfer) as evidence:
        return await read_custody(evidence, request, device)


async def write_shipment_summary(evidence: EvidenceStore, summary: PhaseSummary) -> EvidenceRef:
    """Keep ``summary`` as evidence under the run's next free number."""
    _, ref = await write_next(evidence, lambda number: summary_path(summary.run, number), summary)
    return ref
