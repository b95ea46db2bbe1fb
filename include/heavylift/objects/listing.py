"""Listings on disk: a store's listing streamed into one Parquet file, out of memory's way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.checksums import OF_PARTS, Algorithm
from heavylift.evidence.records import Tally
from heavylift.objects.ranges import list_columns
from heavylift.patterns import QUARANTINE, everything
from heavylift.platforms.ports import ListedColumns

if TYPE_CHECKING:
    import pyarrow as pa

    from heavylift.platforms.ports import ObjectStore

BATCH_ROWS = 20_000
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
            pa.field("storage_class", pa.string()),
            *(pa.field(algorithm.value, pa.string()) for algorithm in LISTED),
        ]
    )


async def list_to_file(
    store: ObjectStore, prefix: str, selected: Callable[[str], bool], path: Path
) -> Listing:
    """List ``prefix`` into ``path``; memory holds one batch at a time.

    :param selected: told the key relative to ``prefix``.
    """
    import pyarrow.parquet as pq

    schema = listing_schema()
    objects = size_bytes = 0
    batch: list[pa.RecordBatch] = []
    waiting = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        async for page in list_columns(store, prefix):
            rows, size = _record_batch(page, prefix, selected, schema)
            batch.append(rows)
            waiting += rows.num_rows
            objects, size_bytes = objects + rows.num_rows, size_bytes + size
            if waiting >= BATCH_ROWS:
                _write(writer, batch, schema)
                batch, waiting = [], 0
        _write(writer, batch, schema)
    return Listing(path, Tally(objects=objects, size_bytes=size_bytes))


def _write(writer: Any, batch: list[pa.RecordBatch], schema: pa.Schema) -> None:
    import pyarrow as pa

    writer.write_table(pa.Table.from_batches(batch, schema=schema).combine_chunks())


def _record_batch(
    page: ListedColumns, prefix: str, selected: Callable[[str], bool], schema: pa.Schema
) -> tuple[pa.RecordBatch, int]:
    """Return a page as a record batch, with the sum of its sizes.

    Nothing here uses pyarrow.compute: importing that takes longer than listing 100,000 objects.
    """
    import pyarrow as pa

    cut = len(prefix)
    columns: dict[str, list[Any]] = {
        "rel": [key[cut:] for key in page.keys] if cut else page.keys,
        "size_bytes": page.sizes,
        "version": page.versions,
        "modified_us": page.modified,
        **{algorithm.value: values for algorithm, values in page.checksums.items()},
    }
    if page.storage_classes is not None:
        columns["storage_class"] = page.storage_classes
    # The common case is told apart for speed: no patterns, and nothing in quarantine.
    if selected is not everything or any(f"{QUARANTINE}/" in rel for rel in columns["rel"]):
        wanted = [selected(rel) for rel in columns["rel"]]
        columns = {name: list(compress(values, wanted)) for name, values in columns.items()}
    count = len(columns["rel"])
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema), sum(columns["size_bytes"])
