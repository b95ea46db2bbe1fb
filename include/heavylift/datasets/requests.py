"""What a check of a dataset's tables is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.platforms.places import Place
from heavylift.spec.expectations import TableExpectations
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import ResolvedPlace, find_dataset

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class CheckLimits:
    """How much of the machine one check may take, whatever the size of the data.

    :param temp_bytes: most bytes of downloaded objects on disk at a time; larger tables are
        worked through in parts of this size. Sorting may spill as much again.
    :param memory_bytes: most memory of the profiling engine.
    :param frame_bytes: most memory that one side's rows take when expectations run on them.
    :param threads: threads of the profiling engine.
    :param downloads: objects read at the same time.
    """

    temp_bytes: int = 4 * GIB
    memory_bytes: int = 512 * MIB
    frame_bytes: int = GIB
    threads: int = 2
    downloads: int = 8


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
        limits=limits or CheckLimits(),
    )


def _place(place: ResolvedPlace, connections: Callable[[str], Connection]) -> Place:
    location = place.location
    return Place(location, None if location.scheme == "file" else connections(place.connection))
