"""How far a snapshot has come, for logs and screens."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class SnapshotProgress:
    """One look at a snapshot that is under way.

    :param step: what is being done, in a few words.
    :param size_bytes: bytes of rows that have gone through in this run.
    :param size_total: bytes on disk of the ranges that this run has to copy; an estimate of the above.
    :param rate: bytes per second so far in this run.
    :param seconds_left: of copying, as it looks now; None where nothing can be said.
    """

    step: str
    tables_done: int = 0
    tables: int = 0
    ranges_done: int = 0
    ranges: int = 0
    rows: int = 0
    size_bytes: int = 0
    size_total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None

    def __str__(self) -> str:
        left = "" if self.seconds_left is None else f", about {self.seconds_left:.0f} s left"
        return (
            f"{self.step}: tables {self.tables_done} of {self.tables}, ranges {self.ranges_done} of"
            f" {self.ranges}, {self.rows} rows, {self.size_bytes / 1e6:.1f} MB at"
            f" {self.rate / 1e6:.1f} MB/s{left}"
        )


class Counting:
    """Counts what several threads bring; :meth:`look` may be called from any."""

    def __init__(
        self, *, tables: int, tables_done: int, ranges: int, ranges_done: int, size_total: int
    ) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._tables, self._tables_done = tables, tables_done
        self._ranges, self._ranges_done = ranges, ranges_done
        self._first_done = ranges_done
        self._rows = self._size = 0
        self._size_total = size_total

    def moved(self, size: int) -> None:
        """Count bytes that have gone through."""
        with self._lock:
            self._size += size

    def range_done(self, rows: int) -> None:
        """Count a range whose rows are committed."""
        with self._lock:
            self._ranges_done += 1
            self._rows += rows

    def table_done(self) -> None:
        """Count a table that is complete."""
        with self._lock:
            self._tables_done += 1

    def look(self, step: str) -> SnapshotProgress:
        """Return how far it has come."""
        with self._lock:
            seconds = max(time.monotonic() - self._began, 1e-6)
            rate = self._size / seconds
            left = max(self._size_total - self._size, 0) / rate if rate else None
            if self._ranges_done >= self._ranges:
                left = 0.0
            return SnapshotProgress(
                step,
                self._tables_done,
                self._tables,
                self._ranges_done,
                self._ranges,
                self._rows,
                self._size,
                max(self._size_total, self._size),
                rate,
                left,
            )
