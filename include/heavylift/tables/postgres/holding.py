"""The lock of a stream, which ends with its session; and ending the session of who holds it for good."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_LONGEST_END = 5.0
"""Seconds for a session to end that was told to."""
_LOOK_AGAIN = 0.02
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_END_HOLDER = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
"""


def hold(session: Session, key: str, *, take_over: bool) -> bool:
    """Lock ``key`` until the session ends or gives it back; tell whether that was possible.

    :param take_over: end the session that has it, and wait some seconds for that.
    """
    until = time.monotonic() + _LONGEST_END
    while not _lock(session, key):
        if not take_over or time.monotonic() > until:
            return False
        session.execute(_END_HOLDER, [key])
        time.sleep(_LOOK_AGAIN)
    return True


def let_go(session: Session, key: str) -> None:
    """Give the lock back; a session that has ended has given it back already."""
    import psycopg

    with suppress(psycopg.OperationalError, psycopg.InterfaceError):
        session.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def _lock(session: Session, key: str) -> bool:
    row = session.execute(_LOCK, [key]).fetchone()
    return bool(row and row[0])
