"""What the offline path is asked to do: one dataset's devices in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey
from heavylift.facts.devices import DeviceModel, resolve_device
from heavylift.objects.requests import TransferRequest, transfer_request
from heavylift.spec import MigrationSpec, find_dataset
from heavylift.spec.appliances import Appliance

PHASE = "appliance"


@dataclass(frozen=True)
class ApplianceRequest:
    """One dataset's offline path within one run.

    :param transfer: both places, the evidence store and how objects are chosen and moved.
    """

    transfer: TransferRequest
    appliance: Appliance
    model: DeviceModel

    @property
    def run(self) -> RunKey:
        """The run that the evidence belongs to."""
        return self.transfer.run

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.transfer.dataset


def appliance_request(
    spec: MigrationSpec,
    dataset: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    bandwidth_bytes_per_second: int | None = None,
) -> ApplianceRequest:
    """Return the request for one dataset of a spec.

    :param connections: looks a connection up by its id.
    :raises NotFoundError: the spec has no such dataset.
    :raises SpecError: the dataset has no section ``appliance``, or its device cannot be used.
    """
    found = find_dataset(spec, dataset)
    if found.appliance is None:
        raise SpecError(
            f"planning devices for dataset {dataset!r}",
            got="a dataset without a section 'appliance'",
            expected="datasets[].appliance with at least device and mount",
            state="nothing was touched",
            remedy="add the section, or move the dataset online by the transfer phase",
            code="5704",
        )
    return ApplianceRequest(
        transfer=transfer_request(
            spec, dataset, run, connections, bandwidth_bytes_per_second=bandwidth_bytes_per_second
        ),
        appliance=found.appliance,
        model=resolve_device(found.appliance.device, found.target.platform),
    )


def appliance_datasets(spec: MigrationSpec) -> tuple[str, ...]:
    """Return the names of the datasets that travel on devices."""
    return tuple(dataset.name for dataset in spec.datasets if dataset.appliance is not None)
