"""The files of histories: listed, copied from store to store, and brought within reach of DuckDB."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, NotFoundError
from heavylift.locations import Location, parse_location
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.wiring import open_store
from heavylift.registry.catalogues.files import File, StoreFiles, copy_files, key_of
from heavylift.registry.features.bigquery import BigQueryTables, is_table
from heavylift.registry.features.description import View, sql_type
from heavylift.registry.features.history_sql import quoted

SUFFIX = ".parquet"


@dataclass
class HistoryPlaces:
    """One side's object stores, each opened once.

    :param connection: of its object stores; None where histories lie in files of this machine.
    :param tables: what reads and fills tables; None where there are none.
    """

    connection: Connection | None
    parallel: int = 4
    tables: BigQueryTables | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _opened: dict[str, StoreFiles] = field(default_factory=dict)
    _fetched: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    async def at(self, uri: str, *, make: bool = False) -> tuple[StoreFiles, str]:
        """Return the store of a URI, and the URI as that store knows it.

        :param make: a folder of this machine that is to hold it is made.
        """
        location, inner = _split(uri)
        if make and location.scheme == "file":
            Path(location.container).mkdir(parents=True, exist_ok=True)
        name = str(location)
        if name not in self._opened:
            if location.scheme != "file" and self.connection is None:
                raise _unreachable(uri)
            settings = HttpSettings(connections=self.parallel)
            opened = open_store(location, self.connection, settings=settings)
            self._opened[name] = StoreFiles(await self._stack.enter_async_context(opened))
        return self._opened[name], inner

    async def files(self, uri: str) -> list[File]:
        """Return the Parquet files of a history, in order.

        :raises NotFoundError: there are none.
        """
        found = await self.listed(uri)
        if not found:
            raise NotFoundError(
                f"reading the history at {uri}",
                got="no Parquet file",
                expected="the files that the feature store names",
                state="nothing was changed",
                remedy="restore the history, or correct the feature store's definition",
                code="7706",
            )
        return found

    async def listed(self, uri: str) -> list[File]:
        """Return the Parquet files below a URI, in order; none where there are none.

        A table counts as one file, whose version is when it was changed last.
        """
        if is_table(uri):
            table = await self._of_tables(uri).find(uri)
            return [File(table.version, uri, table.size_bytes)] if table else []
        store, inner = await self.at(uri)
        if uri.startswith("file://") and not Path(parse_location(uri).container).exists():
            return []
        return sorted([each async for each in _parquet(store, inner)], key=lambda each: each.key)

    async def local(self, uri: str, scratch: Path) -> list[str]:
        """Return paths of the history's files on this machine; those of an object store are fetched once."""
        known = (uri, str(scratch))
        if known not in self._fetched:
            self._fetched[known] = await (self._extracted if is_table(uri) else self._local)(uri, scratch)
        return self._fetched[known]

    async def fill(self, uri: str, folder: Path, view: View, labels: Mapping[str, str]) -> None:
        """Make a table hold the rows of a folder's Parquet files, and nothing else."""
        tables, here = self._of_tables(uri), HistoryPlaces(None)
        staged = tables.staged(uri, "load")
        try:
            await self._clear(staged)
            await move_files(here, self, f"file://{folder}", staged)
            await tables.load(uri, staged, view, labels)
            await self._clear(staged)
        finally:
            await here.close()

    async def filled(self, uri: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a table has these labels: rows of these files were loaded into it before."""
        table = await self._of_tables(uri).find(uri)
        return table is not None and labels.items() <= table.labels.items()

    async def is_marked(self, uri: str, marks: Mapping[str, str]) -> bool:
        """Tell whether a table is missing, or bears these marks."""
        table = await self._of_tables(uri).find(uri)
        return table is None or marks.items() <= table.labels.items()

    async def _extracted(self, uri: str, scratch: Path) -> list[str]:
        tables = self._of_tables(uri)
        staged = tables.staged(uri, "extract")
        await self._clear(staged)
        rows = await tables.extract(uri, staged)
        if not rows:
            return [str(_empty_file(scratch, await tables.columns(uri)))]
        found = await self._local(staged, scratch)
        await self._clear(staged)
        return found

    async def _clear(self, uri: str) -> None:
        """Delete what an earlier try has left in a staging folder, which is ours alone."""
        store, inner = await self.at(uri)
        for each in [each async for each in store.below(inner)]:
            await store.store.delete(each.key)

    def _of_tables(self, uri: str) -> BigQueryTables:
        if self.tables is None:
            raise _no_tables(uri)
        return self.tables

    async def _local(self, uri: str, scratch: Path) -> list[str]:
        found = await self.files(uri)
        if uri.startswith("file://"):
            root = Path(parse_location(uri).container)
            return [str(root / each.path) if each.path else str(root) for each in found]
        scratch.mkdir(parents=True, exist_ok=True)
        here = HistoryPlaces(None)
        try:
            await move_files(self, here, uri, f"file://{scratch}/history")
            return await here.local(f"file://{scratch}/history", scratch)
        finally:
            await here.close()

    async def close(self) -> None:
        """Close all."""
        if self.tables is not None:
            await self.tables.close()
        await self._stack.aclose()


async def move_files(
    source: HistoryPlaces, target: HistoryPlaces, source_uri: str, target_uri: str
) -> tuple[int, int]:
    """Make what lies below one URI lie below another, which is ours; what has the same bytes there is left.

    :return: how many files there are, and how many were written.
    """
    theirs, there = await target.at(target_uri, make=True)
    own, here = await source.at(source_uri)
    return await copy_files(own, theirs, here, there, overwrite=True, exactly=True)


def manifest_of(files: list[File]) -> str:
    """Return a digest of which files a history is made of: paths, sizes and versions."""
    told = [(each.path, each.size_bytes, each.listed.version if each.listed else "") for each in files]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


async def _parquet(store: StoreFiles, uri: str) -> AsyncIterator[File]:
    async for each in store.below(uri):
        parts = each.path.split("/")
        # Tables of Iceberg and Spark keep their notes beside the rows, under names that begin so.
        hidden = any(part.startswith(("_", ".")) for part in parts if part)
        if each.key.endswith(SUFFIX) and not hidden and each.size_bytes:
            yield each


def _split(uri: str) -> tuple[Location, str]:
    """Return where a store is opened for a URI, and the URI with its key below that."""
    if uri.startswith("file://"):
        path = Path(parse_location(uri).container)
        return Location("file", str(path.parent)), f"file://-/{path.name}"
    scheme, _, rest = uri.partition("://")
    return parse_location(f"{scheme}://{rest.partition('/')[0]}"), f"{scheme}://-/{key_of(uri)}"


def _empty_file(scratch: Path, columns: Mapping[str, str]) -> Path:
    """Make a file without rows; of an empty table none is extracted that tells its columns."""
    import duckdb

    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / "empty.parquet"
    listed = ", ".join(f"NULL::{sql_type(kind)} AS {quoted(name)}" for name, kind in columns.items())
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT {listed} WHERE false) TO '{path}' (FORMAT parquet)")
    return path


def _no_tables(uri: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"reaching the history at {uri}",
        got="a table, on a side that has files",
        expected="a URI of an object store or of files",
        state="nothing was touched",
        remedy="map the prefix to another place with --history; bq:// belongs to Vertex AI",
        code="9460",
    )


def _unreachable(uri: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"reading the history at {uri}",
        got="no connection of its object store",
        expected="one",
        state="nothing was touched",
        remedy="name it: --source-history-conn, --target-history-conn",
        code="7707",
    )
