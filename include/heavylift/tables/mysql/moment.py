"""Several sessions that all see the source as of one position of its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import connect, execute, quoted
from heavylift.tables.mysql.faults import number_of, told_as
from heavylift.tables.mysql.position import Place, current_place

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.mysql.connect import Session

LOCK_SECONDS = 30
"""How long writers of the source may have to wait for us at most: then the lock is given up."""
_MAY_NOT = {1142, 1227, 1044, 1045}


@dataclass(frozen=True)
class Moment:
    """Sessions in read-only transactions of one snapshot, and the position that it belongs to."""

    sessions: tuple[Session, ...]
    place: Place
    gtids: str


@contextmanager
def one_moment(connection: Connection, tables: Sequence[TableName], count: int) -> Iterator[Moment]:
    """Open sessions that see the same state, and tell its position; they are closed after the block.

    Writers are held up for as long as it takes to begin ``count`` transactions: by a global read lock, or
    where the account may not take one, by a read lock of the chosen tables.

    :raises ServerUnavailableError: the lock was not to be had in :data:`LOCK_SECONDS`.
    """
    with ExitStack() as stack:
        sessions = [stack.enter_context(closing(connect(connection, raw=True))) for _ in range(count)]
        with (
            told_as("taking a consistent snapshot of the source", "nothing was read yet"),
            closing(connect(connection)) as holder,
        ):
            execute(holder, f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
            _lock(holder, tables)
            for session in sessions:
                execute(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            place, gtids = current_place(holder)
            execute(holder, "UNLOCK TABLES")
        yield Moment(tuple(sessions), place, gtids)


def _lock(holder: Session, tables: Sequence[TableName]) -> None:
    import pymysql

    try:
        execute(holder, "FLUSH TABLES WITH READ LOCK")
    except pymysql.MySQLError as error:
        if number_of(error) not in _MAY_NOT or not tables:
            raise
        locks = ", ".join(f"{quoted(table.schema, table.name)} READ" for table in tables)
        execute(holder, f"LOCK TABLES {locks}")
