"""A DuckDB database for one piece of work, with bounded memory, that spills into a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.objects.databases import open_database

if TYPE_CHECKING:
    import duckdb


@contextmanager
def database(work: Path, memory_bytes: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty database and close it at the end of the block.

    :param work: for what does not fit into memory; the caller deletes it.
    """
    with open_database(memory_bytes, work=work, threads=2) as db:
        yield db


def count(db: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> int:
    """Return the one number that ``sql`` yields, 0 for none."""
    # Fetched to the end: DuckDB refuses some statements while a result is open.
    return int(db.execute(sql, list(parameters)).fetchall()[0][0] or 0)
