"""What a test of the moved workload is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import SpecError
from heavylift.locations import parse_location
from heavylift.platforms.bodies import Bodies, fetch_bodies
from heavylift.platforms.places import Place

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_workload import WorkloadTests

Tell = Callable[[str], None]


def silent(_text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class WorkloadRequest:
    """One migration whose moved workload is tested.

    :param connections: looks a connection up by its id.
    """

    store: EvidenceStore
    spec: MigrationSpec
    run: RunKey
    actor: str
    connections: Callable[[str], Connection]

    @property
    def section(self) -> WorkloadTests:
        """The section workload_tests.

        :raises SpecError: there is none.
        """
        if self.spec.workload_tests is not None:
            return self.spec.workload_tests
        raise SpecError(
            f"testing the workload of {self.spec.migration}",
            got="a spec without a section workload_tests",
            expected="one that says how the moved workload is tested",
            state="nothing was sent",
            remedy="add the section, see docs/reference/workload-tests.md",
            code="9335",
        )

    @property
    def target(self) -> Connection:
        """The connection of the target's endpoint."""
        return self.connections(self.section.connection)

    def place(self, url: str) -> Place:
        """Return where golden requests, or recorded answers, lie."""
        location = parse_location(url)
        lies_with = self.section.requests_connection or self.spec.target.connection
        return Place(location, None if location.scheme == "file" else self.connections(lies_with))

    async def bodies(self) -> Bodies:
        """Read the golden requests."""
        return await fetch_bodies(self.place(self.section.requests))
