"""Reads tables batch by batch, straight from a store: Parquet, CSV (also gzip) and Arrow files."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from heavylift.errors import HeavyliftError, IntegrityError, NotFoundError, UnsupportedError
from heavylift.locations import Location
from heavylift.patterns import in_quarantine, selector
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore

MIB = 1024 * 1024
MOST_COLUMNS = 5000
HEADER_BYTES = 256 * 1024
CSV_BLOCK = 4 * MIB
_DELIMITERS = ",;\t|"
_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv", ".tsv": "csv",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Some rows of one file. Names are unique: a second ``a`` is ``a (2)``."""

    names: tuple[str, ...]
    arrays: tuple[Any, ...]
    rows: int
    csv: bool


@dataclass(frozen=True)
class Wanted:
    """Which files and columns are read, and how much memory a batch may take.

    :param columns: their names; None reads all.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    columns: Callable[[str], bool] | None = None
    memory_bytes: int = 256 * MIB


def format_of(key: str) -> str | None:
    """Return how a file is read, by its name; None for what is no table."""
    name = key.lower()
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def place_of_file(place: Place) -> tuple[Place, str]:
    """Return the folder of a place and the key of the one file that its URL names; empty for a folder."""
    location = place.location
    path = (location.prefix or location.container).rstrip("/")
    if format_of(path) is None:
        return place, ""
    folder, _, name = path.rpartition("/")
    if location.scheme == "file":
        return Place(Location("file", folder or "/"), place.connection), name
    prefix = f"{folder}/" if folder else ""
    return Place(Location(location.scheme, location.container, prefix), place.connection), prefix + name


async def table_files(store: ObjectStore, place: Place, one: str, wanted: Wanted) -> tuple[list[Any], int]:
    """Return the files of a table in the order of their keys, and how many other objects lie there.

    :param one: the key of the only file; where there is none of that name, a folder may be called so.
    :raises NotFoundError: there is no table.
    """
    prefix = place.location.prefix
    chosen = selector(wanted.include, wanted.exclude)
    files: list[ListedObject] = []
    others = 0
    async for page in store.list_pages(one or prefix):
        for item in page:
            relative = item.key[len(prefix) :]
            if item.key.endswith("/") or in_quarantine(item.key) or not chosen(relative):
                continue
            if one and item.key != one and not item.key.startswith(one + "/"):
                continue
            if format_of(item.key) is None:
                others += 1
            else:
                files.append(item)
    if not files:
        raise NotFoundError(
            f"reading the table {place.location}{one[len(prefix) :] if one else ''}",
            got=f"no table among {others} objects",
            expected=f"files that end in {', '.join(_SUFFIXES)}",
            state="nothing was changed; nothing was judged",
            remedy="name the folder or the file of the table",
            code="8901",
        )
    return sorted(files, key=lambda item: item.key), others


def listing_digest(files: Iterable[ListedObject]) -> str:
    """Return a digest that changes when a file is added, taken away or written anew."""
    digest = hashlib.sha256()
    for item in files:
        digest.update(repr((item.key, item.size_bytes, item.version)).encode())
    return digest.hexdigest()


def batches(file: Any, key: str, url: str, wanted: Wanted) -> Iterator[Batch]:
    """Yield the rows of one open file.

    :raises IntegrityError: the file cannot be read by its format.
    :raises UnsupportedError: it has too many columns.
    """
    with _damage_told(url):
        kind = format_of(key)
        if kind == "parquet":
            yield from _parquet(file, url, wanted)
        elif kind == "arrow":
            yield from _arrow(file, url, wanted)
        else:
            yield from _csv(file, key, url, wanted)


@contextmanager
def _damage_told(url: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except HeavyliftError:
        raise
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise IntegrityError(
            f"reading the table {url}",
            got=(str(error).splitlines() or [type(error).__name__])[0][:300],
            expected="a whole file of the format that its name tells",
            state="nothing was changed; nothing was judged",
            remedy="mend or exclude the file; if only one side's is damaged, run the transfer again",
            code="8902",
        ) from error


def _parquet(file: Any, url: str, wanted: Wanted) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        names = parquet.schema_arrow.names
        chosen = _chosen(names, url, wanted)
        asked = None if len(chosen) == len(names) else sorted({names[index] for index, _ in chosen})
        rows = _batch_rows(len(chosen), wanted)
        for batch in parquet.iter_batches(rows, columns=asked):
            yield _batch(batch, wanted)


def _arrow(file: Any, url: str, wanted: Wanted) -> Iterator[Batch]:
    import pyarrow as pa

    try:
        reader = pa.ipc.open_file(file)
    except pa.ArrowInvalid:
        file.seek(0)
        with pa.ipc.open_stream(file) as stream:
            _chosen(stream.schema.names, url, wanted)
            for batch in stream:
                yield _batch(batch, wanted)
        return
    with reader:
        _chosen(reader.schema.names, url, wanted)
        for number in range(reader.num_record_batches):
            yield _batch(reader.get_batch(number), wanted)


def _batch(batch: Any, wanted: Wanted) -> Batch:
    chosen = _chosen(batch.schema.names, "", wanted)
    arrays = tuple(batch.column(index) for index, _ in chosen)
    return Batch(tuple(name for _, name in chosen), arrays, batch.num_rows, csv=False)


def _csv(file: Any, key: str, url: str, wanted: Wanted) -> Iterator[Batch]:
    import pyarrow as pa
    import pyarrow.csv as pc

    def opened() -> Any:
        file.seek(0)
        return pa.CompressedInputStream(file, "gzip") if key.lower().endswith(".gz") else file

    first = opened()  # kept until the end: it closes the file when it goes
    head = first.read(HEADER_BYTES)
    if not head.strip():
        return
    names, delimiter = _header(head)
    chosen = _chosen(names, url, wanted)
    positions = [f"c{index}" for index in range(len(names))]
    reader = pc.open_csv(
        opened(),
        pc.ReadOptions(block_size=CSV_BLOCK, column_names=positions, skip_rows_after_names=1),
        pc.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        pc.ConvertOptions(
            column_types=dict.fromkeys(positions, pa.string()),
            include_columns=[positions[index] for index, _ in chosen],
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=False,
        ),
    )
    with reader:
        for batch in reader:
            yield Batch(tuple(name for _, name in chosen), tuple(batch.columns), batch.num_rows, csv=True)


def _header(head: bytes) -> tuple[list[str], str]:
    # A header cut in the middle of a letter is longer than any that is meant.
    text = head.decode("utf-8-sig", errors="strict" if len(head) < HEADER_BYTES else "ignore")
    first = text.lstrip("\r\n").splitlines()[0]
    delimiter = max(_DELIMITERS, key=first.count)
    return next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter)), delimiter


def _chosen(names: Iterable[str], url: str, wanted: Wanted) -> list[tuple[int, str]]:
    """Return position and unique name of the columns that are wanted."""
    found = [
        (index, name)
        for index, name in enumerate(_unique(names))
        if wanted.columns is None or wanted.columns(name)
    ]
    if len(found) > MOST_COLUMNS:
        raise UnsupportedError(
            f"reading the table {url}",
            got=f"{len(found):,} columns",
            expected=f"at most {MOST_COLUMNS:,} at a time",
            state="nothing was changed; nothing was judged",
            remedy="choose columns by name or pattern",
            code="8903",
        )
    return found


def _unique(names: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"


def _batch_rows(columns: int, wanted: Wanted) -> int:
    return max(1024, min(131_072, wanted.memory_bytes // (64 * max(1, columns))))
