"""DuckDB databases in memory: the one place where they are opened, with bounds and without chatter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

LEAST_MEMORY = 64 * 2**20
"""With less DuckDB can hardly read a Parquet file."""


def open_database(
    memory_bytes: int, *, work: Path | None = None, threads: int = 1, ordered: bool = True
) -> duckdb.DuckDBPyConnection:
    """Open an empty database of its own; the caller closes it.

    :param memory_bytes: most memory that it may take, 64 MiB at least.
    :param work: a folder of the caller's for what does not fit; None: nothing is spilled, least of
        all into the working directory, which would be DuckDB's default.
    :param threads: a second one has buffers of its own, which small files are not worth.
    :param ordered: rows without an ORDER BY keep the order of their file; without it less memory does.
    """
    import duckdb

    database = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": f"{max(memory_bytes, LEAST_MEMORY) // 2**20}MiB",
            "temp_directory": "" if work is None else str(work / "spill"),
            "preserve_insertion_order": ordered,
        },
    )
    be_quiet(database)
    return database


def be_quiet(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a connection, or a cursor, print no progress: standard output is a document's."""
    connection.execute("SET enable_progress_bar = false")
