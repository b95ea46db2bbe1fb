"""Joins the inventories of several platforms, so that what one names is found in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.inventory_files import read_joined, read_references

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import (
        Component,
        InventoryFinding,
        InventoryRecord,
        Reference,
    )
    from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class Joined:
    """All that several inventories have.

    :param complete: each of them is.
    """

    components: list[Component]
    references: list[Reference]
    regions: tuple[str, ...]
    findings: tuple[InventoryFinding, ...]
    complete: bool


async def join(store: EvidenceStore, records: Sequence[InventoryRecord]) -> Joined:
    """Return what all inventories have; what two of them have counts once."""
    references: dict[tuple[str, str, str, str], Reference] = {}
    for record in records:
        for each in await read_references(store, record.references):
            references.setdefault((each.component, each.field, each.target, each.relation), each)
    return Joined(
        await read_joined(store, records),
        list(references.values()),
        tuple(dict.fromkeys(region for record in records for region in record.regions)),
        tuple(finding for record in records for finding in record.findings),
        all(record.complete for record in records),
    )
