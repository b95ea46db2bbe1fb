"""The ``appliance`` section of a dataset: objects that travel on a device instead of a line."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from heavylift.locations import parse_location
from heavylift.spec.base import Count, Flag, Name, Number, SpecModel, Url, wrong
from heavylift.spec.quantities import SizeBytes

OWN_FOLDER = "heavylift"
"""The folder at a device's root that holds the load manifest and what identifies the device."""

CUSTOM = "custom"
"""The model of a device that the spec describes itself."""


class FileNames(StrEnum):
    """Which names the file system of a device can hold."""

    POSIX = "posix"
    WINDOWS = "windows"


class Ingest(StrEnum):
    """Who brings a device's content into the target."""

    PROVIDER = "provider"
    COPY = "copy"


class Device(SpecModel):
    """A model of the table of devices, or one that is described here."""

    model: Name = Field(
        default=CUSTOM,
        description="A device of 'heavylift appliance devices', or a name for one that is described here.",
    )
    capacity: SizeBytes | None = Field(
        default=None,
        ge=1,
        description="Usable bytes; by default the table's. A must for a device of your own.",
    )
    max_files: Count | None = Field(
        default=None, ge=1, description="Most files that one device takes; by default the table's."
    )
    max_object_size: SizeBytes | None = Field(
        default=None,
        ge=1,
        description="Largest file that the device or its ingest takes; by default the table's.",
    )
    max_path_bytes: Count | None = Field(
        default=None, ge=100, le=4000, description="Longest path of a file below the mount, in bytes."
    )
    names: FileNames | None = Field(
        default=None,
        description="What the device's file system can hold; by default the table's, else posix.",
    )
    owned: Flag = Field(
        default=False,
        description="You have this device, although it is not offered to new customers any more.",
    )


def _device(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


DeviceField = Annotated[Device, BeforeValidator(_device, json_schema_input_type=Name | Device)]


def _check_mount(value: str) -> str:
    location = parse_location(value)
    if location.scheme != "file" or location.container == "/":
        raise wrong("url", "file:///path of the folder below which the devices are mounted")
    return value


def _check_folder(value: str) -> str:
    segments = value.split("/")
    fits = all(re.fullmatch(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,99}", segment) for segment in segments)
    if not fits or segments[0].lower() == OWN_FOLDER:
        raise wrong(
            "url", f"a relative path of plain names, whose first is not {OWN_FOLDER!r}, such as data/training"
        )
    return value


class Appliance(SpecModel):
    """How a dataset's objects travel on devices; what changes meanwhile follows online."""

    device: DeviceField = Field(description="The model of device: a name, or a mapping that describes one.")
    count: Count | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Most devices; what does not fit on them goes online. As many as needed where not set.",
    )
    mount: Annotated[Url, AfterValidator(_check_mount)] = Field(
        description="file:///path of the folder below which each device is mounted, under its own name."
    )
    folder: Annotated[str, AfterValidator(_check_folder)] = Field(
        default="data",
        description="Folder on the device that holds the objects; its content is what the provider ingests.",
    )
    require_mount_point: Flag = Field(
        default=True,
        description="Refuse a folder that is no mount point, so that no root disk is filled by mistake.",
    )
    fill: Number = Field(
        default=0.95, gt=0.0, le=1.0, description="Share of the capacity that is planned to be filled."
    )
    ingest: Ingest = Field(
        default=Ingest.PROVIDER,
        description="provider: a person confirms its ingest; copy: Heavylift copies from the device.",
    )
    restore_attributes: Flag = Field(
        default=True,
        description="Write objects again whose headers, metadata or tags the ingest lost; else name them.",
    )

    @model_validator(mode="after")
    def _own_device_is_described(self) -> Appliance:
        if self.device.model == CUSTOM and self.device.capacity is None:
            raise wrong(
                "contradiction",
                "a capacity beside a device of your own",
                got="a custom device of no capacity",
            )
        return self
