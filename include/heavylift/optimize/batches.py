"""Bodies of requests with so many rows each, made from recorded ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from heavylift.optimize.checks import demand

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
"""What MLflow's scoring protocol calls its rows."""
MOST_BODIES = 64


def batched(bodies: Sequence[bytes], rows: int) -> tuple[bytes, ...]:
    """Return bodies of ``rows`` rows each, whose rows are those of ``bodies`` in turn.

    :raises SpecError: a body is of no known form, or they are of several.
    """
    documents = [json.loads(body) for body in bodies]
    forms = {_form(document) for document in documents}
    form = next(iter(forms))
    got = "bodies of several forms" if len(forms) > 1 else "bodies of another form" if not form else ""
    pool = [row for document in documents for row in _rows(document, form)] if not got else []
    got = got or ("" if pool else "bodies without rows")
    expected = f"one of {', '.join(FORMS)}, with a list of rows"
    demand(not got, f"making requests of {rows} rows", got, expected, "9261")
    rest, turning = documents[0], cycle(pool)
    # Enough bodies that every row is sent, and no more than are kept in memory easily.
    count = max(1, min(MOST_BODIES, -(-len(pool) // rows)))
    return tuple(
        json.dumps(_with_rows(rest, form, list(islice(turning, rows))), separators=(",", ":")).encode()
        for _ in range(count)
    )


def _form(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    return next((form for form in FORMS if isinstance(_rows_of(document, form), list)), "")


def _rows_of(document: dict[str, Any], form: str) -> Any:
    value = document.get(form)
    return value.get("data") if form == "dataframe_split" and isinstance(value, dict) else value


def _rows(document: dict[str, Any], form: str) -> list[Any]:
    return list(_rows_of(document, form))


def _with_rows(document: dict[str, Any], form: str, rows: list[Any]) -> dict[str, Any]:
    held: Any = {**document[form], "data": rows} if form == "dataframe_split" else rows
    if form == "dataframe_split":
        held.pop("index", None)
    return {**document, form: held}
