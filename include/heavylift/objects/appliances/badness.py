"""Bad objects of a check or reconciliation: the first ones named, all of them in a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from heavylift.evidence.records import MAX_LISTED
from heavylift.objects.appliances.records import BadObject

_FLUSH = 10_000


class BadObjects:
    """Collects bad objects with bounded memory; use as a context, then :meth:`written`."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.path, self._rows = path, list[BadObject]()
        self._schema = pa.schema([(name, pa.string()) for name in BadObject.model_fields])
        self._writer: Any = None
        self.first: list[BadObject] = []
        self.kinds: Counter[str] = Counter()

    def add(self, bad: BadObject) -> None:
        """Take one in."""
        self.kinds[bad.kind] += 1
        if len(self.first) < MAX_LISTED:
            self.first.append(bad)
        self._rows.append(bad)
        if len(self._rows) >= _FLUSH:
            self._flush()

    def written(self) -> bool:
        """End the file; False where there is nothing bad and so no file."""
        self._flush()
        if self._writer is None:
            return False
        self._writer.close()
        return True

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._rows:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, self._schema, compression="zstd")
        table = pa.Table.from_pylist([row.model_dump() for row in self._rows], schema=self._schema)
        self._writer.write_table(table)
        self._rows = []
