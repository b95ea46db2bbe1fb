"""Parquet files on local disk: made readable without loss, and the damaged one found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from heavylift.datasets.columns import FileSchema, holds_wide_decimal
from heavylift.errors import IntegrityError, UnsupportedError

BATCH_ROWS = 64 * 1024


@dataclass(frozen=True)
class LocalFile:
    """A file of the table on local disk, as Parquet.

    :param url: the object that it came from, for messages.
    """

    url: str
    path: Path
    schema: FileSchema


def without_wide_decimals(file: LocalFile) -> LocalFile:
    """Return ``file``, rewritten with text in place of decimals that the engine makes floats of.

    :raises UnsupportedError: such decimals lie within lists or structs.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wide = [i for i, column in enumerate(file.schema.columns) if holds_wide_decimal(column.type)]
    if not wide:
        return file
    nested = [file.schema.columns[i].name for i in wide if file.schema.columns[i].type.num_fields]
    if nested:
        raise UnsupportedError(
            f"check of {file.url}",
            got=f"decimals of more than 38 digits within column {nested[0]!r}",
            expected="such decimals in columns of their own, or fewer digits",
            state="nothing was changed; the check has no result",
            remedy="leave the file out of the table's path; its bytes are verified all the same",
            code="4322",
        )
    source = pq.ParquetFile(file.path)
    schema = source.schema_arrow
    for index in wide:
        schema = schema.set(index, pa.field(schema.field(index).name, pa.string()))
    path = file.path.with_suffix(".text.parquet")
    with source, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in source.iter_batches(BATCH_ROWS):
            arrays = [batch.column(i).cast(schema.field(i).type) for i in range(len(schema))]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    file.path.unlink()
    return LocalFile(file.url, path, file.schema)


def damaged_file(files: Iterable[LocalFile]) -> IntegrityError | None:
    """Return the error for the first file that cannot be read, or None; each is tried for itself."""
    for file in files:
        problem = _problem(file.path)
        if problem:
            return IntegrityError(
                f"reading the Parquet data of {file.url}",
                got=problem,
                expected="data that its own footer describes",
                state="nothing was changed; the check has no result",
                remedy="if only the target's file is damaged, delete it there and run the transfer again; "
                "if the source's is too, restore it, or leave it out of the table's path",
                code="4321",
            )
    return None


def _problem(path: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS):
                batch.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        return (str(error).splitlines() or [type(error).__name__])[0][:300]
    return ""
