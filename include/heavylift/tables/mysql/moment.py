"""Several sessions that all see the source as of one position of its log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import ServerUnavailableError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import connect, execute, quoted, where
from heavylift.tables.mysql.faults import number_of, told_as
from heavylift.tables.mysql.fence_sql import holders
from heavylift.tables.mysql.position import Place, current_place

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.engine import Work
    from heavylift.tables.mysql.connect import Session

LOCK_SECONDS = (1, 3)
"""How long writers of the source may have to wait for us at a time, at first and at most."""
PATIENCE_SECONDS = 60.0
"""How long the lock is asked for in all."""
_PAUSE = 0.5
_NOT_GOT = (1205, 1213)
_MAY_NOT = {1142, 1227, 1044, 1045}


@dataclass(frozen=True)
class Moment:
    """Sessions in read-only transactions of one snapshot, and the position that it belongs to."""

    sessions: tuple[Session, ...]
    place: Place
    gtids: str


@contextmanager
def one_moment(
    connection: Connection, tables: Sequence[TableName], count: int, work: Work
) -> Iterator[Moment]:
    """Open sessions that see the same state, and tell its position; they are closed after the block.

    Writers are held up for as long as it takes to begin ``count`` transactions: by a global read lock, or
    where the account may not take one, by a read lock of the chosen tables.

    :raises ServerUnavailableError: the lock was not to be had in :data:`PATIENCE_SECONDS`.
    """
    with ExitStack() as stack:
        sessions = [stack.enter_context(closing(connect(connection, raw=True))) for _ in range(count)]
        with (
            told_as("taking a consistent snapshot of the source", "nothing was read yet"),
            closing(connect(connection)) as holder,
        ):
            _lock_patiently(holder, tables, work, where(connection))
            for session in sessions:
                execute(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            place, gtids = current_place(holder)
            execute(holder, "UNLOCK TABLES")
        yield Moment(tuple(sessions), place, gtids)


def _lock_patiently(holder: Session, tables: Sequence[TableName], work: Work, place: str) -> None:
    """Ask for the lock in short turns: all writers wait behind one that is asked for and not had.

    Among them may be the very one that keeps the row another statement waits for, and that statement keeps
    us waiting. No server sees this deadlock; it ends when we give up our turn.
    """
    import pymysql

    until, (wait, longest) = time.monotonic() + PATIENCE_SECONDS, LOCK_SECONDS
    while True:
        work.check("taking a consistent snapshot of the source")
        execute(holder, f"SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}")
        try:
            _lock(holder, tables)
        except pymysql.MySQLError as error:
            if number_of(error) not in _NOT_GOT:
                raise
            execute(holder, "UNLOCK TABLES")
            if time.monotonic() >= until:
                raise _not_got(place, holders(holder)) from error
        else:
            return
        work.stop.wait(_PAUSE)
        wait = min(wait + 1, longest)


def _lock(holder: Session, tables: Sequence[TableName]) -> None:
    import pymysql

    try:
        execute(holder, "FLUSH TABLES WITH READ LOCK")
    except pymysql.MySQLError as error:
        if number_of(error) not in _MAY_NOT or not tables:
            raise
        locks = ", ".join(f"{quoted(table.schema, table.name)} READ" for table in tables)
        execute(holder, f"LOCK TABLES {locks}")


def _not_got(place: str, sessions: Sequence[str]) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"taking a consistent snapshot of {place}",
        got=f"no read lock in {PATIENCE_SECONDS:.0f} s; {'; '.join(sessions) or 'no session shows'}",
        expected=f"a moment in which no statement runs for longer than {LOCK_SECONDS[1]} s",
        state="nothing was read yet, and writers were let through between the tries",
        remedy="let those statements end, or begin where fewer run",
        code="6419",
    )
