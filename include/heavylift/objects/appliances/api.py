"""What the rest of Heavylift calls to move objects on devices."""

from __future__ import annotations

from heavylift.objects.appliances.checking import check_device, demand_passed
from heavylift.objects.appliances.ingesting import ingest_device
from heavylift.objects.appliances.loading import load_device
from heavylift.objects.appliances.planning import plan_shipment
from heavylift.objects.appliances.reconcile import demand_reconciled, reconcile_device
from heavylift.objects.appliances.requests import ApplianceRequest, appliance_datasets, appliance_request
from heavylift.objects.appliances.standing import read_standing, summarise_shipment
from heavylift.objects.appliances.steps import take_step

__all__ = [
    "ApplianceRequest",
    "appliance_datasets",
    "appliance_request",
    "check_device",
    "demand_passed",
    "demand_reconciled",
    "ingest_device",
    "load_device",
    "plan_shipment",
    "read_standing",
    "reconcile_device",
    "summarise_shipment",
    "take_step",
]
