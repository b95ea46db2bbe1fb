"""Reading Parquet footers by range requests: rows and columns without the data."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, cast

from heavylift.datasets.columns import FileColumn, FileSchema, unique_names
from heavylift.datasets.concurrency import map_bounded
from heavylift.errors import HeavyliftError, IntegrityError
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.range_files import range_file

if TYPE_CHECKING:
    import pyarrow as pa


async def read_footers(store: ObjectStore, files: Sequence[ListedObject], at_once: int) -> list[FileSchema]:
    """Return what every file's footer tells, in the order of ``files``.

    :raises IntegrityError: a file is no Parquet, or its footer is damaged.
    """
    loop = asyncio.get_running_loop()

    async def read(item: ListedObject) -> FileSchema:
        return await asyncio.to_thread(_read_footer, store, item, loop)

    return await map_bounded(files, read, at_once)


def _read_footer(store: ObjectStore, item: ListedObject, loop: asyncio.AbstractEventLoop) -> FileSchema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    url = store.location.url_of(item.key)
    try:
        with range_file(store, item, loop) as file:
            parquet = pq.ParquetFile(cast("IO[Any]", file))
            return FileSchema(item.key, file_columns(parquet.schema_arrow), parquet.metadata.num_rows)
    except HeavyliftError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(
            f"reading the Parquet footer of {url}",
            got=_first_line(error),
            expected="a whole, unencrypted Parquet file",
            state="nothing was changed; the check has no result",
            remedy="if only the target's file is damaged, delete it there and run the transfer again; if the "
            "source's is too, restore it, or leave it out of the table's path",
            code="4320",
        ) from error


def file_columns(schema: pa.Schema) -> tuple[FileColumn, ...]:
    """Return the columns of an Arrow schema, repeated names numbered."""
    names = unique_names(schema.names)
    return tuple(FileColumn(name, field.type) for name, field in zip(names, schema, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
