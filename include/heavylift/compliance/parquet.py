"""Parquet: the columns of a row group, with values of nested ones by their paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from heavylift.compliance.gathering import Gathered

BATCH_ROWS = 16 * 1024


def row_groups(file: Any) -> int:
    """Return how many row groups a Parquet file has, by its footer."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        return int(parquet.metadata.num_row_groups)


def take_row_group(gathered: Gathered, file: Any, number: int, unit: str) -> None:
    """Take in one row group, some rows at a time."""
    import pyarrow.parquet as pq

    row = 1
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[number], use_threads=False):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for path, flat in _flat(name, column):
                    _take(gathered, path, flat, unit, row)
            row += batch.num_rows
            gathered.bytes_read += batch.nbytes


def _flat(path: str, column: Any) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa

    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        column, kind = column.storage, column.storage.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_struct(kind):
        for index, field in enumerate(kind):
            yield from _flat(f"{path}.{field.name}", column.flatten()[index])
    elif pa.types.is_map(kind):
        yield from _flat(f"{path}.(keys)", column.keys)
        yield from _flat(f"{path}.*", column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _flat(f"{path}[]", column.flatten())
    else:
        yield path, column


def _take(gathered: Gathered, path: str, column: Any, unit: str, row: int) -> None:
    values = _bytes_of(column)
    if values is not None:
        gathered.take(path, values, unit, row)
    elif column.null_count < len(column):
        gathered.column(path)
        gathered.leave(f"column of type {column.type}", "its values are no text, whole numbers or days")


def _bytes_of(column: Any) -> list[bytes] | None:
    """Return the values as text, or None where they are none; such a column is then told as left out."""
    import pyarrow as pa
    from pyarrow import compute

    kind, t = column.type, pa.types
    if t.is_null(kind) or t.is_boolean(kind):
        return []
    if t.is_floating(kind):
        # Whole numbers with gaps are read as floats by many programs, numbers of people among them.
        column = compute.if_else(compute.is_finite(column), column, None)
        if t.is_float16(kind) or compute.all(compute.equal(column, compute.floor(column))).as_py() is False:
            return None
        column = compute.cast(column, pa.int64(), safe=False)
        kind = column.type
    if t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind):
        try:
            column = column.cast(pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid:
            return None
    elif t.is_integer(kind) or t.is_temporal(kind) or t.is_decimal(kind):
        try:
            column = compute.cast(column, pa.large_string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
    elif not (t.is_string(kind) or t.is_large_string(kind)):
        return None
    return [b"" if each is None else each for each in column.cast(pa.large_binary()).to_pylist()]
