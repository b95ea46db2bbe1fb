"""The last tasks of the offline path: tell the online transfer, and have the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift_airflow.operators.appliance import shipment_request
from heavylift_airflow.operators.closing import (
    PublishPhaseOperator,
    SummariseRunOperator,
    Verdict,
)

if TYPE_CHECKING:
    from heavylift.evidence.records import PhaseSummary
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame


class PublishShipmentOperator(PublishPhaseOperator):
    """Sends an event to the phase's asset once every device is reconciled, or recorded as lost.

    The transfer that it starts takes what the devices did not bring. All of it is read from the
    evidence store and the audit trail, not from task states.

    :raises IncompleteError: a device is still on its way; no event is sent.
    """

    async def _summary(self, frame: TaskFrame) -> PhaseSummary:
        async with self.evidence(frame) as store:
            return await shipment_summary(store, frame)


class SummariseShipmentOperator(SummariseRunOperator):
    """Has the last word on a run of the offline path: fails while a device is not settled.

    It runs whatever happened before it, and it is the run's only leaf. A dry run passes when every
    dataset has a plan of devices.

    :return: the counts of found and moved objects; what is not moved is left to the transfer.
    :raises IncompleteError: a device is neither reconciled nor recorded as lost.
    """

    async def verdict(self, store: EvidenceStore, frame: TaskFrame) -> Verdict:
        """Return how the run stands, as its evidence tells it now; writes nothing."""
        summary = await shipment_summary(store, frame)
        dry_run = frame.options.dry_run
        missing = [reason for reason in summary.reasons if "no plan" in reason or not dry_run]
        state = f"devices brought {summary.moved.objects} of {summary.found.objects} objects; they stay"
        return Verdict(summary, missing, state)


async def shipment_summary(store: EvidenceStore, frame: TaskFrame) -> PhaseSummary:
    """Return the summary of the run as the evidence tells it now; writes nothing."""
    from heavylift.objects.appliances.api import appliance_datasets, summarise_shipment

    requests = [shipment_request(frame, name) for name in appliance_datasets(frame.spec)]
    return await summarise_shipment(store, requests)
