"""The rows of a deletion: what was to go, and what became of it."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path

from heavylift.evidence.paths import dataset_folder
from heavylift.evidence.records import EvidenceRef, RunKey
from heavylift.evidence.store import PARQUET, EvidenceStore

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
    import pyarrow.parquet as pq

    if ref is None:
        return []
    path = work / "gone.parquet"
    await evidence.fetch(ref.path, path)
    return [GoneRow(**row) for row in pq.read_table(path).to_pylist()]


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


def _write(path: Path, rows: list[DoneRow]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    columns = {
        "rel": pa.array([row.gone.rel for row in rows], text),
        "size_bytes": pa.array([row.gone.size_bytes for row in rows], pa.int64()),
        "source_version": pa.array([row.gone.source_version for row in rows], text),
        "target_version": pa.array([row.gone.target_version for row in rows], text),
        "crc32c": pa.array([row.gone.crc32c for row in rows], text),
        "outcome": pa.array([row.outcome for row in rows], text),
        "detail": pa.array([row.detail for row in rows], text),
        "at_us": pa.array([row.at_us for row in rows], pa.int64()),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")
