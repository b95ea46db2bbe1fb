"""What a stream of the binary log needs of the database in which it ends: the port of both products.

The steps of a move (snapshot, sync, drain, comparison) are the same whatever the target is, and stand in the
modules beside this one. What differs is behind :class:`Target`, a session that knows the stream's state, and
:class:`Product`, which opens such sessions and all else that works on the target.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from heavylift.tables.model import Table, TableName
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import Policy, ZeroDates
from heavylift.tables.mysql.lease import LogLease
from heavylift.tables.mysql.ranges import Range
from heavylift.tables.mysql.rowimage import Described
from heavylift.tables.postgres.state import Lease, StreamState, TableState

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.evidence.records import Finding
    from heavylift.evidence.table_records import PreflightRecord
    from heavylift.tables.mysql.cascades import Cascader
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.definitions import Definitions
    from heavylift.tables.postgres.batches import Batch
    from heavylift.tables.requests import TablesRequest
    from heavylift.tables.verify.side import Side


@dataclass(frozen=True)
class Job:
    """One range of one table.

    :param merges: another range of the table was read at another position: a row may be there already.
    """

    table: SourceTable
    range: Range
    merges: bool
    zero_dates: ZeroDates


class Copies(Protocol):
    """Copies one range of rows into the target, in one transaction with the note that it is there."""

    def __call__(
        self,
        job: Job,
        source: MySession,
        *,
        lease: Lease,
        position: int,
        stop: threading.Event,
        moved: Callable[[int, int], None],
    ) -> None:
        """Copy a job's rows and note them; a copier that failed is used no more.

        :param position: of the snapshot that ``source`` reads under.
        :param moved: is told rows and bytes, now and then.
        """


class Applies(Protocol):
    """Applies batches: data and position in one transaction. Used by one thread."""

    @property
    def retried(self) -> int:
        """Return how many batches needed a second way."""

    def apply(self, batch: Batch) -> None:
        """Apply a batch and, where it is complete, commit it with its position."""

    def give_up(self) -> None:
        """Roll back what is open, if the session still lives."""


class Target(Protocol):
    """A session of the target, with the state of its streams and what is done to whole tables there."""

    def close(self) -> None:
        """End the session; what it holds is let go."""

    def transaction(self) -> AbstractContextManager[object]:
        """Return a block whose statements are committed together, or not at all."""

    def stream(self, stream: str) -> StreamState | None:
        """Return what is known of a stream, or None where nothing is."""

    def begin(self, state: StreamState) -> None:
        """Make the tables of the state where they are missing, and note a stream unless it is noted."""

    def write_stream(self, state: StreamState) -> None:
        """Write a stream's row, over one that is there; the epoch is left as it is."""

    def tables(self, stream: str) -> dict[TableName, TableState]:
        """Return what is known of a stream's tables; nothing where no stream was ever begun."""

    def write_table(self, stream: str, state: TableState) -> None:
        """Write a table's row, over one that is there."""

    def ranges(self, stream: str) -> dict[TableName, tuple[Range, ...]]:
        """Return the ranges of a stream's tables, in order."""

    def write_ranges(self, stream: str, table: TableName, ranges: Sequence[Range]) -> None:
        """Note a table's ranges, in the place of those that were noted before."""

    def leased(self, stream: str) -> AbstractContextManager[Lease]:
        """Hold the stream for the block, by a lock that ends with this session."""

    def demand(self, lease: Lease) -> None:
        """Demand, within a transaction, that nobody has taken over, and keep it so to its end."""

    def caught_up(self, lease: LogLease, applied: int, at: datetime) -> None:
        """Note, within a transaction, that at ``at`` the source had nothing beyond ``applied``."""

    def forget(self, lease: Lease) -> None:
        """Drop the tables that the stream has filled, and all that is noted of it."""

    def make_table(self, stream: str, table: SourceTable) -> list[Finding]:
        """Make an empty table with its primary key; one that is there stays."""

    def empty(self, name: TableName) -> None:
        """Take all rows out of a table, within a transaction."""

    def finish(self, stream: str, tables: Sequence[SourceTable]) -> list[Finding]:
        """Make what waits until all tables are of one moment: secondary indexes, foreign keys; idempotent."""

    def is_finished(self, stream: str) -> bool:
        """Tell whether :meth:`finish` has run to its end."""

    def left_out(self, stream: str) -> frozenset[TableName]:
        """Return tables that the patterns choose on the stream's source, and that were never part of it."""

    def claim(self, stream: str, names: Sequence[TableName]) -> list[TableName]:
        """Note that some tables are about to be made; return those that others have made, and note none.

        What a run that was cut off has claimed is the stream's own, noted as made or not.
        """

    def reopen(self, stream: str) -> None:
        """Take back the note of :meth:`finish`: a table has been added."""

    def keys(self) -> dict[TableName, tuple[str, ...]]:
        """Return the primary key of each table of the target."""

    def switch_on(self, lease: Lease) -> list[Finding]:
        """Make what may act only once the last change has come: triggers and events; idempotent."""

    def advance_numbering(self, table: SourceTable, highest: int) -> tuple[str, int]:
        """Set what numbers a table's rows ahead of both sides' highest number, never back.

        :return: its name, and the last number that is taken.
        """


@dataclass(frozen=True)
class Applying:
    """What applying a stream needs.

    :param states: what the target was made for, by table; kept up to date.
    :param catalog: the source's tables as they are now.
    :param cascader: does what foreign keys did on the source without a word in its log.
    :param done: takes each statement that was run to follow a definition.
    """

    request: TablesRequest
    lease: LogLease
    states: dict[TableName, TableState]
    definitions: Definitions
    catalog: Mapping[TableName, SourceTable]
    cascader: Cascader
    done: list[str]


class Product(Protocol):
    """One product of database as the target of a binary log."""

    @property
    def described(self) -> type[Described]:
        """Return what reads the log's row images into the form in which rows travel to this product."""

    def policy(self, connection: Connection) -> Policy:
        """Return how the source's values are moved, as its connection says."""

    def told_as(self, what: str, state: str) -> AbstractContextManager[None]:
        """Turn the driver's errors within the block into Heavylift's."""

    def connect(self, request: TablesRequest, purpose: str) -> Target:
        """Open a session of the target; the caller closes it."""

    def preflight(self, request: TablesRequest, source: MySession, target: Target) -> PreflightRecord:
        """Ask both servers for everything that could stand in the way, and change nothing."""

    def copier(self, connection: Connection) -> AbstractContextManager[Copies]:
        """Open a session that copies ranges."""

    def applier(self, given: Applying) -> AbstractContextManager[Applies]:
        """Open a session that applies batches; left, it has given up what was not complete."""

    def retake(self, stream: str, tables: Iterable[TableName]) -> str:
        """Return what a person runs on the target to have tables copied anew."""

    def side(
        self, request: TablesRequest, tables: Sequence[SourceTable]
    ) -> AbstractContextManager[tuple[Mapping[TableName, Table], Side]]:
        """Open the target as a side of a comparison, with the tables that it has."""

    def numbering_behind(self, request: TablesRequest, tables: Sequence[SourceTable]) -> tuple[str, ...]:
        """Return what would give out a number on the target that the source has given out."""

    def end(self, request: TablesRequest) -> None:
        """Give back what an ended stream holds on the target besides its tables and its notes."""
