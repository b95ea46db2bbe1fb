"""Takes inventories of any system, and graphs of several, in a test's own evidence store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.connections import connection_from_fields
from heavylift.evidence.assess_evidence import ASSESS_PHASE
from heavylift.evidence.inventory_files import read_components
from heavylift.evidence.inventory_records import Component, InventoryRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.inventory.api import Drawn, make_graph, take_inventory
from heavylift.inventory.requests import InventoryOptions, InventoryRequest
from heavylift.spec.vocabulary import System

MIGRATION = "systems"


@dataclass(frozen=True)
class Taken:
    """One inventory."""

    record: InventoryRecord
    components: list[Component]

    @property
    def ids(self) -> dict[str, str]:
        return {each.id: each.native_type for each in self.components}


def take(
    system: str,
    raw: Mapping[str, Any],
    evidence: Path,
    *,
    conn: str = "",
    run: str = "first",
    regions: tuple[str, ...] = (),
) -> Taken:
    """Take an inventory through a connection of that form."""
    name = conn or system
    request = InventoryRequest(
        run=RunKey(migration=MIGRATION, phase=ASSESS_PHASE, run=f"{run}-{name}"),
        platform=System(system),
        connection=connection_from_fields(name, raw),
        evidence_url=evidence.as_uri(),
        evidence_connection=None,
        options=InventoryOptions(regions, max_requests=None),
    )

    async def act() -> Taken:
        record, _ = await take_inventory(request)
        async with open_evidence(evidence.as_uri()) as store:
            return Taken(record, await read_components(store, record.components))

    return asyncio.run(act())


def take_graph(evidence: Path, conn: str, also: tuple[str, ...] = ()) -> Drawn:
    """Make the graph of the last inventories of one connection and others."""

    async def make() -> Drawn:
        async with open_evidence(evidence.as_uri()) as store:
            return await make_graph(store, MIGRATION, conn, also=also)

    return asyncio.run(make())
