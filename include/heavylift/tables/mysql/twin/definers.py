"""Whose routines, views, triggers and events are on the target: the source's definers, or our own account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import ConnectionConfigError

if TYPE_CHECKING:
    from heavylift.connections import Connection

KEEP, CURRENT = "keep", "current"


def keeps_definers(connection: Connection) -> bool:
    """Tell what the target connection's extra says: ``keep`` (default), or ``current`` for its own account.

    :raises ConnectionConfigError: it says something else.
    """
    chosen = connection.text("definers") or KEEP
    if chosen not in {KEEP, CURRENT}:
        raise ConnectionConfigError(
            f"reading connection {connection.conn_id!r}",
            got="an unknown definers in its extra",
            expected=f"{KEEP} or {CURRENT}",
            state="nothing was touched",
            remedy=f"correct definers in the extra of connection {connection.conn_id!r}",
            code="6477",
        )
    return chosen == KEEP
