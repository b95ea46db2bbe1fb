"""Rows that become Parquet while they come in: DuckDB reads them on a thread of its own.

Who lists waits for a store most of the time, and Python's own work and DuckDB's go on side by side.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from heavylift.objects.row_files import Columns, RowFile, RowsOnDisk, to_parquet

_PIPE_BYTES = 1 << 20
"""What Linux lets anybody ask for; other systems keep their own size."""


class PipedRows:
    """Rows on their way into the Parquet file ``path``, given as a row file's are."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self._read, write = os.pipe()
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        # Opened once more by its name: ours stays open, so that no row is written into nothing.
        source = Path(f"/dev/fd/{self._read}")
        self._rows = RowFile(source, columns, os.fdopen(write, "wb"))
        self._path = path
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._convert, name="heavylift-rows", daemon=True)
        self._thread.start()

    def add(self, block: Sequence[Sequence[Any] | None]) -> None:
        """Add rows; see :meth:`RowFile.add`."""
        try:
            self._rows.add(block)
        except BrokenPipeError:
            self._raise_error()
            raise

    def finish(self) -> None:
        """Wait until the file is whole."""
        try:
            self._rows.close()
        except BrokenPipeError:
            self._raise_error()
            raise
        self._raise_error()

    def _raise_error(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Give up: nothing reads or writes afterwards."""
        with suppress(BrokenPipeError):
            self._rows.close()
        self._thread.join()

    def _convert(self) -> None:
        try:
            to_parquet(RowsOnDisk(self._rows.path, self._rows.columns), self._path)
        except Exception as error:  # noqa: BLE001  (raised where the rows come from)
            self._error = error
        finally:
            # Whoever still writes is told by it that nobody reads any more.
            os.close(self._read)


@asynccontextmanager
async def piped_rows(path: Path, columns: Columns) -> AsyncGenerator[PipedRows]:
    """Lend a way into the Parquet file ``path``; it is whole after the block, and useless after an error."""
    rows = PipedRows(path, columns)
    try:
        yield rows
    except BaseException:
        await asyncio.to_thread(rows.abandon)
        raise
    await asyncio.to_thread(rows.finish)
