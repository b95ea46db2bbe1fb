"""Checking a dataset's tables: the one function that operators and the command line call."""

from __future__ import annotations

import asyncio
import errno
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from heavylift.datasets.compare import compare_profiles
from heavylift.datasets.listing import table_files
from heavylift.datasets.profile import TableProfile
from heavylift.datasets.requests import DatasetCheckRequest
from heavylift.datasets.side import SideReader, SideResult, Wanted
from heavylift.datasets.suites import BuiltExpectation, build_suite, run_suite, suite_columns
from heavylift.errors import PermanentError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import check_record_path
from heavylift.evidence.records import (
    ColumnComparison,
    DatasetCheckRecord,
    EvidenceRef,
    ExpectationOutcome,
)
from heavylift.evidence.store import EvidenceStore
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.wiring import open_store
from heavylift.spec.expectations import TableExpectations
from heavylift.spec.vocabulary import CompareColumns


@dataclass
class _Findings:
    """What all tables of a dataset have given so far."""

    files: int = 0
    source_rows: int = 0
    target_rows: int = 0
    sampled_rows: int | None = None
    found_files: bool = True
    outcomes: list[ExpectationOutcome] = field(default_factory=list)
    comparisons: list[ColumnComparison] = field(default_factory=list)

    def add_side(self, side: Literal["source", "target"], result: SideResult) -> None:
        if side == "source":
            self.files += result.profile.files
            self.source_rows += result.profile.rows
        else:
            self.target_rows += result.profile.rows
        self.found_files = self.found_files and result.profile.files > 0
        if result.sampled and result.frame is not None and side == "source":
            self.sampled_rows = (self.sampled_rows or 0) + len(result.frame)


async def check_dataset(
    request: DatasetCheckRequest, evidence: EvidenceStore
) -> tuple[DatasetCheckRecord, EvidenceRef]:
    """Compare every table of a dataset on both sides, run its expectations, and keep the result.

    Reads both stores and changes neither. Each call adds a numbered record of its own, so it is
    safe to run again. Differences and failed expectations do not raise: they make
    ``profiles_equal`` and ``expectations_passed`` false. A table without files fails both.

    :raises SpecError: a suite is wrong; nothing was read.
    :raises IntegrityError: a file is damaged; the message names it.
    :raises UnsupportedError: a limit of the request does not allow it.
    :raises PreconditionError: a file changed while it was read.
    """
    began = time.monotonic()
    suites = [await asyncio.to_thread(build_suite, request.dataset, table) for table in request.expectations]
    findings = _Findings()
    pacer = Pacer(request.limits.bandwidth_bytes_per_second)
    async with (
        _opened(request, request.source, pacer) as source,
        _opened(request, request.target, pacer) as target,
    ):
        for table, suite in zip(request.expectations, suites, strict=True):
            await _TableCheck(request, table, suite, source, target).run(findings)
    record = _record(request, findings, time.monotonic() - began)
    _, ref = await write_next(
        evidence, lambda number: check_record_path(request.run, request.dataset, number), record
    )
    return record, ref


def _opened(
    request: DatasetCheckRequest, place: Place, pacer: Pacer
) -> AbstractAsyncContextManager[ObjectStore]:
    settings = HttpSettings(connections=request.limits.downloads + 2)
    return open_store(place.location, place.connection, settings=settings, pacer=pacer)


def _record(request: DatasetCheckRequest, findings: _Findings, seconds: float) -> DatasetCheckRecord:
    return DatasetCheckRecord(
        run=request.run,
        dataset=request.dataset,
        files=findings.files,
        source_rows=findings.source_rows,
        target_rows=findings.target_rows,
        sampled_rows=findings.sampled_rows,
        expectations=tuple(findings.outcomes),
        columns=tuple(findings.comparisons),
        expectations_passed=findings.found_files and all(item.passed for item in findings.outcomes),
        profiles_equal=findings.found_files and all(item.equal for item in findings.comparisons),
        seconds=round(seconds, 3),
    )


@dataclass
class _TableCheck:
    request: DatasetCheckRequest
    table: TableExpectations
    suite: Sequence[BuiltExpectation]
    source: ObjectStore
    target: ObjectStore

    async def run(self, findings: _Findings) -> None:
        """Add this table's results; one side after the other, so that one fits on disk at a time."""
        one = await self._side("source", self.source, self.request.source, findings)
        other = await self._side("target", self.target, self.request.target, findings)
        findings.comparisons += compare_profiles(self.table.name, one, other, self.table.compare)

    async def _side(
        self, side: Literal["source", "target"], store: ObjectStore, place: Place, findings: _Findings
    ) -> TableProfile:
        result = await self._read(side, store, await self._files(store, place))
        findings.add_side(side, result)
        if result.frame is not None:
            findings.outcomes += await asyncio.to_thread(
                run_suite, self.table.name, side, self.suite, result.frame
            )
        return result.profile

    async def _files(self, store: ObjectStore, place: Place) -> list[ListedObject]:
        return await table_files(
            store, place.location.prefix, self.table.path, self.request.include, self.request.exclude
        )

    async def _read(self, side: str, store: ObjectStore, files: Sequence[ListedObject]) -> SideResult:
        what = f"table {self.table.name!r} of dataset {self.request.dataset!r} on the {side}"
        with tempfile.TemporaryDirectory(prefix="heavylift-check-") as folder, _naming_full_disk(what):
            reader = SideReader(store, files, self._wanted(), self.request.limits, Path(folder), what)
            return await reader.read()

    def _wanted(self) -> Wanted:
        names = suite_columns(self.table)
        return Wanted(
            format=self.table.format,
            profile=self.table.compare.columns is CompareColumns.PROFILE,
            rows=bool(self.suite),
            row_columns=None if names is None else frozenset(names),
            sample_rows=self.table.sample_rows,
        )


@contextmanager
def _naming_full_disk(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise PermanentError(
            f"check of {what}",
            got="a full disk under the temporary folder",
            expected="room for the downloads of one part of the table and as much for sorting",
            state="nothing was changed; the check has no result, its temporary files are gone",
            remedy="free some disk, or set TMPDIR to a larger one",
            code="4351",
        ) from error
