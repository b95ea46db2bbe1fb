"""Reads the rows of a bill in FOCUS format (https://focus.finops.org), CSV or Parquet, one by one."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from heavylift.errors import SpecError
from heavylift.facts.focus import NEEDED


def read_bill(path: Path) -> Iterator[Mapping[str, object]]:
    """Yield the columns that are needed of each row; memory does not grow with the bill.

    :raises SpecError: it can't be read, or lacks a column.
    """
    try:
        yield from _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unusable(path, type(error).__name__, "7693") from error


def _csv(path: Path) -> Iterator[Mapping[str, object]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        _check(path, rows.fieldnames or ())
        yield from rows


def _parquet(path: Path) -> Iterator[Mapping[str, object]]:
    from pyarrow import ArrowInvalid, parquet

    try:
        with parquet.ParquetFile(path) as file:
            _check(path, file.schema_arrow.names)
            for batch in file.iter_batches(columns=list(NEEDED)):
                yield from batch.to_pylist()
    except ArrowInvalid as error:
        raise _unusable(path, "no Parquet", "7694") from error


def _check(path: Path, columns: Collection[str]) -> None:
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise _unusable(path, f"no column {', '.join(missing)}", "7695")


def _unusable(path: Path, got: str, code: str) -> SpecError:
    return SpecError(
        f"reading the bill {path}",
        got=got,
        expected=f"CSV or Parquet in FOCUS format, with {', '.join(NEEDED)}",
        state="nothing was sent",
        remedy="correct --billing, or export the bill in FOCUS format",
        code=code,
    )
