"""What a followed registry's rows name and its artifacts may lack: rows travel faster than files."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.registry.store.catalog import read_catalog

if TYPE_CHECKING:
    from heavylift.connections import Connection

_QUERIES: dict[str, LiteralString] = {
    "runs": "SELECT count(*) FROM {} WHERE status IN ('RUNNING', 'SCHEDULED')"
    " OR greatest(start_time, end_time) >= {}",
    "logged_models": "SELECT count(*) FROM {}"
    " WHERE greatest(creation_timestamp_ms, last_updated_timestamp_ms) >= {}",
    "model_versions": "SELECT count(*) FROM {} WHERE greatest(creation_time, last_updated_time) >= {}",
}
"""Counts things whose files may have been written after a moment, in milliseconds as MLflow tells time."""


def pending_artifacts(store: Connection, since_ms: int) -> dict[str, int]:
    """Return of how many things in a store the files may be missing, by table; changes nothing.

    :param store: the side that changes flow to.
    :param since_ms: when the last move of all artifacts began that came to its end.
    :raises NotFoundError: it holds no tracking store.
    """
    with (
        told_as("counting what artifacts are pending", "nothing was touched"),
        closing(connect(store, "registry pending")) as session,
    ):
        catalog = read_catalog(session, where(store))
        found = {}
        for table, wanted in _QUERIES.items():
            query = sql.SQL(wanted).format(catalog.relation(table), sql.Literal(since_ms))
            row = session.execute(query).fetchone()
            found[table] = int((row or (0,))[0])
        return found
