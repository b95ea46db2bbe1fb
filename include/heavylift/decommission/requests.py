"""What every act on a migration's source is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import SpecError
from heavylift.platforms.wiring import open_store

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore
    from heavylift.platforms.ports import ObjectStore
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.resolve import ResolvedPlace
    from heavylift.spec.sections_decommission import Decommission

Tell = Callable[[str], None]


def silent(_text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class LeavingRequest:
    """One migration whose source is given up.

    :param spec: as it is written, with everything that has moved.
    :param actor: who does it, for the audit trail.
    :param connections: looks a connection up by its id.
    """

    store: EvidenceStore
    spec: MigrationSpec
    run: RunKey
    actor: str
    connections: Callable[[str], Connection]

    @property
    def section(self) -> Decommission:
        """The section decommission.

        :raises SpecError: there is none.
        """
        if self.spec.decommission is not None:
            return self.spec.decommission
        raise SpecError(
            f"giving up the source of {self.spec.migration}",
            got="a spec without a section decommission",
            expected="one that names who answers for the source, and what must be kept",
            state="nothing was touched",
            remedy="add the section, see docs/reference/decommission.md",
            code="9306",
        )

    @asynccontextmanager
    async def open(self, place: ResolvedPlace) -> AsyncIterator[ObjectStore]:
        """Open a place of a dataset for the block."""
        needs = place.location.scheme != "file"
        connection = self.connections(place.connection) if needs else None
        async with open_store(place.location, connection) as objects:
            yield objects
