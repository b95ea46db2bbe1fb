"""Models of devices: a table of facts that comes with Heavylift, and what a spec says beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from heavylift.errors import SpecError
from heavylift.facts.tables import overridden
from heavylift.spec.appliances import Device, FileNames
from heavylift.spec.vocabulary import Platform

BLOCK_BYTES = 4096
"""What a file takes on a device is rounded up to blocks of this size, as common file systems do."""

FILE_OVERHEAD_BYTES = 1024
"""What a file takes beside its blocks: its inode and folder entry, reckoned generously."""

DEFAULT_PATH_BYTES = 1024
"""Longest path below the mount where nothing else is said; S3 and Google Cloud Storage keys end there."""

_NOT_OFFERED = ("customers only", "retired")


@dataclass(frozen=True)
class DeviceModel:
    """One model of device.

    :param provider: the platform whose provider ingests it; empty for a device of one's own.
    :param capacity_bytes: usable bytes; None where only the spec can tell.
    :param offered: to whom it is offered, in the source's words.
    :param names: which names its file system holds.
    :param source: where the facts are from; ``date`` and ``verified`` tell how far to trust them.
    """

    id: str
    provider: str
    title: str
    capacity_bytes: int | None
    offered: str = "by the spec"
    max_files: int | None = None
    max_object_bytes: int | None = None
    max_path_bytes: int = DEFAULT_PATH_BYTES
    names: FileNames = FileNames.POSIX
    copy_rate: str = ""
    turnaround: str = ""
    source: str = "the spec"
    date: str = ""
    verified: str = "by the spec's author"
    note: str = ""

    @property
    def open_to_new_customers(self) -> bool:
        """Tell whether somebody who does not have the device can get it, as far as is known."""
        return not any(word in self.offered for word in _NOT_OFFERED)


@cache
def device_table() -> dict[str, DeviceModel]:
    """Return the models that Heavylift knows, by id. Facts about offers age: look at ``date``."""
    return load_devices(None)


def load_devices(folder: Path | None) -> dict[str, DeviceModel]:
    """Return the models, with the rows of ``folder`` in place of the built-in ones.

    :raises SpecError: the folder's table cannot be used.
    """
    return {row["id"]: _from_row(row) for row in overridden("devices.csv", folder)}


def resolve_device(device: Device, target: Platform) -> DeviceModel:
    """Return the model that a spec's ``device`` means, with what the spec says in place of the table.

    :param target: the dataset's target platform, which has to ingest the device.
    :raises SpecError: an unknown model, one without a capacity, one that another provider ingests,
        or one that is not offered to new customers while the spec does not say ``owned``.
    """
    known = device_table().get(device.model)
    if known is None and device.capacity is None:
        raise _wrong(
            device,
            got="no such model in the table, and no capacity in the spec",
            expected=f"one of {', '.join(device_table())}; or a capacity",
            code="5700",
        )
    model = _override(known or DeviceModel(device.model, "", device.model, None), device)
    if model.capacity_bytes is None:
        raise _wrong(device, got="no capacity", expected="the usable bytes of your own disks", code="5701")
    if known is not None and not known.open_to_new_customers and not device.owned:
        raise _wrong(
            device,
            got=f"a device whose offer is: {known.offered} ({known.source})",
            expected="a device that can be ordered, or owned: true where you have one",
            code="5702",
        )
    if known is not None and known.provider != target.value:
        raise _wrong(
            device,
            got=f"a device that {known.provider} ingests",
            expected=f"one of the target platform {target.value}",
            code="5703",
        )
    return model


def _override(model: DeviceModel, device: Device) -> DeviceModel:
    said = {
        "capacity_bytes": device.capacity,
        "max_files": device.max_files,
        "max_object_bytes": device.max_object_size,
        "max_path_bytes": device.max_path_bytes,
        "names": device.names,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    return replace(model, **changes)  # type: ignore[arg-type]


def _from_row(row: dict[str, str]) -> DeviceModel:
    return DeviceModel(
        id=row["id"],
        provider=row["provider"],
        title=row["device"],
        capacity_bytes=_number(row["usable_bytes"]),
        offered=row["offered"],
        max_files=_number(row["max_files"]),
        max_object_bytes=_number(row["max_object_bytes"]),
        names=FileNames(row["names"]),
        copy_rate=row["copy_rate"],
        turnaround=row["turnaround"],
        source=row["source"],
        date=row["date"],
        verified=row["verified"],
        note=row["note"],
    )


def _number(text: str) -> int | None:
    return int(text) if text else None


def _wrong(device: Device, *, got: str, expected: str, code: str) -> SpecError:
    return SpecError(
        f"choosing the device {device.model!r}",
        got=got,
        expected=expected,
        state="nothing was planned or touched",
        remedy="correct datasets[].appliance.device; 'heavylift appliance devices' lists the table",
        code=code,
    )
