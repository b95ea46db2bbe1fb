"""Takes what a model answers apart into named columns of one value a row; loaded by ``worker.py`` beside it.

Whatever is nested becomes numbers in columns of their own, never the text that numpy shows people: that
leaves out digits, and the middle of long arrays. Written for Python 3.8 and newer.
"""

from __future__ import annotations

import json
import numbers
from typing import Any

MOST_COLUMNS = 4096
SCORES = "score:"
MISSING = "<missing>"


def columns_of(answer: Any, name: str, rows: int = -1) -> dict[str, Any]:
    """Return an answer as named columns.

    :param rows: that were asked about, where that is known.
    """
    import numpy

    if answer is None:
        return {}
    if hasattr(answer, "columns") and hasattr(answer, "iloc"):
        if list(answer.columns) != list(range(len(answer.columns))):
            return _of_table(answer)
        # Columns without names: the rows of an array.
        answer = answer.to_numpy()
    if isinstance(answer, dict):
        found: dict[str, Any] = {}
        for key, value in answer.items():
            found.update(columns_of(value, str(key), rows))
        return found
    if (
        isinstance(answer, tuple)
        and answer
        and len(answer) != rows
        and all(_many(each, rows) for each in answer)
    ):
        # Several answers to each row, one array for each.
        return columns_of({f"{name}-{n}": each for n, each in enumerate(answer)}, name, rows)
    if hasattr(answer, "__next__"):
        answer = list(answer)
    if isinstance(answer, list) and answer and all(isinstance(each, dict) for each in answer):
        return _of_records(answer)
    return _of_array(answer.toarray() if hasattr(answer, "toarray") else _array(answer), name, numpy)


def scores_of(found: Any) -> dict[str, Any]:
    """Return probabilities of classes as columns: of one answer, or of several, each with its own classes."""
    import numpy

    if found is None:
        return {}
    if isinstance(found, (list, tuple)):
        several: dict[str, Any] = {}
        for number, each in enumerate(found):
            flat = _rows(numpy.asarray(each))
            several.update({f"probability-{number}-{n}": flat[:, n] for n in range(flat.shape[1])})
        return several
    flat = _rows(numpy.asarray(found.toarray() if hasattr(found, "toarray") else found))
    return {SCORES + str(n): flat[:, n] for n in range(flat.shape[1])}


def plain(values: Any) -> Any:
    """Return a column that can be written without pickling."""
    import numpy

    kind = values.dtype.kind
    if kind in "biuf":
        return values
    if kind in "mM":
        return values.astype(kind + "8[ns]").astype("int64")
    told = [value for value in values if not _missing(value)]
    if kind == "O" and told and all(isinstance(value, numbers.Real) for value in told):
        return numpy.array([numpy.nan if _missing(value) else float(value) for value in values])
    return numpy.array([MISSING if _missing(value) else str(value) for value in values])


def _missing(value: Any) -> bool:
    if isinstance(value, float) and value != value:
        return True
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _many(each: Any, rows: int) -> bool:
    return hasattr(each, "__len__") and not isinstance(each, (str, bytes)) and len(each) == rows


def _rows(values: Any) -> Any:
    return values.reshape(len(values), -1)


def _of_table(table: Any) -> dict[str, Any]:
    """Return a table's columns: two of one name are told apart by their place."""
    import numpy

    found: dict[str, Any] = {}
    for place, label in enumerate(table.columns):
        name = str(label) if str(label) not in found else f"{label}-{place}"
        values = table.iloc[:, place].to_numpy()
        nested = values.dtype == object and any(
            isinstance(v, (list, tuple, dict, numpy.ndarray)) for v in values
        )
        found.update(_of_array(_array(list(values)), name, numpy) if nested else {name: values})
    return found


def _of_records(records: list[Any]) -> dict[str, Any]:
    """Return the fields of records; numbers alone are taken for scores."""
    keys = list(dict.fromkeys(key for each in records for key in each))
    kept = [[each.get(key) for each in records] for key in keys]
    scores = all(isinstance(value, numbers.Real) for values in kept for value in values)
    pairs = list(zip(keys, kept))  # noqa: B905 - Python 3.8
    if scores:
        # By their classes, as models number them: whichever a record tells first.
        pairs.sort(key=lambda pair: _class_order(pair[0]))
    found: dict[str, Any] = {}
    for number, (key, values) in enumerate(pairs):
        found.update(columns_of(values, SCORES + str(number) if scores else str(key)))
    return found


def _class_order(key: Any) -> tuple[Any, ...]:
    """Order numbers by size, also as texts, and before other texts."""
    told = str(key)
    if isinstance(key, numbers.Real) or told.isdecimal():
        return (0, float(key), told)
    return (1, 0.0, told)


def _array(answer: Any) -> Any:
    """Return an answer as an array; where rows are of unequal length, one of texts or objects."""
    import numpy

    try:
        made = numpy.asarray(answer)
    except ValueError:
        made = None
    if made is not None and made.dtype != object:
        return made
    if made is not None and not any(isinstance(each, _nested(numpy)) for each in made.ravel()):
        return made
    return numpy.array([json.dumps(_told(each), sort_keys=True, default=str) for each in answer])


def _nested(numpy: Any) -> tuple[type, ...]:
    return (list, tuple, dict, numpy.ndarray)


def _told(value: Any) -> Any:
    """Return a nested value of lists and plain values, with all of its digits."""
    if hasattr(value, "tolist"):
        return _told(value.tolist())
    if isinstance(value, dict):
        return {str(key): _told(each) for key, each in value.items()}
    return [_told(each) for each in value] if isinstance(value, (list, tuple)) else value


def _of_array(values: Any, name: str, numpy: Any) -> dict[str, Any]:
    if values.ndim <= 1:
        return {name: numpy.atleast_1d(values)}
    flat = _rows(values)
    if flat.shape[1] == 1 and "proba" not in name.lower():
        return {name: flat[:, 0]}
    if flat.shape[1] > MOST_COLUMNS:
        raise ValueError(f"an answer of {flat.shape[1]} values a row; at most {MOST_COLUMNS}")
    prefix = SCORES if "proba" in name.lower() else name + "-"
    return {prefix + str(n): flat[:, n] for n in range(flat.shape[1])}
