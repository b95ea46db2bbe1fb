"""One view over the local files of a table, whatever their schemas, with columns ``c0 … cn``."""

# SQL is built of column indexes and file paths of our own making; no data and no name enters it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from heavylift.datasets.columns import Column, Kind
from heavylift.datasets.engine import literal
from heavylift.datasets.parquet_files import LocalFile

VIEW = "rows_now"

_AS_TEXT = {Kind.TEXT, Kind.NESTED, Kind.NOTHING}


def create_view(engine: Any, files: Sequence[LocalFile], columns: Sequence[Column]) -> tuple[Column, ...]:
    """Create the view of ``files`` and return those of ``columns`` that any of them has."""
    branches = [_branch(list(group), columns) for _, group in groupby(files, key=lambda f: f.schema.columns)]
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {VIEW} AS {' UNION ALL BY NAME '.join(branches)}")
    present = {found.name for file in files for found in file.schema.columns}
    return tuple(column for column in columns if column.name in present)


def _branch(files: Sequence[LocalFile], columns: Iterable[Column]) -> str:
    if not files[0].schema.columns:
        return f"SELECT 1 AS one FROM range({sum(file.schema.rows or 0 for file in files)})"
    # Columns are taken by position, for the engine folds names that differ in case only.
    by_name = {found.name: position for position, found in enumerate(files[0].schema.columns)}
    # The constant keeps a file without columns a table with rows.
    chosen = ["1 AS one", *(_expression(c, by_name[c.name]) for c in columns if c.name in by_name)]
    paths = ", ".join(literal(str(file.path)) for file in files)
    names = ", ".join(f"p{position}" for position in range(len(files[0].schema.columns)))
    reader = f"read_parquet([{paths}], hive_partitioning = false)"
    return f"SELECT {', '.join(chosen)} FROM {reader} AS t({names})"


def _expression(column: Column, position: int) -> str:
    value = f"p{position}"
    if column.cast:
        value = f"CAST({value} AS {column.cast})"
    elif column.kind in _AS_TEXT:
        value = f"CAST({value} AS VARCHAR)"
    elif column.kind is Kind.FLOAT:
        value = f"CAST({value} AS DOUBLE)"
    return f"{value} AS {column.sql}"
