"""A dataset with everything that it inherits filled in: what the movers take."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.errors import NotFoundError
from heavylift.locations import Location, parse_location
from heavylift.spec.appliances import Appliance
from heavylift.spec.classes import StorageClasses
from heavylift.spec.datasets import DeleteBrake, Limits, Metadata, Verify
from heavylift.spec.expectations import TableExpectations
from heavylift.spec.model import MigrationSpec
from heavylift.spec.platforms import Side
from heavylift.spec.sections_datasets import Dataset, LimitOverrides, Place, TwoWay
from heavylift.spec.services import ServiceOptions
from heavylift.spec.vocabulary import Deletes, OnConflict, OnUnholdableKey, Platform, Via

TASKS_UNDER_A_CAP = 4


@dataclass(frozen=True)
class ResolvedPlace:
    """One side of a dataset: where it is and the connection that opens it."""

    url: str
    connection: str
    platform: Platform
    location: Location


@dataclass(frozen=True)
class ResolvedDataset:
    """A dataset, its connections, platforms and limits inherited from the migration."""

    migration: str
    name: str
    source: ResolvedPlace
    target: ResolvedPlace
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    min_size: int | None
    max_size: int | None
    modified_since: str | None
    modified_before: str | None
    on_conflict: OnConflict
    on_unholdable_key: OnUnholdableKey
    deletes: Deletes
    delete_brake: DeleteBrake
    storage_class: StorageClasses
    metadata: Metadata
    limits: Limits
    verify: Verify
    expectations: tuple[TableExpectations, ...]
    via: Via
    service: ServiceOptions
    max_cost_usd: float | None
    appliance: Appliance | None = None
    two_way: TwoWay | None = None


def resolve_dataset(spec: MigrationSpec, dataset: Dataset) -> ResolvedDataset:
    """Return ``dataset`` with what it inherits from ``spec``."""
    return ResolvedDataset(
        migration=spec.migration,
        name=dataset.name,
        source=resolve_place(spec.source, dataset.source),
        target=resolve_place(spec.target, dataset.target),
        include=dataset.include,
        exclude=dataset.exclude,
        min_size=dataset.min_size,
        max_size=dataset.max_size,
        modified_since=dataset.modified_since,
        modified_before=dataset.modified_before,
        on_conflict=dataset.on_conflict,
        on_unholdable_key=dataset.on_unholdable_key,
        deletes=dataset.deletes,
        delete_brake=dataset.delete_brake,
        storage_class=dataset.storage_class,
        metadata=dataset.metadata,
        limits=merge_limits(spec.defaults.limits, dataset.limits),
        verify=dataset.verify,
        expectations=dataset.expectations,
        via=dataset.via,
        service=dataset.service or ServiceOptions(),
        max_cost_usd=dataset.max_cost_usd,
        appliance=dataset.appliance,
        two_way=dataset.two_way,
    )


def resolve_datasets(spec: MigrationSpec) -> tuple[ResolvedDataset, ...]:
    """Return all datasets of ``spec``, in the file's order."""
    return tuple(resolve_dataset(spec, dataset) for dataset in spec.datasets)


def find_dataset(spec: MigrationSpec, name: str) -> ResolvedDataset:
    """Return the dataset called ``name``.

    :raises NotFoundError: the spec has none of that name.
    """
    for dataset in spec.datasets:
        if dataset.name == name:
            return resolve_dataset(spec, dataset)
    raise NotFoundError(
        f"looking up dataset {name!r} of migration {spec.migration!r}",
        got="no dataset of that name",
        expected=", ".join(dataset.name for dataset in spec.datasets) or "a dataset",
        state="nothing was touched",
        remedy="name a dataset of the spec",
        code="2190",
    )


def merge_limits(outer: LimitOverrides, inner: LimitOverrides) -> Limits:
    """Return the limits that hold where ``inner`` lies within ``outer``.

    A cap is for the dataset as a whole, so it needs a number of tasks to be shared by.
    """
    chosen = {**outer.model_dump(exclude_none=True), **inner.model_dump(exclude_none=True)}
    if "max_bandwidth" in chosen or "max_requests" in chosen:
        chosen.setdefault("max_tasks", TASKS_UNDER_A_CAP)
    return Limits.model_validate(chosen)


def resolve_place(side: Side, place: Place) -> ResolvedPlace:
    """Return a place with what it inherits from its side."""
    return ResolvedPlace(
        url=place.url,
        connection=place.connection or side.connection,
        platform=place.platform or side.platform,
        location=parse_location(place.url),
    )
