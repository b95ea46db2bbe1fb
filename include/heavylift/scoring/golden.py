"""Golden inputs: the rows on which both sides are asked, with their truth where it is known."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.errors import IntegrityError, SpecError

MAX_ROWS = 1_000_000
MOST_PARTS = 50
"""Values of a slice's column that are told apart: the most frequent ones."""

FEWEST_ROWS = 10
"""Of a part that is told apart."""


@dataclass(frozen=True)
class Golden:
    """Rows, as columns.

    :param columns: name → kind (``number``, ``text``, ``time``, ``tensor``; ``nested`` for lists and
        mappings, as JSON; ``bytes``, in Base64), in order.
    :param truth: what each row should be answered with, where that is known.
    :param slices: column → the part of the rows that each belongs to.
    :param origin: where they come from, for people.
    """

    origin: str
    columns: dict[str, str]
    values: dict[str, NDArray[Any]]
    missing: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    truth: NDArray[Any] | None = None
    slices: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.values.values()), ()))

    def write(self, path: Path) -> list[dict[str, str]]:
        """Write the inputs for a model's process, and return what it has to know of the columns."""
        arrays = {str(n): self.values[name] for n, name in enumerate(self.columns)}
        arrays |= {
            f"missing-{n}": self.missing[name] for n, name in enumerate(self.columns) if name in self.missing
        }
        np.savez(path, allow_pickle=False, **arrays)
        return [{"name": name, "kind": kind} for name, kind in self.columns.items()]


def read_golden(
    path: Path, origin: str, *, label: str = "", slices: Sequence[str] = (), drop: Sequence[str] = ()
) -> Golden:
    """Read golden inputs from a Parquet, CSV, JSON or NumPy file.

    :param label: the column with the truth; it is no input.
    :param slices: columns that divide the rows; they are inputs as well.
    :param drop: further columns that are no inputs.
    :raises SpecError: a named column is not there.
    :raises IntegrityError: the file cannot be read.
    """
    frame = _frame(path, origin)
    if isinstance(frame, np.ndarray):
        if not len(frame):
            raise _unreadable(origin, "0 rows", f"1 to {MAX_ROWS} rows")
        return Golden(origin, {"tensor": "tensor"}, {"tensor": frame})
    names = [str(each) for each in frame.columns]
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise _unreadable(origin, f"two columns called {twice!r}", "columns of different names")
    for name in (label, *slices, *drop):
        if name and name not in frame.columns:
            raise SpecError(
                f"reading golden inputs {origin}",
                got=f"no column {name!r}",
                expected=f"one of {', '.join(map(str, frame.columns[:20]))}",
                state="nothing was run or changed",
                remedy="correct label, slices or drop of the model in the spec",
                code="7540",
            )
    if not 0 < len(frame) <= MAX_ROWS:
        raise _unreadable(origin, f"{len(frame)} rows", f"1 to {MAX_ROWS} rows")
    truth = frame[label].to_numpy() if label else None
    parts = {name: frame[name].astype(str).to_numpy(dtype=str) for name in slices}
    inputs = frame.drop(columns=[*({label} if label else ()), *drop])
    if not len(inputs.columns):
        raise _unreadable(origin, "no column beside label and drop", "columns that are asked about")
    columns: dict[str, str] = {}
    values: dict[str, NDArray[Any]] = {}
    missing: dict[str, NDArray[np.bool_]] = {}
    for name in inputs.columns:
        _take(str(name), inputs[name], columns, values, missing)
    return Golden(origin, columns, values, missing, truth, parts)


def taken(golden: Golden, rows: NDArray[np.intp]) -> Golden:
    """Return the rows with these numbers, in this order."""
    return replace(
        golden,
        values={name: each[rows] for name, each in golden.values.items()},
        missing={name: each[rows] for name, each in golden.missing.items()},
        truth=None if golden.truth is None else golden.truth[rows],
        slices={name: each[rows] for name, each in golden.slices.items()},
    )


def parts_of(golden: Golden, slices: Sequence[str]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield all rows (named by an empty text), then each part that a slice's column makes."""
    yield "", np.arange(golden.rows)
    for column in slices:
        values, counts = np.unique(golden.slices[column], return_counts=True)
        ranked = sorted(zip(values, counts, strict=True), key=lambda pair: (-pair[1], str(pair[0])))
        for value, count in ranked[:MOST_PARTS]:
            if count >= FEWEST_ROWS:
                yield f"{column}={value}", np.flatnonzero(golden.slices[column] == value)


def typed(golden: Golden, signature: Mapping[str, Any]) -> Golden:
    """Return golden inputs that are bare arrays with the numbers that the model's signature asks for.

    JSON has no numbers of 32 bits, and a model of PyTorch takes no others than those that it says.
    """
    inputs = signature.get("inputs")
    if list(golden.columns.values()) != ["tensor"] or not isinstance(inputs, list) or len(inputs) != 1:
        return golden
    told = inputs[0].get("tensor-spec") if isinstance(inputs[0], dict) else None
    name = str(told.get("dtype", "")) if isinstance(told, dict) else ""
    values = golden.values["tensor"]
    if not _NUMBERS.fullmatch(name) or values.dtype.kind not in "iuf":
        return golden
    return replace(golden, values={"tensor": values.astype(name)})


_NUMBERS = re.compile(r"float(?:16|32|64)|u?int(?:8|16|32|64)")


def golden_table(path: Path, origin: str) -> Any:
    """Return all columns of golden inputs as a data frame, as expectations see them.

    :raises SpecError: they are bare arrays, which have no columns.
    :raises IntegrityError: the file cannot be read.
    """
    frame = _frame(path, origin)
    if not isinstance(frame, np.ndarray):
        return frame
    raise SpecError(
        f"judging golden inputs {origin}",
        got="bare arrays",
        expected="columns with names",
        state="nothing was run or changed",
        remedy="write them as a table, or take the suite out of the model in the spec",
        code="7820",
    )


def _take(
    name: str,
    series: Any,
    columns: dict[str, str],
    values: dict[str, NDArray[Any]],
    missing: dict[str, NDArray[np.bool_]],
) -> None:
    kind = series.dtype.kind
    if kind in "biuf" and isinstance(series.dtype, np.dtype):
        columns[name], values[name] = "number", series.to_numpy()
    elif kind in "biuf":
        # Numbers that may be missing stay whole where none is: a model's signature may ask for that.
        whole = series.dtype.numpy_dtype if not series.isna().any() else "float64"
        columns[name], values[name] = "number", series.to_numpy(dtype=whole, na_value=np.nan)
    elif kind == "M":
        columns[name], values[name] = "time", _times(series)
    elif series.dtype == object and (packed := _packed(series[series.notna()])):
        columns[name], pack = packed
        if columns[name] == "number":
            values[name] = series.astype("float64").to_numpy()
            return
        missing[name] = series.isna().to_numpy()
        told = ["" if gone else pack(each) for each, gone in zip(series, missing[name], strict=True)]
        values[name] = np.array(told, dtype=str)
    else:
        missing[name] = series.isna().to_numpy()
        texts = series.fillna("").astype(str)
        # An array of texts leaves out what stands for nothing at their end; JSON does not.
        cut_short = bool(texts.str.endswith("\0").any())
        columns[name] = "nested" if cut_short else "text"
        values[name] = (texts.map(json.dumps) if cut_short else texts).to_numpy(dtype=str)


_FIRST, _LAST = np.datetime64("1677-09-22"), np.datetime64("2262-04-11")
"""Days between which times are that nanoseconds can hold."""


def _times(series: Any) -> NDArray[Any]:
    """Return times in UTC, in nanoseconds; in their own unit where one is too far away for these."""
    plain = series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series
    found: NDArray[Any] = plain.to_numpy()
    known = found[~np.isnat(found)]
    near = not len(known) or (known.min() >= _FIRST and known.max() <= _LAST)
    return found.astype("datetime64[ns]") if near else found


def _packed(known: Any) -> tuple[str, Callable[[Any], str]] | None:
    """Return the kind of a column of objects that are no texts, and how one is written as a text."""
    if not len(known):
        return None
    if any(isinstance(each, (list, tuple, dict, np.ndarray)) for each in known) or _all(known, bool):
        return "nested", lambda each: json.dumps(each, default=_listed)
    if _all(known, bytes):
        return "bytes", lambda each: base64.b64encode(each).decode()
    return ("number", str) if _all(known, Decimal) else None


def _all(known: Any, kind: type) -> bool:
    return all(isinstance(each, kind) for each in known)


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _frame(path: Path, origin: str) -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    try:
        if origin.lower().endswith((".parquet", ".pq")):
            return pd.read_parquet(path)
        if origin.lower().endswith(".npy"):
            return _array(np.load(path, allow_pickle=False))
        if origin.lower().endswith((".csv", ".csv.gz")):
            frame = pd.read_csv(path, compression="gzip" if origin.lower().endswith(".gz") else None)
            if not isinstance(frame.index, pd.RangeIndex):
                # pandas would take the first values for names of rows, and shift the others.
                raise ValueError("rows with more values than the header has names")
            return frame
        return _json(pd, path.read_text("utf-8-sig"))
    except (ValueError, OSError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(
            origin, f"{type(error).__name__}: {str(error)[:200]}", "Parquet, CSV, JSON or a NumPy array"
        ) from error


def _json(pd: Any, text: str) -> Any:
    """Read rows as MLflow writes examples: split, records, or bare arrays."""
    document = json.loads(text)
    if isinstance(document, dict):
        split = document.get("dataframe_split", document)
        if isinstance(split, dict) and "data" in split:
            return pd.DataFrame(split["data"], columns=split.get("columns"))
        for key in ("dataframe_records", "instances", "inputs"):
            if key in document:
                document = document[key]
                break
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return pd.DataFrame(document)
    return _array(np.asarray(document))


def _array(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == object or array.ndim < 1:
        raise ValueError("rows of unequal length")
    return array


def _unreadable(origin: str, got: str, expected: str) -> IntegrityError:
    return IntegrityError(
        f"reading golden inputs {origin}",
        got=got,
        expected=expected,
        state="nothing was run or changed",
        remedy="write the golden inputs anew; docs/reference/models.md tells the forms",
        code="7541",
    )
