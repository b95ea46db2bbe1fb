"""Writing a manifest while objects are being settled."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.manifest import ManifestCells, ManifestRow, cells_of, write_manifest

FLUSH_ROWS = 2_000
FLUSH_SECONDS = 10.0


class ManifestWriter:
    """Writes manifest rows to the evidence store every few seconds, so that a kill loses few."""

    def __init__(
        self,
        evidence: EvidenceStore,
        path_of: Callable[[int], str],
        *,
        rows: int = FLUSH_ROWS,
        seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._evidence = evidence
        self._path_of = path_of
        self._most_rows, self._most_seconds = rows, seconds
        self._rows: list[ManifestCells] = []
        self._flushed_at = time.monotonic()
        self._lock = asyncio.Lock()
        self.refs: list[EvidenceRef] = []

    def add(self, row: ManifestRow) -> bool:
        """Take in a row; True when it is time to write."""
        self._rows.append(cells_of(row))
        late = time.monotonic() - self._flushed_at > self._most_seconds
        return late or len(self._rows) >= self._most_rows

    async def flush(self) -> None:
        """Write what is waiting."""
        async with self._lock:
            rows, self._rows = self._rows, []
            self._flushed_at = time.monotonic()
            if not rows:
                return
            with tempfile.TemporaryDirectory(prefix="heavylift-manifest-") as folder:
                path = Path(folder) / "manifest.parquet"
                write_manifest(path, rows)
                self.refs.append(
                    await self._evidence.write_file(self._path_of(len(self.refs)), path, PARQUET)
                )
