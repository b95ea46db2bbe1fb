"""How many connections a side of a database has in use, and how many it takes besides."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from heavylift.connections import Connection
from heavylift.errors import UnsupportedError
from heavylift.fencing import Side
from heavylift.tables.fences.acts import fence_of
from heavylift.tables.requests import TablesRequest

_WHAT = "counting connections"
_STATE = "nothing was touched"

_POSTGRES = """
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()),
       (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
"""
"""In use at this database, and at all; what the server takes, and what this database does (-1: as many)."""


@dataclass(frozen=True)
class Room:
    """What a side has in use, and what could be opened besides."""

    in_use: int
    free: int


def room_at(request: TablesRequest, side: Side) -> Room | None:
    """Count a side's connections; None where its product is not asked. Changes nothing; blocks.

    :raises TransientError: it does not answer.
    """
    try:
        _fence, fenced = fence_of(request, side)
    except UnsupportedError:
        return None
    from heavylift.platforms.mysql.connect import TYPES as MYSQL_TYPES

    connection = fenced.connection
    return _of_mysql(connection) if connection.conn_type in MYSQL_TYPES else _of_postgres(connection)


def _of_postgres(connection: Connection) -> Room:
    from heavylift.platforms.postgresql.connect import connect
    from heavylift.tables.postgres.faults import told_as

    with told_as(_WHAT, _STATE), closing(connect(connection, _WHAT)) as session:
        found = session.execute(_POSTGRES).fetchone()
    here, everywhere, most, at_most_here = (int(each) for each in found or (0, 0, 0, -1))
    # Our own session goes before the application's come.
    free = most - (everywhere - 1)
    return Room(here, max(0, free if at_most_here < 0 else min(free, at_most_here - here)))


def _of_mysql(connection: Connection) -> Room:
    from heavylift.platforms.mysql.connect import ask, connect, one
    from heavylift.tables.mysql.faults import told_as

    with told_as(_WHAT, _STATE), closing(connect(connection)) as session:
        in_use = int(ask(session, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")[0][1]) - 1
        most = int(one(session, "SELECT @@GLOBAL.max_connections"))
    return Room(in_use, max(0, most - in_use))
