"""The rows of a deletion: what was to go, and what became of it."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, fields
from pathlib import Path

from heavylift.evidence.paths import dataset_folder
from heavylift.evidence.records import EvidenceRef, RunKey
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.row_files import INTEGER, TEXT, Columns, read_rows, write_rows

FLUSH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class GoneRow:
    """One object of the target that has gone from the source, in the version that may go."""

    rel: str
    size_bytes: int
    source_version: str
    target_version: str
    crc32c: str | None = None


@dataclass(frozen=True, slots=True)
class DoneRow:
    """What became of one object, and when (microseconds since 1970 UTC)."""

    gone: GoneRow
    outcome: str
    detail: str
    at_us: int


async def read_gone(evidence: EvidenceStore, ref: EvidenceRef | None, work: Path) -> list[GoneRow]:
    """Return the rows of a plan; none where it lets nothing go."""
    if ref is None:
        return []
    path = work / "gone.parquet"
    await evidence.fetch(ref.path, path)
    return [GoneRow(*row) for row in read_rows(path, [field.name for field in fields(GoneRow)])]


class DoneRows:
    """Keeps rows as evidence, some thousands at a time, so that a kill loses few."""

    def __init__(self, evidence: EvidenceStore, run: RunKey, dataset: str, work: Path) -> None:
        self._evidence = evidence
        self._folder = f"{dataset_folder(run, dataset)}/deletes/{uuid.uuid4().hex}"
        self._work = work
        self._rows: list[DoneRow] = []
        self._lock = asyncio.Lock()
        self.refs: list[EvidenceRef] = []

    async def add(self, row: DoneRow) -> None:
        """Take in one row."""
        self._rows.append(row)
        if len(self._rows) >= FLUSH_ROWS:
            await self.flush()

    async def flush(self) -> None:
        """Write what is waiting."""
        async with self._lock:
            rows, self._rows = self._rows, []
            if not rows:
                return
            path = self._work / "done.parquet"
            _write(path, rows)
            name = f"{self._folder}/rows-{len(self.refs)}.parquet"
            self.refs.append(await self._evidence.write_file(name, path, PARQUET))


_DONE: Columns = {
    "rel": TEXT,
    "size_bytes": INTEGER,
    "source_version": TEXT,
    "target_version": TEXT,
    "crc32c": TEXT,
    "outcome": TEXT,
    "detail": TEXT,
    "at_us": INTEGER,
}


def _write(path: Path, rows: list[DoneRow]) -> None:
    of_gone = ("rel", "size_bytes", "source_version", "target_version", "crc32c")
    block = [[getattr(row.gone if name in of_gone else row, name) for row in rows] for name in _DONE]
    write_rows(path, _DONE, block)
