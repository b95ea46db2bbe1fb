"""The load manifest: what is on a device, one row for each object, and one digest over all rows.

Columns: ``rel`` (the key), ``stored_path`` (below the data folder), ``size_bytes``,
``source_version``, ``crc32c`` and ``sha256`` and further ``checksums`` (a JSON object of hex
values) as read back from the device, ``attributes`` (a JSON object, so that headers, metadata and
tags survive a file system that has none), ``source_proof``, ``loaded_us``.

The root digest is the SHA-256 over one line for each row, in the byte order of the keys: the
JSON array ``[rel, stored_path, size_bytes, source_version, sha256, attributes]`` in ASCII,
without blanks, then a line feed. Whoever has the manifest can compute it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.checksums import Algorithm
from heavylift.evidence.records import Tally
from heavylift.objects.appliances.database import database
from heavylift.platforms.ports import ObjectAttributes

if TYPE_CHECKING:
    import pyarrow as pa

_HEADERS = (
    "content_type",
    "content_encoding",
    "cache_control",
    "content_disposition",
    "content_language",
)
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class LoadRow:
    """One object that is on a device, whole."""

    rel: str
    stored_path: str
    size_bytes: int
    source_version: str
    checksums: dict[Algorithm, str]
    attributes: ObjectAttributes = field(default_factory=ObjectAttributes)
    source_proof: str = ""
    loaded_us: int = 0


def manifest_schema() -> pa.Schema:
    """Return the columns of a load manifest."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    return pa.schema(
        [
            ("rel", text),
            ("stored_path", text),
            ("size_bytes", number),
            ("source_version", text),
            ("crc32c", text),
            ("sha256", text),
            ("checksums", text),
            ("attributes", text),
            ("source_proof", text),
            ("loaded_us", number),
        ]
    )


def write_rows(path: Path, rows: Sequence[LoadRow]) -> None:
    """Write rows as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_cells(row) for row in rows], schema=manifest_schema())
    pq.write_table(table, path, compression="zstd")


def _cells(row: LoadRow) -> dict[str, Any]:
    return {
        "rel": row.rel,
        "stored_path": row.stored_path,
        "size_bytes": row.size_bytes,
        "source_version": row.source_version,
        "crc32c": row.checksums[Algorithm.CRC32C],
        "sha256": row.checksums[Algorithm.SHA256],
        "checksums": json.dumps(row.checksums, sort_keys=True),
        "attributes": encode_attributes(row.attributes),
        "source_proof": row.source_proof,
        "loaded_us": row.loaded_us,
    }


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[list[LoadRow]]:
    """Yield the rows of a manifest in batches."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
            yield [row_of(cells) for cells in batch.to_pylist()]


def row_of(cells: dict[str, Any]) -> LoadRow:
    """Return the row that a manifest's cells are."""
    return LoadRow(
        rel=cells["rel"],
        stored_path=cells["stored_path"],
        size_bytes=cells["size_bytes"],
        source_version=cells["source_version"],
        checksums={Algorithm(name): value for name, value in json.loads(cells["checksums"]).items()},
        attributes=decode_attributes(cells["attributes"]),
        source_proof=cells["source_proof"],
        loaded_us=cells["loaded_us"],
    )


def encode_attributes(attributes: ObjectAttributes) -> str:
    """Return attributes as canonical JSON; ``{}`` where there are none."""
    present = {name: value for name, value in asdict(attributes).items() if value}
    return json.dumps(present, sort_keys=True, separators=(",", ":"))


def decode_attributes(text: str) -> ObjectAttributes:
    """Return the attributes that :func:`encode_attributes` wrote."""
    raw = json.loads(text)
    headers = {name: raw[name] for name in _HEADERS if name in raw}
    mappings = {name: raw.get(name, {}) for name in ("metadata", "tags", "own_headers")}
    return ObjectAttributes(**headers, **mappings)


def merge(parts: Sequence[Path], path: Path, work: Path, memory_bytes: int) -> tuple[Tally, str]:
    """Write the latest row of each key in ``parts`` to ``path``, by key; return their sum and root digest."""
    with database(work, memory_bytes) as db:
        db.execute(
            "CREATE TABLE latest AS SELECT * FROM read_parquet($parts)"
            " QUALIFY row_number() OVER (PARTITION BY rel ORDER BY loaded_us DESC) = 1",
            {"parts": [str(part) for part in parts]},
        )
        db.execute(
            "COPY (FROM latest ORDER BY rel) TO ? (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)",
            [str(path)],
        )
        row = db.execute("SELECT count(*), coalesce(sum(size_bytes), 0)::BIGINT FROM latest").fetchall()[0]
    return Tally(objects=int(row[0]), size_bytes=int(row[1])), root_digest(path)


def root_digest(path: Path) -> str:
    """Return the digest over all rows of a manifest whose rows lie by key.

    :raises ValueError: they do not, or a key is there twice.
    """
    digest = hashlib.sha256()
    before: bytes | None = None
    for batch in read_rows(path):
        for row in batch:
            key = row.rel.encode()
            if before is not None and key <= before:
                raise ValueError("the manifest's keys are not in order")
            before = key
            digest.update(_line(row))
    return digest.hexdigest()


def _line(row: LoadRow) -> bytes:
    told = [
        row.rel,
        row.stored_path,
        row.size_bytes,
        row.source_version,
        row.checksums[Algorithm.SHA256],
        encode_attributes(row.attributes),
    ]
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"
