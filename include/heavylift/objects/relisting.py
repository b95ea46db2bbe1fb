"""Listing a place again: pages that the last listing had too are recognised, not read.

A listing is kept as a Parquet file in which each row tells its page, and a list of the pages with a
digest of each. A page with the same digest has the same rows, so they are taken from that file,
or, where all pages are the same, not even looked at. Pages hold different keys, so that their order
does not matter, and what is listed in several ranges at once may come in any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import AuditError, NotFoundError
from heavylift.evidence.base import Record
from heavylift.evidence.records import MAX_LISTED, EvidenceRef, Tally
from heavylift.objects.listing import LISTING, Listing, block_of, selected_of
from heavylift.objects.ranges import list_pages
from heavylift.objects.row_files import (
    INTEGER,
    Columns,
    RowFile,
    RowsOnDisk,
    join_to_parquet,
    to_parquet,
)
from heavylift.objects.row_pipe import PipedRows, piped_rows
from heavylift.patterns import everything, in_quarantine, matcher, selector

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore
    from heavylift.objects.requests import TransferRequest
    from heavylift.platforms.ports import ObjectStore

PAGED: Columns = {**LISTING, "page": INTEGER}
"""A listing's columns, and the number of the page that each row came with."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing.

    :param number: what its rows have in the column ``page``.
    :param objects: those of it that are selected; ``size_bytes`` is theirs.
    """

    number: int
    digest: str
    objects: int
    size_bytes: int


class PageList(Record):
    """The pages of one kept listing, each as number, digest, objects and bytes.

    :param rows: the Parquet file with the rows of all of them.
    """

    rows: EvidenceRef
    pages: tuple[tuple[int, str, int, int], ...]


@dataclass
class Relisting:
    """One side's listing as it comes in; the pages that ``kept`` has as well are only noted.

    :param path: where the rows will be, once somebody asks for them.
    :param selected: told the key relative to ``prefix``.
    :param matches: the same, but that it knows no quarantine.
    """

    store: ObjectStore
    prefix: str
    selected: Callable[[str], bool]
    path: Path
    kept: PageList | None = None
    fresh: list[Page] = field(default_factory=list)
    again: list[Page] = field(default_factory=list)
    matches: Callable[[str], bool] = everything
    put_aside: list[str] = field(default_factory=list)
    """Relative keys in a quarantine, and so in no dataset: the first of those in pages that were read."""
    put_aside_count: int = 0

    async def run(self) -> Relisting:
        """List the place; memory holds a few pages of rows, and one line for each page."""
        if self.kept is None:
            # All rows will be wanted: DuckDB takes them in while the next ones come.
            async with piped_rows(self.path, PAGED) as rows:
                await self._read_into(rows)
        else:
            with RowFile(self._rows, PAGED) as file:
                await self._read_into(file)
        return self

    async def _read_into(self, rows: RowFile | PipedRows) -> None:
        waiting = {page.digest: page for page in self._kept_pages()}
        number = max((page.number for page in waiting.values()), default=-1)
        async for unread in list_pages(self.store, self.prefix):
            known = waiting.pop(unread.digest, None)
            if known is not None:
                self.again.append(known)
                continue
            number += 1
            columns = selected_of(unread.columns, self.prefix, self.selected)
            count = len(columns.keys)
            if count < len(unread.columns.keys):
                self._note_put_aside(unread.columns.keys)
            rows.add([*block_of(columns), [number] * count])
            self.fresh.append(Page(number, unread.digest, count, sum(map(int, columns.sizes))))

    def _note_put_aside(self, keys: Sequence[str]) -> None:
        aside = [rel for key in keys if in_quarantine(rel := key[len(self.prefix) :]) and self.matches(rel)]
        self.put_aside += aside[: max(0, MAX_LISTED - len(self.put_aside))]
        self.put_aside_count += len(aside)

    def _kept_pages(self) -> Iterator[Page]:
        return (Page(*page) for page in self.kept.pages) if self.kept else iter(())

    @property
    def _rows(self) -> Path:
        return self.path.with_suffix(".rows")

    @property
    def is_as_kept(self) -> bool:
        """Whether every page of the kept listing came again, and no other."""
        return self.kept is not None and not self.fresh and len(self.again) == len(self.kept.pages)

    @property
    def pages(self) -> list[Page]:
        """All pages, by number."""
        return sorted([*self.again, *self.fresh], key=lambda page: page.number)

    async def listing(self, evidence: EvidenceStore) -> Listing:
        """Return the listing with all its rows in a file.

        Where the kept rows are not there as they were, the place is listed once more.
        """
        try:
            return await self._joined(evidence)
        except (AuditError, NotFoundError):
            # No work is lost by it, and ``audit verify`` names the evidence that is damaged.
            self.kept, self.fresh, self.again = None, [], []
            await self.run()
            return await self._joined(evidence)

    async def _joined(self, evidence: EvidenceStore) -> Listing:
        if self.kept is not None:
            await self._join(evidence, self.kept)
        return Listing(self.path, total_of(self.pages))

    async def _join(self, evidence: EvidenceStore, kept: PageList) -> None:
        rows = RowsOnDisk(self._rows, PAGED)
        if self.again:
            earlier = self.path.with_suffix(".kept")
            await evidence.fetch_verified(kept.rows, earlier)
            join_to_parquet(rows, earlier, "page", [page.number for page in self.again], self.path)
            earlier.unlink()
        else:
            to_parquet(rows, self.path)
        rows.path.unlink()


def total_of(pages: Iterable[Page]) -> Tally:
    """Return what so many pages hold of the dataset."""
    listed = list(pages)
    return Tally(objects=sum(p.objects for p in listed), size_bytes=sum(p.size_bytes for p in listed))


async def relist_both(
    request: TransferRequest,
    source: ObjectStore,
    target: ObjectStore,
    folder: Path,
    kept: tuple[PageList, PageList] | None = None,
) -> tuple[Relisting, Relisting]:
    """List the source and the target of a request at the same time; files lie in ``folder``.

    What one of them raises ends the other listing too.

    :param kept: the pages of an earlier listing of the source, and of the target.
    """
    patterns = request.options.include, request.options.exclude
    selected, matches = selector(*patterns), matcher(*patterns)
    one, other = kept or (None, None)
    sides = (
        Relisting(
            source, request.source.location.prefix, selected, folder / "source.parquet", one, matches=matches
        ),
        Relisting(target, request.target.location.prefix, selected, folder / "target.parquet", other),
    )
    tasks = [asyncio.create_task(side.run()) for side in sides]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return sides
