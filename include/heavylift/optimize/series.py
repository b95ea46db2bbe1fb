"""Series over time, as they are exported: CSV, Parquet, or the answer of Prometheus to a query over a range.

What is missing stays missing: it is neither filled nor taken for 0.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.errors import SpecError
from heavylift.optimize.checks import demand
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store

Floats = NDArray[np.float64]
MOST_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Series:
    """Values at moments.

    :param at: seconds since 1970, ascending, each once.
    :param columns: by name; NaN where there was no value.
    :param repeated: moments that were there more than once; of these the largest value counts.
    :param reordered: the moments did not ascend as they were read.
    """

    at: Floats
    columns: Mapping[str, Floats]
    repeated: int = 0
    reordered: bool = False

    def __getitem__(self, name: str) -> Floats:
        """Return one column."""
        return self.columns[name]

    @property
    def days(self) -> float:
        """From the first moment to the last."""
        return float(self.at[-1] - self.at[0]) / 86_400 if self.at.size else 0.0


async def read_series(place: Path | Place, at: str, columns: Mapping[str, str]) -> Series:
    """Read a series; ``.parquet`` and ``.json`` (Prometheus) by their suffix, all else as CSV.

    :param at: the column of the moment: ISO 8601, or seconds since 1970. Prometheus brings its own.
    :param columns: what the column is for, and what it is called: in CSV and Parquet the column, in the
        answer of Prometheus the metric's name. Several series of one metric come to their largest value.
    :raises SpecError: it can't be read, lacks a column, or a value is no number, infinite or below 0.
    """
    shown = str(place) if isinstance(place, Path) else str(place.location).rstrip("/")
    try:
        content = await _content(place)
        moments, found = _parsed(shown, content, at, list(columns.values()))
    except (OSError, ValueError, csv.Error) as error:
        got = str(error) if type(error) is ValueError else type(error).__name__
        raise SpecError(
            f"reading the series {shown}",
            got=got,
            expected="CSV, Parquet, or Prometheus' JSON of a query over a range, with the named columns",
            state="nothing was reckoned",
            remedy="correct the export, or the names of its columns",
            code="9243",
        ) from error
    return series_of(shown, moments, {use: found[name] for use, name in columns.items()})


def series_of(shown: str, moments: Sequence[float], columns: Mapping[str, Sequence[float]]) -> Series:
    """Return moments and values as a series, in the order of time.

    :param shown: what errors call it.
    :raises SpecError: a moment or value that cannot be; there is none.
    """
    at = np.asarray(moments, dtype=np.float64)
    demand(not (got := _problem(at, columns)), f"reading the series {shown}", got, _EXPECTED, "9244")
    order = np.argsort(at, kind="stable")
    reordered = bool((order[1:] < order[:-1]).any())
    unique, first = np.unique(at[order], return_index=True)
    # NaN only where all values of a moment are missing.
    made = {
        name: np.fmax.reduceat(np.asarray(values, dtype=np.float64)[order], first)
        for name, values in columns.items()
    }
    return Series(unique, made, int(at.size - unique.size), reordered)


_EXPECTED = "moments, and for each of them finite numbers from 0 on, or none"


def _problem(at: Floats, columns: Mapping[str, Sequence[float]]) -> str:
    if not at.size:
        return "no row"
    if not np.isfinite(at).all():
        return "a moment that is no number"
    for name, values in columns.items():
        column = np.asarray(values, dtype=np.float64)
        wrong = column[np.isinf(column) | (column < 0)]
        if wrong.size:
            return f"the value {wrong[0]:g} for {name}"
    return ""


async def _content(place: Path | Place) -> bytes:
    if isinstance(place, Path) or place.location.scheme == "file":
        path = place if isinstance(place, Path) else Path(place.location.container)
        _bounded(await asyncio.to_thread(lambda: path.stat().st_size))
        return await asyncio.to_thread(path.read_bytes)
    content = bytearray()
    async with open_store(place.location, place.connection) as store:
        item = (await store.head(place.location.prefix.rstrip("/"))).object
        _bounded(item.size_bytes)
        async with store.get(item.key, version=item.version) as stream:
            async for chunk in stream.chunks():
                content += chunk
    return bytes(content)


def _bounded(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes; at most {MOST_BYTES:,} are held in memory")


Found = tuple[list[float], dict[str, list[float]]]


def _parsed(shown: str, content: bytes, at: str, names: Sequence[str]) -> Found:
    if shown.endswith(".json"):
        return _prometheus(content, names)
    if shown.endswith(".parquet"):
        from pyarrow import BufferReader, parquet

        table = parquet.read_table(BufferReader(content))
        kept = [name for name in (at, *names) if name in table.column_names]
        return _rows(table.select(kept).to_pylist(), at, names)
    return _rows(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")), at, names)


def _rows(rows: Iterable[Mapping[str, Any]], at: str, names: Sequence[str]) -> Found:
    moments: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in names}
    for row in rows:
        missing = [name for name in (at, *names) if name not in row]
        if missing:
            raise ValueError(f"no column {', '.join(missing)}")
        moments.append(_moment(row[at]))
        for name in names:
            found[name].append(_number(row[name]))
    return moments, found


def _prometheus(content: bytes, names: Sequence[str]) -> Found:
    try:
        results = json.loads(content)["data"]["result"]
        pairs = [
            (str(each["metric"].get("__name__", "")), float(at), _number(value))
            for each in results
            for at, value in each["values"]
        ]
    except (TypeError, KeyError, AttributeError):
        raise ValueError("no answer of Prometheus to a query over a range") from None
    missing = [name for name in names if all(name != each[0] for each in pairs)]
    if missing:
        raise ValueError(f"no metric {', '.join(missing)}")
    moments = sorted({at for _, at, _ in pairs})
    place = {at: number for number, at in enumerate(moments)}
    found = {name: [math.nan] * len(moments) for name in names}
    for name, at, value in pairs:
        if name in found:
            found[name][place[at]] = float(np.fmax(found[name][place[at]], value))
    return moments, found


def _moment(value: Any) -> float:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    try:
        return float(value)
    except (TypeError, ValueError):
        pass  # then it is a moment in ISO 8601, or nothing
    try:
        return _moment(datetime.fromisoformat(str(value)))
    except ValueError:
        raise ValueError(f"the moment {str(value)[:40]!r}") from None


def _number(value: Any) -> float:
    if value is None or value == "":
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"the value {str(value)[:40]!r}") from None
