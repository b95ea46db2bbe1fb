"""Sessions with PostgreSQL, as :mod:`heavylift.platforms.postgresql` makes them."""

from heavylift.platforms.postgresql.connect import (
    CONNECT_TIMEOUT,
    SETTINGS,
    TYPES,
    Session,
    connect,
    conninfo,
    session_options,
    where,
)

__all__ = [
    "CONNECT_TIMEOUT",
    "SETTINGS",
    "TYPES",
    "Session",
    "connect",
    "conninfo",
    "session_options",
    "where",
]
