"""Loads predictions and labels into one database on disk, in which they are joined within its limits."""

# SQL is built of our own column names; no data and no name of a column enters it.
# ruff: noqa: S608
from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.aio import in_thread
from heavylift.errors import PermanentError, SpecError
from heavylift.monitor.profiles import Kind, kind_of, seconds_of
from heavylift.monitor.tables_read import Batch, Wanted, batches, place_of_file, table_files
from heavylift.platforms.places import Place
from heavylift.platforms.range_files import range_file
from heavylift.platforms.wiring import open_store

LONGEST_TEXT = 200


@dataclass(frozen=True)
class Columns:
    """The columns of one table that are loaded, by their names in it.

    :param at: of the moment; None where there is none.
    """

    key: tuple[str, ...]
    value: str
    at: str | None = None
    slices: tuple[str, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """All of them, in the order of the table in the database."""
        return (*self.key, self.value, *((self.at,) if self.at else ()), *self.slices)

    def names(self) -> list[str]:
        """Return their names inside the database, in the same order."""
        keys = [f"k{index}" for index in range(len(self.key))]
        slices = [f"s{index}" for index in range(len(self.slices))]
        return [*keys, "v", *(["t"] if self.at else []), *slices]


@contextmanager
def open_database(memory_bytes: int) -> Iterator[Any]:
    """Open a database in a folder of its own, which is gone afterwards; it reads nothing outside.

    :raises PermanentError: the memory does not do.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="heavylift-monitor-") as folder:
        database = duckdb.connect(str(Path(folder) / "joined.duckdb"))
        try:
            for setting in (
                f"memory_limit = '{memory_bytes}B'",
                f"temp_directory = '{Path(folder) / 'spill'}'",
                "threads = 2",
                "enable_progress_bar = false",
                "autoinstall_known_extensions = false",
                "autoload_known_extensions = false",
                "preserve_insertion_order = false",
            ):
                database.execute(f"SET {setting}")
            yield database
        except duckdb.OutOfMemoryException as error:
            raise PermanentError(
                "joining predictions with labels",
                got="an operation that needs more memory",
                expected=f"at most {memory_bytes:,} bytes",
                state="nothing was changed; nothing was judged",
                remedy="raise --memory-mib, or the watch's memory",
                code="8910",
            ) from error
        finally:
            database.close()


async def load(database: Any, table: str, place: Place, columns: Columns, memory_bytes: int) -> int:
    """Load columns of a place's table into the database as text and return the number of rows.

    :raises NotFoundError: no such table.
    :raises SpecError: a file has not the columns.
    """
    names = columns.names()
    made = ", ".join(f"{name} VARCHAR" for name in names)
    database.execute(f"CREATE TABLE {table} ({made})")
    wanted = Wanted(columns=frozenset(columns.wanted).__contains__, memory_bytes=memory_bytes)
    folder, one = place_of_file(place)
    async with open_store(folder.location, folder.connection) as store:
        await store.check()
        files, _ = await table_files(store, folder, one, wanted)
        loop = asyncio.get_running_loop()

        def work(stop: threading.Event, _relay: Any) -> int:
            rows = 0
            for item in files:
                url = store.location.url_of(item.key)
                with range_file(store, item, loop) as file:
                    for batch in batches(file, item.key, url, wanted):
                        if stop.is_set():
                            return rows
                        _insert(database, table, _texts(batch, columns.wanted, url), names)
                        rows += batch.rows
            return rows

        return await in_thread(work, lambda _: None)


def _insert(database: Any, table: str, arrays: Sequence[Any], names: Sequence[str]) -> None:
    import pyarrow as pa

    database.register("arriving", pa.table(list(arrays), names=list(names)))
    database.execute(f"INSERT INTO {table} SELECT * FROM arriving")
    database.unregister("arriving")


def _texts(batch: Batch, wanted: Sequence[str], url: str) -> list[Any]:
    lacking = [name for name in wanted if name not in batch.names]
    if lacking:
        raise SpecError(
            f"reading the table {url}",
            got=f"no column {', '.join(map(repr, lacking))} among {', '.join(batch.names)[:300]}",
            expected="the key, the value and the others that were named",
            state="nothing was changed; nothing was judged",
            remedy="correct the names of the columns",
            code="8911",
        )
    return [_text(batch.arrays[batch.names.index(name)]) for name in wanted]


def _text(values: Any) -> Any:
    """Return values as text; moments as seconds since 1970, so that no format is guessed."""
    import pyarrow as pa

    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = kind_of(values.type)
    if kind is Kind.TIME:
        mask = values.is_null()
        filled = pa.array(seconds_of(values.fill_null(0)))
        return pa.compute.if_else(mask, None, filled).cast(pa.string())
    if kind is Kind.OTHER or pa.types.is_null(values.type):
        return pa.nulls(len(values), pa.string())
    return values.cast(pa.string())
