"""The profiling engine: one DuckDB database for each side, spilling into its folder within its limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heavylift.datasets.requests import CheckLimits
from heavylift.errors import PermanentError


def literal(text: str) -> str:
    """Return ``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def open_engine(folder: Path, limits: CheckLimits) -> Iterator[Any]:
    """Open a database that spills into ``folder``; it reads and writes files there and nowhere else.

    :raises PermanentError: memory or disk limits were reached inside the block.
    """
    import duckdb

    spill = folder / "spill"
    spill.mkdir(exist_ok=True)
    connection = duckdb.connect(":memory:")
    try:
        for setting in _settings(folder, spill, limits):
            connection.execute(f"SET {setting}")
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise PermanentError(
            "profiling a table",
            got="an operation that needs more memory or temporary disk",
            expected=f"at most {limits.memory_bytes} bytes of memory and {limits.temp_bytes} bytes of disk",
            state="nothing was changed; the check has no result",
            remedy="raise memory_budget of the dataset's limits in the spec; the engine gets four times that",
            code="4350",
        ) from error
    finally:
        connection.close()


def _settings(folder: Path, spill: Path, limits: CheckLimits) -> list[str]:
    return [
        "TimeZone = 'UTC'",
        f"memory_limit = '{limits.memory_bytes}B'",
        f"threads = {limits.threads}",
        f"temp_directory = {literal(str(spill))}",
        f"max_temp_directory_size = '{limits.temp_bytes}B'",
        # One hash for each column of a wide table nests deeper than the default allows.
        "max_expression_depth = 10000",
        "enable_progress_bar = false",
        # Nothing is downloaded, and nothing outside the folder is read.
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        f"allowed_directories = [{literal(str(folder) + '/')}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ]
