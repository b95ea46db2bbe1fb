"""What a dataset is drawn by: row groups, blocks of text, whole compressed files."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from heavylift.platforms.ports import ListedObject

BLOCK_BYTES = 1024 * 1024
"""Of a block; records that begin in it belong to it."""
_PACKED = frozenset({"zst", "bz2", "xz", "lz4", "snappy", "br", "zip", "tar", "tgz", "7z", "rar"})
_BINARY = _PACKED | frozenset(
    {"png", "jpg", "jpeg", "gif", "webp", "tif", "tiff", "bmp", "mp3", "wav", "flac", "mp4", "mov", "avi",
     "pt", "pth", "pkl", "joblib", "h5", "hdf5", "npy", "npz", "onnx", "safetensors", "tfrecord", "bin", "so",
     "orc", "avro", "arrow", "feather", "xls", "xlsx", "doc", "docx", "pdf", "db", "sqlite", "dcm"}
)  # fmt: skip


class Format(StrEnum):
    """How an object is read."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
    TEXT = "text"
    NONE = "none"


@dataclass(frozen=True)
class Readable:
    """An object and how it is read.

    :param packed: compressed with gzip, and so one unit.
    """

    item: ListedObject
    format: Format
    packed: bool = False

    @property
    def extension(self) -> str:
        """The last part of its name, lower case."""
        return _extension(self.item.key)


@dataclass(frozen=True)
class Unit:
    """A part of an object that is read in one go.

    :param number: of the block or row group; 0 for a compressed file.
    """

    file: Readable
    number: int


def readable(item: ListedObject) -> Readable:
    """Return how an object is read, as its name tells; what is unknown is tried as text."""
    key = item.key
    packed = _extension(key) == "gz"
    extension = _extension(key[:-3] if packed else key)
    if extension in {"parquet", "pq"} and not packed:
        return Readable(item, Format.PARQUET)
    if extension in {"csv", "tsv", "psv"}:
        return Readable(item, Format.CSV, packed)
    if extension in {"json", "jsonl", "ndjson", "geojson"}:
        return Readable(item, Format.JSON, packed)
    return Readable(item, Format.NONE if extension in _BINARY else Format.TEXT, packed)


def _extension(key: str) -> str:
    name = key.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def blocks(file: Readable) -> int:
    """Return how many units an object that is no Parquet has."""
    return 1 if file.packed else -(-file.item.size_bytes // BLOCK_BYTES)


def drawn(counts: Sequence[tuple[Readable, int]], wanted: int | None, seed: int) -> Iterator[Unit]:
    """Yield units in the order of their objects: ``wanted`` of all, each as likely; all where None."""
    total = sum(count for _, count in counts)
    chosen: Iterable[int] = range(total)
    if wanted is not None and wanted < total:
        chosen = sorted(random.Random(seed).sample(range(total), wanted))  # noqa: S311  (a sample, no secret)
    files = iter(counts)
    file, count, first = None, 0, 0
    for index in chosen:
        while file is None or index >= first + count:
            first += count
            file, count = next(files)
        yield Unit(file, index - first)
