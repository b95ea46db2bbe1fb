"""The manifest: one row for each object that was moved or found equal, with both checksums."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.checksums import Checksums

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One object to move.

    :param action: ``copy`` (nothing there), ``compare`` (something of the same size is there) or
        ``replace`` (Heavylift's own older copy, or the spec says overwrite).
    :param target_version: what is on the target now; None where nothing is.
    """

    rel: str
    action: str
    size_bytes: int
    source_version: str
    target_version: str | None


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One object that is on the target, whole.

    :param outcome: ``moved`` or ``unchanged``.
    :param source_proof: what proved the bytes read: the source's own checksum, by name, or
        ``read_twice`` where the source has none.
    :param target_proof: what proved the bytes written: the store's checksum, by name, or
        ``read_back``.
    """

    rel: str
    outcome: str
    size_bytes: int
    source_version: str
    target_version: str
    crc32c: str | None
    source_proof: str
    target_proof: str
    source_checksums: Checksums = field(default_factory=dict)
    target_checksums: Checksums = field(default_factory=dict)
    finished_us: int = 0


def manifest_schema() -> pa.Schema:
    """Return the columns of a manifest; the checksum columns hold JSON objects of hex values."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("rel", text),
            ("outcome", text),
            ("size_bytes", pa.int64()),
            ("source_version", text),
            ("target_version", text),
            ("crc32c", text),
            ("source_proof", text),
            ("target_proof", text),
            ("source_checksums", text),
            ("target_checksums", text),
            ("finished_us", pa.int64()),
        ]
    )


def write_manifest(path: Path, rows: list[ManifestRow]) -> None:
    """Write rows as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [_cell(getattr(row, name)) for row in rows] for name in manifest_schema().names}
    pq.write_table(pa.Table.from_pydict(columns, schema=manifest_schema()), path, compression="zstd")


def _cell(value: object) -> object:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def read_plan_shard(path: Path, shard: int) -> list[PlanRow]:
    """Read the rows of one shard from a plan's Parquet file, which is in the order of shards.

    By row groups, whose statistics tell which shards they hold: a filter would import
    pyarrow.compute and pyarrow.dataset, which takes longer than reading the rows.
    """
    import pyarrow.parquet as pq

    rows: list[PlanRow] = []
    with pq.ParquetFile(path) as file:
        place = file.schema_arrow.get_field_index("shard")
        for number in range(file.num_row_groups):
            told = file.metadata.row_group(number).column(place).statistics
            if told is not None and told.has_min_max and not told.min <= shard <= told.max:
                continue
            group = file.read_row_group(number, columns=["shard", *_PLAN_COLUMNS])
            shards = group.column("shard").to_pylist()
            begin, end = bisect_left(shards, shard), bisect_right(shards, shard)
            columns = [group.column(name).slice(begin, end - begin).to_pylist() for name in _PLAN_COLUMNS]
            rows += map(PlanRow, *columns)
    return rows


_PLAN_COLUMNS = ("rel", "action", "size_bytes", "source_version", "target_version")


def read_rels(path: Path) -> set[str]:
    """Read the relative keys that a manifest names."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return set(file.read(columns=["rel"]).column("rel").to_pylist())


def read_moved_rels(path: Path) -> list[str]:
    """Read the relative keys of what a manifest says was moved."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read(columns=["rel", "outcome"])
    rels, outcomes = (table.column(name).to_pylist() for name in ("rel", "outcome"))
    return [rel for rel, outcome in zip(rels, outcomes, strict=True) if outcome == "moved"]
