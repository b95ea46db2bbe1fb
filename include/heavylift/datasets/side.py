"""Profiling one side of a table: files found, fetched part by part, and put together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.datasets.aggregates import PartialFigures
from heavylift.datasets.columns import Column, FileSchema, Kind, disagreements, unify
from heavylift.datasets.concurrency import in_thread, map_bounded
from heavylift.datasets.csv_files import stage_csv
from heavylift.datasets.distinct import Distinct, DistinctValues
from heavylift.datasets.engine import open_engine
from heavylift.datasets.fetching import fetch
from heavylift.datasets.float_sums import FloatSums
from heavylift.datasets.footers import read_footers
from heavylift.datasets.frames import CELL_BYTES, RowCollector, demand_frame_room
from heavylift.datasets.listing import batches
from heavylift.datasets.parquet_files import LocalFile, damaged_file, without_wide_decimals
from heavylift.datasets.profile import ColumnProfile, TableProfile, column_profile, hex_of
from heavylift.datasets.requests import CheckLimits
from heavylift.datasets.scan import create_view
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.spec.vocabulary import TableFormat

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What is to be learnt of a side.

    :param profile: figures of all columns, not only the number of rows.
    :param rows: rows are to be kept for expectations.
    :param row_columns: the columns that these need; None means all.
    :param sample_rows: how many rows at most; None means all.
    """

    format: TableFormat
    profile: bool
    rows: bool
    row_columns: frozenset[str] | None = None
    sample_rows: int | None = None


@dataclass(frozen=True)
class SideResult:
    """One side's profile and, where wanted, its rows.

    :param sampled: the rows are a part of the table only.
    """

    profile: TableProfile
    frame: Any | None = None
    sampled: bool = False


@dataclass
class SideReader:
    """One side of one table.

    :param what: the table and side, for messages.
    :param folder: an empty folder for everything that is written meanwhile.
    """

    store: ObjectStore
    files: Sequence[ListedObject]
    wanted: Wanted
    limits: CheckLimits
    folder: Path
    what: str
    _schemas: list[FileSchema] = field(default_factory=list)
    _seen: int = 0

    async def read(self) -> SideResult:
        """Return what is wanted of the side; the store is only read.

        :raises IntegrityError: a file is damaged.
        :raises UnsupportedError: a limit does not allow it.
        """
        if not self.files:
            return SideResult(TableProfile(files=0, rows=0))
        parquet = self.wanted.format is TableFormat.PARQUET
        if parquet:
            self._schemas = await read_footers(self.store, self.files, self.limits.downloads)
            if not (self.wanted.profile or self.wanted.rows):
                return SideResult(TableProfile(len(self.files), self._footer_rows()))
        self._refuse_early()
        with open_engine(self.folder, self.limits) as engine:
            work = _Work(engine, self.folder, self.wanted)
            for part in batches(self.files, self.limits.temp_bytes):
                local = await self._fetch_part(part)
                if not parquet:
                    self._schemas += [file.schema for file in local]
                columns = unify(self._schemas, csv=not parquet)
                await in_thread(work.take, local, columns, interrupt=engine.interrupt)
                _LOG.info("%s: read %d of %d files", self.what, self._seen, len(self.files))
            return await in_thread(self._conclude, work, interrupt=engine.interrupt)

    def _footer_rows(self) -> int:
        return sum(schema.rows or 0 for schema in self._schemas)

    def _refuse_early(self) -> None:
        """Say that the rows are too many before any is fetched, as far as the files' heads tell."""
        if not self.wanted.rows or self.wanted.sample_rows is not None:
            return
        columns = unify(self._schemas)
        needed = len(columns) if self.wanted.row_columns is None else len(self.wanted.row_columns)
        demand_frame_room(self.what, self._footer_rows() * needed * CELL_BYTES, self.limits.frame_bytes)

    async def _fetch_part(self, part: Sequence[ListedObject]) -> list[LocalFile]:
        numbered = list(enumerate(part, self._seen))
        self._seen += len(part)

        async def get(numbered_item: tuple[int, ListedObject]) -> LocalFile:
            number, item = numbered_item
            path = self.folder / f"file-{number}"
            await fetch(self.store, item, path)
            return await in_thread(self._stage, number, item, path)

        return await map_bounded(numbered, get, self.limits.downloads)

    def _stage(self, number: int, item: ListedObject, path: Path) -> LocalFile:
        url = self.store.location.url_of(item.key)
        staged = path.with_suffix(".parquet")
        if self.wanted.format is TableFormat.PARQUET:
            path.rename(staged)
            return without_wide_decimals(LocalFile(url, staged, self._schemas[number]))
        schema = stage_csv(url, item.key, path, staged)
        path.unlink()
        return LocalFile(url, staged, schema)

    def _conclude(self, work: _Work) -> SideResult:
        columns = unify(self._schemas, csv=self.wanted.format is TableFormat.CSV)
        profile = TableProfile(
            files=len(self.files),
            rows=work.rows,
            columns=work.profiles(columns),
            file_schemas=tuple(disagreements(self._schemas, columns)),
            fingerprint=work.fingerprint if self.wanted.profile else None,
        )
        if work.collector is None:
            return SideResult(profile)
        if self.wanted.sample_rows is None:
            demand_frame_room(self.what, work.collector.estimated_bytes(), self.limits.frame_bytes)
        frame = work.collector.load()
        return SideResult(profile, frame, sampled=len(frame) < work.rows)


class _Work:
    """Everything that is computed of the parts while they pass."""

    def __init__(self, engine: Any, folder: Path, wanted: Wanted) -> None:
        self._engine = engine
        self._wanted = wanted
        self._figures = PartialFigures(engine)
        self._distinct = DistinctValues(engine)
        self._floats = FloatSums(engine)
        self._seen: set[int] = set()
        self.collector = (
            RowCollector(engine, folder, wanted.row_columns, wanted.sample_rows) if wanted.rows else None
        )

    def take(self, files: Sequence[LocalFile], columns: Sequence[Column]) -> None:
        """Take in one part and delete its files."""
        with _naming_damage(files):
            present = create_view(self._engine, files, columns)
            self._figures.take(present if self._wanted.profile else ())
            if self._wanted.profile:
                self._profile(present)
            if self.collector is not None:
                self.collector.take(present)
        for file in files:
            file.path.unlink()

    def _profile(self, present: Sequence[Column]) -> None:
        for column in present:
            self._seen.add(column.index)
            self._distinct.take(column, self._figures.about_distinct(column))
            if column.kind is Kind.FLOAT:
                self._floats.take(column)

    @property
    def rows(self) -> int:
        """The number of rows of all parts."""
        return self._figures.rows()[0]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of all rows."""
        return hex_of(self._figures.rows()[1])

    def profiles(self, columns: Sequence[Column]) -> tuple[ColumnProfile, ...]:
        """Return the profiles of ``columns``; none where none was wanted."""
        if not self._wanted.profile:
            return ()
        return tuple(self._column_profile(column, self.rows) for column in columns)

    def _column_profile(self, column: Column, rows: int) -> ColumnProfile:
        if column.index not in self._seen:
            return column_profile(column, rows, {}, Distinct(0, exact=True), None)
        total = self._floats.sum(column) if column.kind is Kind.FLOAT else None
        return column_profile(
            column, rows, self._figures.figures(column), self._distinct.count(column), total
        )


@contextmanager
def _naming_damage(files: Sequence[LocalFile]) -> Iterator[None]:
    """Turn the engine's complaint about unreadable data into one that names the object."""
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        damage = damaged_file(files)
        if damage is None:
            raise
        raise damage from error
