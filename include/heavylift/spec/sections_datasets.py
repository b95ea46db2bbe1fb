"""The ``datasets`` section: objects that move from one store to another."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from heavylift.spec.appliances import Appliance
from heavylift.spec.base import ConnectionId, Count, Name, Number, Pattern, SpecModel, Text, Url
from heavylift.spec.classes import StorageClasses, StorageClassField
from heavylift.spec.datasets import (
    BANDWIDTHS,
    MEMORY_BUDGETS,
    MIB,
    PART_SIZES,
    STALL_TIMEOUTS,
    TIB,
    DeleteBrake,
    Metadata,
    Verify,
    VerifyField,
)
from heavylift.spec.expectations import TableExpectations
from heavylift.spec.moments import Moment
from heavylift.spec.quantities import BytesPerSecond, RequestsPerSecond, Seconds, SizeBytes
from heavylift.spec.services import ServiceOptions
from heavylift.spec.vocabulary import Conflicts, Deletes, OnConflict, OnUnholdableKey, Platform, Via
from heavylift.spec.windows import WindowText


class Place(SpecModel):
    """Where a dataset lies, on one side."""

    url: Url = Field(
        description="s3://bucket/prefix/, gs://bucket/prefix/, az://container/prefix/ or file:///path."
    )
    connection: ConnectionId | None = Field(
        default=None, description="Connection for this place alone; by default that of its platform."
    )
    platform: Platform | None = Field(
        default=None,
        description="Platform of this place alone; by default that of its side of the migration.",
    )


def _place(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


PlaceField = Annotated[Place, BeforeValidator(_place, json_schema_input_type=Url | Place)]


class LimitOverrides(SpecModel):
    """Limits of a dataset, or of the whole migration; what is not set comes from further out."""

    max_bandwidth: BytesPerSecond | None = Field(
        default=None,
        ge=BANDWIDTHS[0],
        le=BANDWIDTHS[1],
        description="Most bytes a second of the whole dataset: its max_tasks copying tasks share it evenly.",
    )
    max_requests: RequestsPerSecond | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Most requests a second, such as 500/s, that the whole dataset sends to each of its two"
        " stores; shared as max_bandwidth is.",
    )
    max_tasks: Count | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Most shards that are copied at the same time; 4 by default where max_bandwidth or"
        " max_requests is set, else as many as Airflow runs.",
    )
    windows: tuple[WindowText, ...] | None = Field(
        default=None,
        max_length=50,
        description="When objects may be copied, such as '22:00-06:00 Europe/Berlin' or 'Sat-Sun'; at any"
        " time where empty.",
    )
    max_concurrency: Count | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Most objects that one task copies at once, and most requests it has in flight at a"
        " store; 64 by default. Fewer while a store asks for less.",
    )
    shard_objects: Count | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Most objects in one shard (one mapped task); 10,000 by default.",
    )
    shard_size: SizeBytes | None = Field(
        default=None, ge=MIB, le=100 * TIB, description="Most bytes in one shard; 10GiB by default."
    )
    part_size: SizeBytes | None = Field(
        default=None,
        ge=PART_SIZES[0],
        le=PART_SIZES[1],
        description="Size of one part of a multi-part upload; 16MiB by default.",
    )
    memory_budget: SizeBytes | None = Field(
        default=None,
        ge=MEMORY_BUDGETS[0],
        le=MEMORY_BUDGETS[1],
        description="Most memory that one task's buffers take; 128MiB by default.",
    )
    stall_timeout: Seconds | None = Field(
        default=None,
        ge=STALL_TIMEOUTS[0],
        le=STALL_TIMEOUTS[1],
        description="Longest silence of a store before a request is made again; 60s by default.",
    )


class TwoWay(SpecModel):
    """A dataset that is written to on both sides, and kept equal by the sync."""

    conflicts: Conflicts = Field(
        default=Conflicts.STOP,
        description="Which version stays where both sides changed an object: source-wins, target-wins,"
        " newer-wins (by the stores' times), keep-both (the target's under a second name), or stop, which"
        " carries nothing over.",
    )


class Replica(SpecModel):
    """A further target of a dataset."""

    name: Name = Field(description="Unique in its dataset; the copy is called <dataset>_<name>.")
    description: Text = Field(default="", description="For people.")
    target: PlaceField = Field(description="Where the objects go, too: a URL, or url and connection.")
    on_conflict: OnConflict | None = Field(
        default=None, description="As of the dataset; by default what the dataset says."
    )
    deletes: Deletes | None = Field(
        default=None, description="As of the dataset; by default what the dataset says."
    )
    storage_class: StorageClassField | None = Field(
        default=None, description="As of the dataset; by default what the dataset says."
    )
    limits: LimitOverrides = Field(
        default=LimitOverrides(),
        description="Limits of this replica; what is not set comes from the dataset.",
    )
    max_cost_usd: Number | None = Field(
        default=None, ge=0, description="As of the dataset; by default what the dataset says."
    )


class Dataset(SpecModel):
    """Objects under one URL that move to another."""

    name: Name = Field(description="Unique in this file; appears in tasks, evidence and the report.")
    description: Text = Field(default="", description="For people.")
    source: PlaceField = Field(description="Where the objects are: a URL, or url and connection.")
    target: PlaceField = Field(description="Where they go: a URL, or url and connection.")
    include: tuple[Pattern, ...] = Field(
        default=(), description="Only keys that match one of these; all keys where empty."
    )
    exclude: tuple[Pattern, ...] = Field(default=(), description="No keys that match one of these.")
    min_size: SizeBytes | None = Field(default=None, description="Only objects of at least this size.")
    max_size: SizeBytes | None = Field(default=None, description="Only objects of at most this size.")
    modified_since: Moment | None = Field(
        default=None,
        description="Only objects written at this moment or later: a day, a time with its zone, or an age"
        " such as 30d, reckoned from the making of the plan.",
    )
    modified_before: Moment | None = Field(
        default=None, description="Only objects written before this moment; written as modified_since."
    )
    on_conflict: OnConflict = Field(
        default=OnConflict.FAIL,
        description="When the target holds another object under a key: fail, skip (counted) or overwrite.",
    )
    on_unholdable_key: OnUnholdableKey = Field(
        default=OnUnholdableKey.FAIL,
        description="When the target cannot hold a key: fail before anything moves, or skip (and name it).",
    )
    deletes: Deletes = Field(
        default=Deletes.KEEP,
        description="When an object has gone from the source: keep Heavylift's copy on the target, delete it"
        " (propagate), or put it aside (quarantine). Carried out by the sync alone.",
    )
    delete_brake: DeleteBrake = Field(
        default=DeleteBrake(), description="When so much has gone that the sync refuses to delete."
    )
    storage_class: StorageClassField = Field(
        default=StorageClasses(),
        description="The class in which objects arrive: default, keep, or a mapping of source class to"
        " target class.",
    )
    metadata: Metadata = Field(default=Metadata(), description="What travels with the bytes.")
    limits: LimitOverrides = Field(
        default=LimitOverrides(),
        description="Limits of this dataset; what is not set comes from defaults.limits.",
    )
    via: Via = Field(
        default=Via.HEAVYLIFT,
        description="Who moves the objects, Heavylift's workers or a service; both are verified alike.",
    )
    service: ServiceOptions | None = Field(
        default=None, description="Settings of the transfer service; only with via."
    )
    max_cost_usd: Number | None = Field(
        default=None,
        ge=0,
        description="Refuse to start where the estimate is higher, or where a price in it is not known.",
    )
    verify: VerifyField = Field(
        default=Verify(), description="full, sample, or a mapping of mode, method and sample."
    )
    appliance: Appliance | None = Field(
        default=None, description="Devices on which the objects travel; without it all go online."
    )
    expectations: tuple[TableExpectations, ...] = Field(
        default=(), description="Checks of the tables (Parquet, CSV) among the objects, on both sides."
    )
    replicas: tuple[Replica, ...] = Field(
        default=(),
        max_length=20,
        description="Further targets, each planned, copied, verified, reported and gated as a dataset of"
        " its own; Heavylift's workers move them.",
    )
    two_way: TwoWay | None = Field(
        default=None,
        description="Both sides are written to: the sync carries changes in both directions. Needs deletes:"
        " quarantine.",
    )

    @property
    def filters_by_size(self) -> bool:
        """Whether an object's size decides on its move."""
        return self.min_size is not None or self.max_size is not None

    @property
    def filters_by_age(self) -> bool:
        """Whether the time an object was written decides on its move."""
        return self.modified_since is not None or self.modified_before is not None
