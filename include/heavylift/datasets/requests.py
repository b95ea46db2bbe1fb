"""What a check of a dataset's tables is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits
from heavylift.spec.expectations import TableExpectations
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import ResolvedPlace, find_dataset

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class CheckLimits:
    """How much of the machine one check may take, whatever the size of the data.

    :param temp_bytes: most bytes of downloaded objects on disk at a time; larger tables are
        worked through in parts of this size. An object that is larger by itself may take half
        of the free disk. Sorting may spill ``temp_bytes`` again.
    :param memory_bytes: most memory of the profiling engine.
    :param frame_bytes: most memory that one side's rows take while expectations run on them.
    :param threads: threads of the profiling engine.
    :param downloads: objects read at the same time.
    :param bandwidth_bytes_per_second: of all downloads together; None sets no limit.
    """

    temp_bytes: int = 4 * GIB
    memory_bytes: int = 512 * MIB
    frame_bytes: int = GIB
    threads: int = 2
    downloads: int = 8
    bandwidth_bytes_per_second: int | None = None


def check_limits(limits: Limits) -> CheckLimits:
    """Return the limits of a check where the spec has these for its dataset.

    With the default memory budget of 128 MiB the engine gets 512 MiB and a side's rows 1 GiB.
    """
    return CheckLimits(
        memory_bytes=4 * limits.memory_budget,
        frame_bytes=8 * limits.memory_budget,
        downloads=min(CheckLimits.downloads, limits.max_concurrency),
        bandwidth_bytes_per_second=limits.max_bandwidth,
    )


@dataclass(frozen=True)
class DatasetCheckRequest:
    """The tables of one dataset, compared between two places within one run.

    :param expectations: the dataset's section of the spec, one entry a table.
    :param include: the dataset's own patterns; what is not moved is not compared.
    """

    run: RunKey
    dataset: str
    source: Place
    target: Place
    expectations: tuple[TableExpectations, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: CheckLimits = field(default_factory=CheckLimits)


def dataset_check_request(
    spec: MigrationSpec,
    dataset: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    limits: CheckLimits | None = None,
) -> DatasetCheckRequest:
    """Return the request that checks one dataset of a spec.

    :param connections: looks a connection up by its id.
    :param limits: by default those that the dataset's limits in the spec give.
    :raises NotFoundError: the spec has no such dataset.
    """
    found = find_dataset(spec, dataset)
    return DatasetCheckRequest(
        run=run,
        dataset=dataset,
        source=_place(found.source, connections),
        target=_place(found.target, connections),
        expectations=found.expectations,
        include=found.include,
        exclude=found.exclude,
        limits=limits or check_limits(found.limits),
    )


def _place(place: ResolvedPlace, connections: Callable[[str], Connection]) -> Place:
    location = place.location
    return Place(location, None if location.scheme == "file" else connections(place.connection))
