"""Listings on disk: a store's listing streamed into one Parquet file, out of memory's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.checksums import OF_PARTS, Algorithm
from heavylift.evidence.records import Tally
from heavylift.objects.ranges import list_pages
from heavylift.objects.row_files import INTEGER, TEXT, Columns, database
from heavylift.objects.row_pipe import piped_rows
from heavylift.patterns import everything, in_quarantine
from heavylift.platforms.ports import ListedColumns

if TYPE_CHECKING:
    from heavylift.platforms.ports import ObjectStore

LISTED = tuple(
    algorithm for algorithm in Algorithm if algorithm not in OF_PARTS or algorithm is Algorithm.MD5_PARTS
)
"""What listings may tell; composite checksums are only in heads."""


@dataclass(frozen=True)
class Listing:
    """One side's objects as a Parquet file with the columns of ``LISTING``."""

    path: Path
    total: Tally


LISTING: Columns = {
    "rel": TEXT,
    "size_bytes": INTEGER,
    "version": TEXT,
    "modified_us": INTEGER,
    "storage_class": TEXT,
    **{algorithm.value: TEXT for algorithm in LISTED},
}
"""Relative key, size, version, time, storage class, and one column a checksum."""


async def list_to_file(
    store: ObjectStore, prefix: str, selected: Callable[[str], bool], path: Path
) -> Listing:
    """List ``prefix`` into ``path``; memory holds one page at a time.

    :param selected: told the key relative to ``prefix``.
    """
    async with piped_rows(path, LISTING) as rows:
        async for unread in list_pages(store, prefix):
            rows.add(block_of(selected_of(unread.columns, prefix, selected)))
    return read_listing(path)


def selected_of(page: ListedColumns, prefix: str, selected: Callable[[str], bool]) -> ListedColumns:
    """Return what is selected of a page, with relative keys."""
    if prefix:
        page = replace(page, keys=[key[len(prefix) :] for key in page.keys])
    # The common case is told apart for speed: no patterns, and nothing in quarantine.
    if selected is everything and not in_quarantine("\n".join(page.keys)):
        return page
    return page.only(list(map(selected, page.keys)))


def block_of(page: ListedColumns) -> list[Sequence[Any] | None]:
    """Return a page's columns in the order of ``LISTING``."""
    told = [page.checksums.get(algorithm) for algorithm in LISTED]
    return [page.keys, page.sizes, page.versions, page.modified, page.storage_classes, *told]


def read_listing(path: Path) -> Listing:
    """Return what :func:`list_to_file` has written."""
    with database() as db:
        row = db.execute(
            "SELECT count(*), coalesce(sum(size_bytes), 0)::BIGINT FROM read_parquet(?)", [str(path)]
        ).fetchone()
    return Listing(path, Tally(objects=int(row[0]), size_bytes=int(row[1])) if row else Tally())
