"""The rows that differ: counted, the first ones listed, all of them in a Parquet file, by key alone."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from heavylift.evidence.records import MAX_LISTED
from heavylift.evidence.table_records import TableDifference

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Kind = Literal["missing", "extra", "different", "unsettled"]

_HELD_ROWS = 10_000


class Differences:
    """Takes differences in from several threads; memory does not grow with their number.

    :param file: where they are written, with the columns ``table``, ``kind``, ``key`` (JSON) and
        ``count``. It is there after :meth:`close`, and only where there is a difference.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.listed: list[TableDifference] = []
        self.counts: Counter[Kind] = Counter()
        self._held: list[tuple[str, str, str, int]] = []
        self._writer: pq.ParquetWriter | None = None
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Return how many rows differ, the unsettled ones included."""
        return sum(self.counts.values())

    def add(self, table: str, kind: Kind, key: dict[str, str | None], count: int = 1) -> None:
        """Take one row in, ``count`` times where it is there more than once."""
        with self._lock:
            self.counts[kind] += count
            if kind != "unsettled" and len(self.listed) < MAX_LISTED:
                self.listed.append(TableDifference(table=table, kind=kind, key=key))
            self._held.append((table, kind, json.dumps(key, ensure_ascii=False), count))
            if len(self._held) >= _HELD_ROWS:
                self._write()

    def count_only(self, kind: Kind, count: int) -> None:
        """Count rows that nobody need name, such as all of a table."""
        with self._lock:
            self.counts[kind] += count

    def close(self) -> None:
        """Complete the file."""
        with self._lock:
            if self._held:
                self._write()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def rows(self) -> Iterator[tuple[str, Kind, dict[str, str | None]]]:
        """Yield all differences out of the file, once it is complete."""
        import pyarrow.parquet as pq

        if not self.file.exists():
            return
        with pq.ParquetFile(self.file) as file:
            for batch in file.iter_batches(batch_size=_HELD_ROWS):
                for row in batch.to_pylist():
                    yield row["table"], row["kind"], json.loads(row["key"])

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.file, schema, compression="zstd")
        types = schema.types
        columns = [pa.array(list(each), types[at]) for at, each in enumerate(zip(*self._held, strict=True))]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        self._held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _schema() -> pa.Schema:
    import pyarrow as pa

    names = [("table", pa.string()), ("kind", pa.string()), ("key", pa.string()), ("count", pa.int64())]
    return pa.schema(names)
