"""Listings on disk: a store's listing streamed into one Parquet file, out of memory's way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.checksums import OF_PARTS, Algorithm
from heavylift.evidence.records import Tally

if TYPE_CHECKING:
    import pyarrow as pa

    from heavylift.platforms.ports import ListedObject, ObjectStore

BATCH_ROWS = 50_000
LISTED = tuple(
    algorithm for algorithm in Algorithm if algorithm not in OF_PARTS or algorithm is Algorithm.MD5_PARTS
)
"""What listings may tell; composite checksums are only in heads."""


@dataclass(frozen=True)
class Listing:
    """One side's objects as a Parquet file of ``listing_schema``."""

    path: Path
    total: Tally


def listing_schema() -> pa.Schema:
    """Return the columns: relative key, size, version, time, and one column a checksum."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("rel", pa.string(), nullable=False),
            pa.field("size_bytes", pa.int64(), nullable=False),
            pa.field("version", pa.string(), nullable=False),
            pa.field("modified_us", pa.int64(), nullable=False),
            *(pa.field(algorithm.value, pa.string()) for algorithm in LISTED),
        ]
    )


async def list_to_file(
    store: ObjectStore, prefix: str, selected: Callable[[str], bool], path: Path
) -> Listing:
    """List ``prefix`` into ``path``; memory holds one batch at a time.

    :param selected: told the key relative to ``prefix``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = listing_schema()
    objects = size_bytes = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        async for batch in _batches(store, prefix, selected):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            objects += len(batch)
            size_bytes += sum(row["size_bytes"] for row in batch)
    return Listing(path, Tally(objects=objects, size_bytes=size_bytes))


async def _batches(
    store: ObjectStore, prefix: str, selected: Callable[[str], bool]
) -> AsyncIterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    async for page in store.list_pages(prefix):
        rows.extend(_row(item, prefix) for item in page if selected(item.key[len(prefix) :]))
        if len(rows) >= BATCH_ROWS:
            yield rows
            rows = []
    yield rows


def _row(item: ListedObject, prefix: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rel": item.key[len(prefix) :],
        "size_bytes": item.size_bytes,
        "version": item.version,
        "modified_us": item.modified_us,
    }
    row.update((algorithm.value, value) for algorithm, value in item.checksums.items())
    return row
