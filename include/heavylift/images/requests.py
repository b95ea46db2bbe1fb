"""What a copy of images is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.records import RunKey
from heavylift.platforms.oci.names import Place, parse_place
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_containers import Containers

IMAGES_PHASE = "images"
"""Under which the shell's runs lie; those of the DAG are of the phase provision."""


def untold() -> None:
    """Tell nobody that something is written."""


@dataclass(frozen=True)
class ImagesRequest:
    """One copy, comparison or list.

    :param named: images that manifests or inventories name; those of other registries are left out. None:
        neither was asked.
    :param dry_run: nothing is written on the target.
    :param deep: a comparison reads and hashes every blob of the target's.
    :param touching: called before the first write.
    """

    run: RunKey
    source: Connection = field(repr=False)
    target: Connection = field(repr=False)
    wanted: Containers
    named: tuple[str, ...] | None = None
    dry_run: bool = False
    deep: bool = False
    touching: Callable[[], None] = untold

    @property
    def places(self) -> tuple[Place, Place]:
        """The registries of source and target.

        :raises SpecError: one cannot be read.
        """
        return parse_place(self.wanted.source), parse_place(self.wanted.target)


def connections_of(spec: MigrationSpec) -> tuple[str, str]:
    """Return the ids of the connections of a spec's registries, source and target."""
    wanted = section_of(spec)
    return (
        wanted.source_connection or spec.source.connection,
        wanted.target_connection or spec.target.connection,
    )


def section_of(spec: MigrationSpec) -> Containers:
    """Return a spec's section.

    :raises SpecError: it has none.
    """
    if spec.containers is None:
        raise SpecError(
            f"copying the images of {spec.migration}",
            got="a spec without a section containers",
            expected="a section containers with source and target at least",
            state="nothing was touched",
            remedy="say in the section containers which images move",
            code="9161",
        )
    return spec.containers
