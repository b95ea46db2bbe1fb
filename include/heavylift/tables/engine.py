"""The port behind which every way of moving a database stands: what operators and commands call.

All of it blocks; :mod:`heavylift.tables.api` runs it beside the event loop, and writes the evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from heavylift.errors import TransientError, UnsupportedError
from heavylift.evidence.table_records import (
    DrainRecord,
    PreflightRecord,
    ReverseRecord,
    SnapshotRecord,
    StreamStatus,
    SyncRecord,
    TableComparison,
    TableDifference,
)
from heavylift.tables.requests import TablesRequest


@dataclass(frozen=True)
class TablesProgress:
    """How far a snapshot or sync has come; told every few seconds at most.

    :param step: ``schema``, ``copy``, ``indexes``, ``changes``, ``verify``; for people.
    :param rows_total: None where it cannot be known.
    """

    step: str
    rows_done: int = 0
    rows_total: int | None = None
    bytes_done: int = 0
    rows_per_second: float = 0.0
    seconds_left: float | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    detail: str = ""


AT_WORK = "6020"
"""The code of a stream that another run holds."""

Tell = Callable[[TablesProgress], None]


def silent(_progress: TablesProgress) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Work:
    """What long work gets besides its request: a way to be stopped, and whom to tell how far it is."""

    stop: threading.Event = field(default_factory=threading.Event)
    tell: Tell = silent

    def check(self, what: str) -> None:
        """Leave where somebody asked to stop.

        :raises TransientError: :attr:`stop` is set.
        """
        if self.stop.is_set():
            raise TransientError(
                what,
                got="a request to stop",
                expected="to run to its end",
                state="what is committed on the target stays, and the position with it",
                remedy="run it again: it goes on where it stopped",
                code="6005",
            )


@dataclass(frozen=True)
class Comparison:
    """The raw result of comparing two databases; :mod:`heavylift.tables.api` makes the record of it.

    :param differences: all of them where ``spilled`` is None, else the first ones.
    :param spilled: a local Parquet file with all differences; who keeps it as evidence removes it.
    """

    mode: str
    position: str
    tables: tuple[TableComparison, ...]
    differences: tuple[TableDifference, ...] = ()
    difference_count: int = 0
    spilled: str | None = None
    sequences_behind: tuple[str, ...] = ()
    statement: str = ""
    seconds: float = 0.0


class TableEngine(Protocol):
    """One way of moving a database: capture of changes by us, the product's own replication, binlog."""

    def preflight(self, request: TablesRequest, work: Work) -> PreflightRecord:
        """Look for what stands in the way; changes nothing on either side."""
        ...

    def snapshot(self, request: TablesRequest, work: Work) -> SnapshotRecord:
        """Copy everything as of one position, and begin the stream there; resumable, idempotent."""
        ...

    def sync(self, request: TablesRequest, work: Work) -> SyncRecord:
        """Apply what the source has committed until now, then return; resumable, idempotent."""
        ...

    def drain(self, request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
        """Apply everything up to the source's position now, and advance the sequences.

        To be called when nobody writes to the source any more. The record tells whether the position
        was reached in time; not reaching it raises nothing.
        """
        ...

    def compare(self, request: TablesRequest, work: Work, *, frozen: bool) -> Comparison:
        """Compare both databases, inside of both.

        :param frozen: nobody writes to the source; otherwise the source is read at one position and the
            target is applied exactly to it first.
        """
        ...

    def prepare_reverse(self, request: TablesRequest, work: Work) -> ReverseRecord:
        """Make the stream that flows back, before anybody may write to the target.

        :param request: in the forward direction. Idempotent.
        """
        ...

    def status(self, request: TablesRequest) -> StreamStatus:
        """Tell how the stream of this direction stands; changes nothing."""
        ...

    def end(self, request: TablesRequest) -> StreamStatus:
        """Give back what the stream holds on the source (slot, publication); idempotent."""
        ...


def no_snapshot_back(request: TablesRequest) -> UnsupportedError:
    """Return the error of a snapshot on the way back."""
    return UnsupportedError(
        f"taking a snapshot of database {request.database!r} in reverse",
        got="the direction reverse",
        expected="forward: the way back begins without a snapshot, and would empty the source for one",
        state="nothing was touched",
        remedy="prepare the way back: heavylift tables reverse prepare, or ReverseSyncOperator",
        code="6006",
    )
