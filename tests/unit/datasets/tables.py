"""Two folders that stand for the two sides, and a short way to check them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heavylift.datasets.checks import check_dataset
from heavylift.datasets.requests import CheckLimits, DatasetCheckRequest
from heavylift.evidence.records import ColumnComparison, DatasetCheckRecord, RunKey
from heavylift.evidence.store import EvidenceStore
from heavylift.locations import Location
from heavylift.platforms.places import Place
from heavylift.spec.expectations import TableExpectations
from tests.unit.evidence.memory_store import MemoryStore

RUN = RunKey(migration="m", phase="transfer", run="r")


@dataclass
class Sides:
    """Both sides of a dataset, as folders below one root."""

    root: Path
    evidence: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        for side in ("source", "target"):
            (self.root / side).mkdir()

    def path(self, side: str, name: str) -> Path:
        path = self.root / side / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def put(self, name: str, content: pa.Table | bytes, *sides: str) -> None:
        """Write the file on the given sides, both if none is."""
        for side in sides or ("source", "target"):
            if isinstance(content, bytes):
                self.path(side, name).write_bytes(content)
            else:
                pq.write_table(content, self.path(side, name))

    async def check(
        self, *tables: TableExpectations, limits: CheckLimits | None = None, **request: Any
    ) -> DatasetCheckRecord:
        record, _ = await check_dataset(
            DatasetCheckRequest(
                run=RUN,
                dataset="d",
                source=Place(Location("file", str(self.root / "source"))),
                target=Place(Location("file", str(self.root / "target"))),
                expectations=tables,
                limits=limits or CheckLimits(),
                **request,
            ),
            EvidenceStore(self.evidence),
        )
        return record


def table(path: str = "**/*.parquet", *suite: dict[str, Any], **fields: Any) -> TableExpectations:
    """Return a spec's entry; ``format`` follows the path."""
    kind = "parquet" if "parquet" in path else "csv"
    return TableExpectations.model_validate(
        {"name": "t", "format": kind, "path": path, "suite": list(suite), **fields}
    )


def expect(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def differing(record: DatasetCheckRecord) -> set[tuple[str, str]]:
    """Return (column, figure) of everything that is not equal."""
    return {(item.column.removeprefix("t."), item.figure) for item in record.columns if not item.equal}


def figure(record: DatasetCheckRecord, column: str | None, name: str) -> ColumnComparison:
    """Return one comparison; ``column`` is None for those of the table itself."""
    label = "t" if column is None else f"t.{column}"
    return {(c.column, c.figure): c for c in record.columns}[label, name]


def value(record: DatasetCheckRecord, column: str | None, name: str) -> str:
    return figure(record, column, name).source
