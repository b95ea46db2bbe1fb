"""What a run has read up to now, in the evidence store: a killed run goes on with what is not there.

Each unit has a folder: chunks of what was read, as JSON lines, then ``done.json``, without which the unit
is listed again, and only what no chunk has is described.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.inventory_records import (
    Component,
    How,
    Kind,
    Reference,
    UnitRecord,
    inventory_folder,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import safe_segment
from heavylift.inventory.reading import Read

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore
    from heavylift.inventory.reading import Unit
    from heavylift.inventory.requests import InventoryRequest

GZIP = "application/gzip"
_SIZES = "~sizes"


@dataclass
class Kept:
    """What the store has of a unit.

    :param keys: of the items that were read.
    """

    keys: set[str] = field(default_factory=set)
    chunks: int = 0
    components: int = 0
    vanished: int = 0


class Parts:
    """The chunks of one inventory, beside its record."""

    def __init__(self, store: EvidenceStore, request: InventoryRequest, number: int) -> None:
        self._store = store
        self._folder = f"{inventory_folder(request.run, request.connection.conn_id)}/units-{number}"

    async def finished(self, units: Sequence[Unit]) -> dict[str, UnitRecord]:
        """Return the units that were read to their end, by name."""
        there = set(await self._store.names(self._folder))
        return {
            unit.name: await self._store.read_record(path, UnitRecord)
            for unit in units
            if (path := f"{self._of(unit)}/done.json") in there
        }

    async def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the bytes and objects of what was measured, by id."""
        known: dict[str, tuple[int, int]] = {}
        for path in await self._store.names(f"{self._folder}/{_SIZES}"):
            found = await self._store.read_json(path)
            known |= {id: (int(size), int(objects)) for id, (size, objects) in found["sizes"].items()}
        return known

    async def keep_sizes(self, found: Mapping[str, tuple[int, int]]) -> None:
        """Keep what was measured."""
        document = {"schema_version": "heavylift/inventory-sizes/v1", "sizes": dict(found)}
        await write_next(self._store, lambda n: f"{self._folder}/{_SIZES}/{n:06d}.json", document)

    async def kept(self, unit: Unit) -> Kept:
        """Return what the store has of an unfinished unit."""
        kept = Kept()
        async for lines in self._chunks(unit):
            kept.chunks += 1
            for line in lines:
                kept.keys.add(line["key"])
                kept.components += line["component"] is not None
                kept.vanished += line["component"] is None
        return kept

    async def add(self, unit: Unit, number: int, reads: Sequence[Read]) -> None:
        """Keep one chunk; a chunk of the same number that an earlier process left half told is passed by."""
        lines = "\n".join(json.dumps(_line(read), sort_keys=True, ensure_ascii=True) for read in reads)
        data = gzip.compress(lines.encode(), compresslevel=4, mtime=0)
        try:
            await self._store.write_bytes(f"{self._of(unit)}/{number:06d}.jsonl.gz", data, GZIP)
        except AlreadyExistsError:
            await self.add(unit, number + 1, reads)

    async def finish(self, unit: Unit, record: UnitRecord) -> None:
        """Note that a unit was read to its end."""
        await self._store.write_json(f"{self._of(unit)}/done.json", record)

    async def read(self, unit: Unit) -> AsyncIterator[Read]:
        """Yield all that was read of a unit, in the order in which it was."""
        async for lines in self._chunks(unit):
            for line in lines:
                yield _read(line)

    async def _chunks(self, unit: Unit) -> AsyncIterator[list[dict[str, Any]]]:
        for path in await self._store.names(self._of(unit)):
            if path.endswith(".jsonl.gz"):
                text = gzip.decompress(await self._store.read_bytes(path)).decode()
                yield [json.loads(line) for line in text.splitlines()]

    def _of(self, unit: Unit) -> str:
        return f"{self._folder}/{safe_segment(unit.name.replace('::', '.').replace('|', '.'))}"


def _line(read: Read) -> dict[str, Any]:
    return {
        "key": read.key,
        "component": None if read.component is None else asdict(read.component),
        "references": [asdict(reference) for reference in read.references],
    }


def _read(line: dict[str, Any]) -> Read:
    component = line["component"]
    return Read(
        line["key"],
        None if component is None else Component(**{**component, "kind": Kind(component["kind"])}),
        tuple(Reference(**{**each, "how": How(each["how"])}) for each in line["references"]),
    )
