"""What a transfer is asked to do: one dataset, from one place to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.objects.filters import Filters
from heavylift.platforms.places import Place
from heavylift.spec.classes import StorageClasses
from heavylift.spec.datasets import DeleteBrake, Limits, Metadata, Verify
from heavylift.spec.services import ServiceOptions
from heavylift.spec.vocabulary import Deletes, OnConflict, OnUnholdableKey, Via

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.resolve import ResolvedPlace

SYNC = "sync"
"""The phase in which earlier proofs are trusted, and objects may be deleted."""

OBJECTS_WORTH_A_SHARD = 1000
"""With fewer, to begin one more shard takes longer than it saves."""
MAX_SHARDS = 1000
"""Airflow maps one task over at most 1,024 items by default."""


@dataclass(frozen=True)
class CostOptions:
    """What an estimate needs besides counts.

    :param source_platform: who bills the source; None leaves it to the URL's scheme.
    :param prices: a CSV file with prices of one's own.
    :param max_usd: the most that the estimate may come to.
    """

    source_platform: str | None = None
    target_platform: str | None = None
    prices: Path | None = None
    max_usd: float | None = None


@dataclass(frozen=True)
class TransferOptions:
    """How the objects are chosen, moved and proved; defaults are the spec's.

    :param tasks_at_once: how many tasks of this dataset may copy shards at the same time; they share
        its caps evenly.
    :param fewest_shards: a plan is cut into so many shards where it has objects enough for them.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    tasks_at_once: int = 1
    fewest_shards: int = 1
    on_conflict: OnConflict = OnConflict.FAIL
    on_unholdable_key: OnUnholdableKey = OnUnholdableKey.FAIL
    metadata: Metadata = field(default_factory=Metadata)
    limits: Limits = field(default_factory=Limits)
    verify: Verify = field(default_factory=Verify)
    storage_class: StorageClasses = field(default_factory=StorageClasses)
    rolling: int | None = None
    """In a sync: trust what was proved before, but for one of so many slices, or none (0). None
    compares everything afresh."""
    deletes: Deletes = Deletes.KEEP
    delete_brake: DeleteBrake = field(default_factory=DeleteBrake)
    allow_many_deletes: bool = False
    """Somebody has looked, and lets this run delete what the brake would refuse."""
    dry_run: bool = False
    via: Via = Via.HEAVYLIFT
    service: ServiceOptions = field(default_factory=ServiceOptions)
    cost: CostOptions = field(default_factory=CostOptions)


@dataclass(frozen=True)
class TransferRequest:
    """One dataset's move within one run.

    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    """

    run: RunKey
    dataset: str
    source: Place
    target: Place
    evidence_url: str | None
    evidence_connection: Connection | None
    options: TransferOptions = field(default_factory=TransferOptions)


def transfer_request(
    spec: MigrationSpec,
    dataset: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    dry_run: bool = False,
    bandwidth_bytes_per_second: int | None = None,
    shard_objects: int | None = None,
    tasks_at_once: int | None = None,
    folder: Path | None = None,
    allow_many_deletes: bool = False,
) -> TransferRequest:
    """Return the request that moves one dataset of a spec.

    :param connections: looks a connection up by its id.
    :param bandwidth_bytes_per_second: overrides the spec's limit for this run.
    :param shard_objects: overrides the spec's shard size for this run.
    :param tasks_at_once: how many tasks of the dataset its caller lets copy at the same time; by
        default as many as the spec's limits allow, or one where they do not say.
    :param folder: the spec's folder, from which a relative file of prices is taken.
    :param allow_many_deletes: lets this run delete what the dataset's brake would refuse.
    :raises NotFoundError: the spec has no such dataset.
    """
    from heavylift.spec.resolve import find_dataset

    found = find_dataset(spec, dataset)
    overrides: dict[str, int] = {}
    if bandwidth_bytes_per_second:
        overrides["max_bandwidth"] = bandwidth_bytes_per_second
    if shard_objects:
        overrides["shard_objects"] = shard_objects
    return TransferRequest(
        run=run,
        dataset=dataset,
        source=_place(found.source, connections),
        target=_place(found.target, connections),
        evidence_url=spec.evidence.url,
        evidence_connection=connections(spec.evidence.connection) if spec.evidence.connection else None,
        options=TransferOptions(
            include=found.include,
            exclude=found.exclude,
            filters=Filters(found.min_size, found.max_size, found.modified_since, found.modified_before),
            tasks_at_once=tasks_at_once or found.limits.max_tasks or 1,
            on_conflict=found.on_conflict,
            on_unholdable_key=found.on_unholdable_key,
            metadata=found.metadata,
            limits=found.limits.model_copy(update=overrides),
            verify=found.verify,
            rolling=found.verify.rolling if run.phase == SYNC else None,
            storage_class=found.storage_class,
            deletes=found.deletes,
            delete_brake=found.delete_brake,
            allow_many_deletes=allow_many_deletes,
            dry_run=dry_run,
            via=found.via,
            service=found.service,
            cost=CostOptions(
                source_platform=found.source.platform.value,
                target_platform=found.target.platform.value,
                prices=_beside(spec.defaults.prices, folder),
                max_usd=found.max_cost_usd,
            ),
        ),
    )


def _beside(prices: str | None, folder: Path | None) -> Path | None:
    return (folder or Path()) / prices if prices else None


def _place(resolved: ResolvedPlace, connections: Callable[[str], Connection]) -> Place:
    location = resolved.location
    needs_none = location.scheme == "file" or not resolved.connection
    return Place(location, None if needs_none else connections(resolved.connection))
