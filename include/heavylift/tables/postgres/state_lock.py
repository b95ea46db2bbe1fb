"""The lock that everybody takes who makes or first fills Heavylift's own tables in a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session

ASLEEP = 5.0
"""Seconds for which a transaction that others wait for may rest between two of its statements."""


def lock_state(session: Session) -> None:
    """Wait for the lock, within the caller's short transaction.

    A process that is stopped while it holds the lock loses its session: it would hold up every other run on
    the database, and with them a switch whose writes are paused, until somebody found it.
    """
    session.execute(
        "SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [f"{ASLEEP * 1000:.0f}ms"]
    )
    session.execute("SELECT pg_advisory_xact_lock(hashtext('heavylift.state'))")
