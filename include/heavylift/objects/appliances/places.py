"""Where the evidence of the offline path lies, below its run and dataset."""

from __future__ import annotations

from heavylift.evidence.paths import dataset_folder, safe_segment
from heavylift.evidence.records import RunKey


def shipment_path(run: RunKey, dataset: str, number: int) -> str:
    """Return the path of a dataset's ``number``-th :class:`ShipmentPlan`, from 1."""
    return f"{dataset_folder(run, dataset)}/shipment-{number}.json"


def shipment_rows_path(run: RunKey, dataset: str, name: str, digest: str) -> str:
    """Return the path of a plan's row file; named by content, for a killed planning may leave some."""
    return f"{dataset_folder(run, dataset)}/shipment-rows/{safe_segment(name)}-{digest}.parquet"


def device_folder(run: RunKey, dataset: str, device: str) -> str:
    """Return the folder of one device."""
    return f"{dataset_folder(run, dataset)}/devices/{safe_segment(device)}"


def device_path(run: RunKey, dataset: str, device: str, kind: str, number: int) -> str:
    """Return the path of a device's ``number``-th record of a kind: custody, load, check, …"""
    return f"{device_folder(run, dataset, device)}/{kind}-{number}.json"


def load_folder(run: RunKey, dataset: str, device: str, load_id: str) -> str:
    """Return the folder of one filling of a device; it holds a folder for each attempt."""
    return f"{device_folder(run, dataset, device)}/loads/{safe_segment(load_id)}"


def load_attempt_folder(run: RunKey, dataset: str, device: str, load_id: str, attempt: int) -> str:
    """Return the folder of one attempt at one filling of a device."""
    return f"{load_folder(run, dataset, device, load_id)}/{attempt:03d}"
