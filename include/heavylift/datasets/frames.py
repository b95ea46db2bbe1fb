"""The rows that expectations see: all of a side, or a sample that both sides draw alike.

A sample is made of the rows with the smallest hashes over all columns, so that equal tables
give equal samples, however their rows are ordered or cut into files.
"""

# SQL is built of column indexes and file paths of our own making; no data and no name enters it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.datasets.columns import Column, Kind
from heavylift.datasets.engine import literal
from heavylift.datasets.fingerprints import row_hash
from heavylift.datasets.scan import VIEW
from heavylift.errors import UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

_HOLDS_TEXT = {Kind.TEXT, Kind.CSV, Kind.NESTED}
CELL_BYTES = 32
"""What one value takes in memory while expectations run, its text apart; measured, for estimates."""


class RowCollector:
    """Collects rows part by part, on disk.

    :param names: the columns to keep; None keeps all.
    :param sample_rows: so many at most, drawn alike on both sides; None keeps all.
    """

    def __init__(
        self, engine: Any, folder: Path, names: frozenset[str] | None, sample_rows: int | None
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._names = names
        self._sample_rows = sample_rows
        self._files: list[Path] = []
        self._kept: dict[int, Column] = {}

    def take(self, present: Sequence[Column]) -> None:
        """Add the part that the view shows now.

        :param present: the columns that the part has.
        """
        path = self._folder / f"kept-{len(self._files)}.parquet"
        kept = [column for column in present if self._names is None or column.name in self._names]
        # The constant keeps a part without wanted columns a part with rows.
        chosen = ", ".join(["1 AS one", *(column.sql for column in kept)])
        if self._sample_rows is None:
            self._copy(f"SELECT {chosen} FROM {VIEW}", path)
        else:
            drawn = f"SELECT {chosen}, {row_hash(present)} AS h FROM {VIEW}"
            self._copy(f"{drawn} ORDER BY h LIMIT {self._sample_rows}", path)
        self._files.append(path)
        self._kept |= {column.index: column for column in kept}

    def estimated_bytes(self) -> int:
        """Return roughly how much memory the rows will take."""
        texts = [c.sql for c in self._kept.values() if c.kind in _HOLDS_TEXT]
        sums = "".join(f" + coalesce(sum(strlen({name})), 0)" for name in texts)
        cells = (1 + len(self._kept)) * CELL_BYTES
        found = self._engine.execute(f"SELECT count(*) * {cells}{sums} FROM ({self._union()})").fetchall()
        return int(found[0][0])

    def load(self) -> Any:
        """Return the rows as Great Expectations takes them."""
        import pyarrow.parquet as pq

        path = self._folder / "frame.parquet"
        columns = [self._kept[index] for index in sorted(self._kept)]
        chosen = ", ".join(["1 AS one", *(column.sql for column in columns)])
        order = "" if self._sample_rows is None else f" ORDER BY h LIMIT {self._sample_rows}"
        self._copy(f"SELECT {chosen} FROM ({self._union()}){order}", path)
        return to_frame(pq.read_table(path), columns)

    def _union(self) -> str:
        paths = ", ".join(literal(str(path)) for path in self._files)
        return f"SELECT * FROM read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"

    def _copy(self, query: str, path: Path) -> None:
        self._engine.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")


def to_frame(table: pa.Table, columns: Sequence[Column]) -> Any:
    """Return the rows under their own column names, in types that lose nothing but decimals.

    Decimals become floats, as Great Expectations would turn them one by one: expectations have
    bounds of a tolerance anyhow, and what must be exact is in the profile. CSV text becomes
    numbers where all of it is.
    """
    arrays = [_for_frame(table.column(column.sql), column) for column in columns]
    typed = type(table).from_arrays(arrays, names=[column.name for column in columns])
    frame = typed.to_pandas(types_mapper=_nullable(typed))
    return frame if arrays else frame.reindex(range(table.num_rows))


def _for_frame(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    import pyarrow as pa

    if column.kind is Kind.DECIMAL:
        return values.cast(pa.float64())
    return from_csv(values) if column.kind is Kind.CSV else values


def from_csv(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return CSV text as whole numbers, floats or truth values where all of it is such.

    Numbers with leading zeros stay text: they are codes, not amounts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if values.null_count == len(values):
        return values
    forms = (
        (r"^-?(0|[1-9][0-9]{0,17})$", pa.int64()),
        (r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$", pa.float64()),
        (r"^(true|false|True|False|TRUE|FALSE)$", pa.bool_()),
    )
    for pattern, target in forms:
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            return values.cast(target)
    return values


def _nullable(table: pa.Table) -> Any:
    """Keep whole numbers and truth values with gaps what they are; pandas would make floats of them."""
    import pandas as pd  # type: ignore[import-untyped]
    import pyarrow as pa

    gaps = {
        field.type for field, column in zip(table.schema, table.columns, strict=True) if column.null_count
    }
    mapped = {
        getattr(pa, name.lower())(): getattr(pd, f"{name}Dtype")()
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    } | {pa.bool_(): pd.BooleanDtype()}
    return {kind: dtype for kind, dtype in mapped.items() if kind in gaps}.get


def demand_frame_room(what: str, estimate: int, most_bytes: int) -> None:
    """Refuse rows that would take more memory than allowed.

    :raises UnsupportedError: they would.
    """
    if estimate <= most_bytes:
        return
    raise UnsupportedError(
        f"running expectations on all rows of {what}",
        got=f"rows that take about {estimate} bytes of memory",
        expected=f"at most {most_bytes} bytes",
        state="nothing was changed; the check has no result",
        remedy="set sample_rows of the table in the spec, or raise memory_budget of the dataset's limits, of "
        "which rows may take eight times as much",
        code="4340",
    )
