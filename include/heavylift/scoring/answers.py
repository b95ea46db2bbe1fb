"""Takes what a scoring server answers apart into named columns of one value a row.

Nothing that any row answers is left out: not a field that the first row lacks, not a longer list.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heavylift.scoring.outputs import MISSING, SCORES

Columns = dict[str, NDArray[Any]]


def rows_of(document: Any, asked: int) -> list[Any]:
    """Return one entry a row of an answer to ``asked`` rows; a mapping of columns becomes records."""
    rows = document.get("predictions", document) if isinstance(document, dict) else document
    if isinstance(rows, dict) and rows and all(_many(each, asked) for each in rows.values()):
        return [dict(zip(rows, each, strict=True)) for each in zip(*rows.values(), strict=True)]
    return rows if isinstance(rows, list) else [rows]


def columns_of(rows: list[Any]) -> Columns:
    """Return columns: of plain values, of lists (scores), or of records."""
    if rows and all(isinstance(each, dict) for each in rows):
        names = list(dict.fromkeys(name for each in rows for name in each))
        # Columns without names, which a model in a process of its own tells in this way.
        unnamed = names == [str(n) for n in range(len(names))]
        found: Columns = {}
        for name in names:
            shown = ("answer" if len(names) == 1 else f"answer-{name}") if unnamed else str(name)
            found.update(_column(shown, f"{shown}-", [each.get(name) for each in rows]))
        return found
    return _column("answer", SCORES, rows)


def _many(values: Any, asked: int) -> bool:
    return isinstance(values, list) and len(values) == asked


def _column(name: str, prefix: str, values: list[Any]) -> Columns:
    """Return a column, or one of each place where all values are lists of one form.

    :param prefix: of the places' names.
    """
    if not any(isinstance(each, (list, dict)) for each in values):
        return {name: _plain(values)}
    places = _places(values)
    if places is None:
        # Of unequal length, or deeper than numbers: as texts with all digits.
        return {name: np.array([json.dumps(each, sort_keys=True) for each in values])}
    return {prefix + str(place): _plain(each) for place, each in enumerate(places)}


def _places(values: list[Any]) -> list[list[Any]] | None:
    """Return the values of each place; None where rows have no form in common."""
    flat = [_flat(each) for each in values]
    first = flat[0][0]
    if not first or any(form != first for form, _ in flat):
        return None
    return [list(each) for each in zip(*(inner for _, inner in flat), strict=True)] or None


def _flat(value: Any) -> tuple[tuple[int, ...] | None, list[Any]]:
    """Return the lengths of a nested list, None where they are unequal, and its values in order."""
    if not isinstance(value, list):
        return (None if isinstance(value, dict) else ()), [value]
    inner = [_flat(each) for each in value]
    forms = {form for form, _ in inner}
    form = forms.pop() if len(forms) == 1 else () if not forms else None
    told = None if form is None else (len(value), *form)
    return told, [each for _, values in inner for each in values]


_EXACT = 2**53
"""Whole numbers beyond it are not all there among floats, which those with gaps become."""


def _plain(values: list[Any]) -> NDArray[Any]:
    texts = any(isinstance(each, str) for each in values)
    large = None in values and any(type(each) is int and abs(each) > _EXACT for each in values)
    if texts or large:
        return np.array([MISSING if each is None else str(each) for each in values])
    # JSON writes 1.0 as 1: a column is whole only where the server never says otherwise.
    made = np.array([np.nan if each is None else each for each in values])
    return made if made.dtype.kind in "biufU" else np.array([str(each) for each in values])
