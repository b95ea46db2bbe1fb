"""Takes what a model answers apart into named columns of one value a row; loaded by ``worker.py`` beside it.

Whatever is nested becomes numbers in columns of their own, never the text that numpy shows people: that
leaves out digits, and the middle of long arrays. Written for Python 3.8 and newer.
"""

from __future__ import annotations

import collections
import hashlib
import json
import numbers
from typing import Any

MOST_COLUMNS = 16384
SCORES = "score:"
MISSING = "<missing>"
LONGEST = 1024
"""Signs of a text that is kept as it is; of a longer one its digest says as much, and takes no memory."""
EXACT = 2**53
"""Whole numbers beyond it are not all there among floats, which those with gaps become."""


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
        return _together([(str(key), columns_of(value, str(key), rows)) for key, value in answer.items()])
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
    return _of_array(_array(answer), name, numpy)


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
        large = any(isinstance(value, numbers.Integral) and abs(int(value)) > EXACT for value in told)
        if not large:
            return numpy.array([numpy.nan if _missing(value) else float(value) for value in values])
    return numpy.array([MISSING if _missing(value) else _text(value) for value in values])


def _text(value: Any) -> str:
    """Return a value as a text that no other value has, and that an array of texts keeps to its end.

    :raises TypeError: it is something that can be told from others by its place in memory alone.
    """
    plainest: Any = object
    if type(value).__str__ is plainest.__str__ and type(value).__repr__ is plainest.__repr__:
        raise TypeError(f"an answer of objects ({type(value).__module__}.{type(value).__qualname__})")
    told = repr(bytes(value)) if isinstance(value, bytes) else str(value)
    # numpy leaves out what stands for nothing at a text's end.
    if len(told) <= LONGEST and not told.endswith("\0"):
        return told
    raw = value if isinstance(value, bytes) else told.encode("utf-8", "surrogatepass")
    return f"{len(raw)} bytes, SHA-256 {hashlib.sha256(raw).hexdigest()}"


def _missing(value: Any) -> bool:
    if isinstance(value, float) and value != value:
        return True
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _together(parts: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the columns of several answers; where two call theirs alike, with their own names before them.

    :raises ValueError: even so two are called alike.
    """
    named = collections.Counter(name for _, columns in parts for name in columns)
    found: dict[str, Any] = {}
    for key, columns in parts:
        for name, values in columns.items():
            shown = name if named[name] == 1 else f"{key}.{name}"
            if shown in found:
                raise ValueError(f"two answers called {shown!r}")
            found[shown] = values
    return found


def _many(each: Any, rows: int) -> bool:
    if isinstance(each, dict):
        return bool(each) and all(_many(inner, rows) for inner in each.values())
    return hasattr(each, "__len__") and not isinstance(each, (str, bytes)) and len(each) == rows


def _rows(values: Any) -> Any:
    return values.reshape(len(values), -1)


def _of_table(table: Any) -> dict[str, Any]:
    """Return a table's columns: two of one name are told apart by their place."""
    import numpy

    parts: list[tuple[str, dict[str, Any]]] = []
    seen: set[str] = set()
    for place, label in enumerate(table.columns):
        name = str(label) if str(label) not in seen else f"{label}-{place}"
        seen.add(name)
        column = table.iloc[:, place]
        # Whole numbers of which some are missing would become floats, which are not as exact.
        whole = column.dtype.kind in "iu" and not isinstance(column.dtype, numpy.dtype)
        values = column.to_numpy(dtype=object) if whole and column.isna().any() else column.to_numpy()
        nested = values.dtype == object and any(_nests(each) for each in values)
        parts.append((name, _of_array(_array(list(values)), name, numpy) if nested else {name: values}))
    return _together(parts)


def _of_records(records: list[Any]) -> dict[str, Any]:
    """Return the fields of records; numbers alone are taken for scores."""
    keys = list(dict.fromkeys(key for each in records for key in each))
    kept = [[each.get(key) for each in records] for key in keys]
    scores = all(isinstance(value, numbers.Real) for values in kept for value in values)
    pairs = list(zip(keys, kept))  # noqa: B905 - Python 3.8
    if scores:
        # By their classes, as models number them: whichever a record tells first.
        pairs.sort(key=lambda pair: _class_order(pair[0]))
    return _together(
        [
            (str(key), columns_of(values, SCORES + str(number) if scores else str(key)))
            for number, (key, values) in enumerate(pairs)
        ]
    )


def _class_order(key: Any) -> tuple[Any, ...]:
    """Order numbers by size, also as texts, and before other texts."""
    told = str(key)
    if isinstance(key, numbers.Real) or told.isdecimal():
        return (0, float(key), told)
    return (1, 0.0, told)


def _array(answer: Any) -> Any:
    """Return an answer as an array; where rows are of unequal length, one of texts or objects."""
    import numpy

    if hasattr(answer, "toarray"):
        return answer.toarray()
    if hasattr(answer, "filled") and hasattr(answer, "mask"):
        # What is masked is no answer, whatever lies there.
        kept: Any = numpy.array(answer.data, dtype=object if numpy.any(answer.mask) else None)
        kept[numpy.broadcast_to(answer.mask, kept.shape)] = None
        return kept
    if isinstance(answer, (list, tuple)) and any(hasattr(each, "toarray") for each in answer):
        answer = [each.toarray() if hasattr(each, "toarray") else each for each in answer]
    try:
        # numpy makes one kind of bytes of several, and leaves out what stands for nothing at their end.
        kind = object if isinstance(answer, (list, tuple)) and any(map(_cut_short, answer)) else None
        made = numpy.asarray(answer, dtype=kind)
    except ValueError:
        made = None
    if made is not None and made.dtype != object:
        return made
    if made is not None and not any(_nests(each) for each in made.ravel()):
        return made
    texts = [json.dumps(_told(each), sort_keys=True, default=_text) for each in answer]
    return numpy.array(texts, dtype=object)


def _cut_short(value: Any) -> bool:
    return isinstance(value, (str, bytes)) and value[-1:] in ("\0", b"\0")


def _nests(value: Any) -> bool:
    """Tell whether a value holds others, whose text would leave out some of them."""
    if isinstance(value, (list, tuple, dict, set, frozenset)) or hasattr(value, "toarray"):
        return True
    holds = hasattr(value, "__array__") or hasattr(value, "__array_interface__")
    return holds and not isinstance(value, _scalars())


def _scalars() -> Any:
    import numpy

    return numpy.generic


def _told(value: Any) -> Any:
    """Return a nested value of lists and plain values, with all of its digits."""
    import numpy

    if hasattr(value, "toarray"):
        return _told(value.toarray())
    if hasattr(value, "tolist"):
        return _told(value.tolist())
    if isinstance(value, dict):
        return {str(key): _told(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        # In whatever order this process happens to keep them.
        return sorted((_told(each) for each in value), key=lambda each: json.dumps(each, default=_text))
    if isinstance(value, (list, tuple)):
        return [_told(each) for each in value]
    return _told(numpy.asarray(value)) if _nests(value) else value


def _of_array(values: Any, name: str, numpy: Any) -> dict[str, Any]:
    if values.dtype.names:
        fields = {f"{name}-{field}": values[field] for field in values.dtype.names}
        return _together([(key, _of_array(each, key, numpy)) for key, each in fields.items()])
    if values.dtype.kind == "c":
        halves = (("real", values.real), ("imaginary", values.imag))
        return _together([(part, _of_array(each, f"{name}-{part}", numpy)) for part, each in halves])
    if values.ndim <= 1:
        return {name: numpy.atleast_1d(values)}
    flat = _rows(values)
    if flat.shape[1] == 1 and "proba" not in name.lower():
        return {name: flat[:, 0]}
    if flat.shape[1] > MOST_COLUMNS and flat.dtype.kind in "biu":
        # A picture: whole numbers are equal or they are not, which a digest of each row tells.
        flat = numpy.ascontiguousarray(flat)
        return {name: numpy.array([hashlib.sha256(each.tobytes()).hexdigest() for each in flat])}
    if flat.shape[1] > MOST_COLUMNS:
        raise ValueError(f"an answer of {flat.shape[1]} values a row; at most {MOST_COLUMNS}")
    prefix = SCORES if "proba" in name.lower() else name + "-"
    return {prefix + str(n): flat[:, n] for n in range(flat.shape[1])}
