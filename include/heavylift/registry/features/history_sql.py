"""Columns of histories as expressions of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heavylift.registry.features.description import sql_type

PARTS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}
FORMS = {
    "timestamp": "{}",
    "seconds": "epoch_us({}) / 1e6",
    "iso8601": "strftime({}, '%Y-%m-%dT%H:%M:%S.%gZ')",
}


def cast_of(name: str, kind: str, found: set[str] | Mapping[str, object]) -> str:
    """Return the expression of a column as a type; of one that is not found, null."""
    column = quoted(name) if name in found else "NULL"
    if "timestamp" in kind:
        # A column without a zone means UTC, and one to the nanosecond casts no other way.
        column = f"CAST({column} AS {sql_type(kind).replace('TIMESTAMP', 'TIMESTAMPTZ')})"
    return f"CAST({column} AS {sql_type(kind)})"


def moment_of(name: str, form: str) -> str:
    """Return the expression of a column as a moment in UTC, to the microsecond."""
    column = quoted(name)
    if form == "seconds":
        return f"make_timestamp(CAST(round(CAST({column} AS DOUBLE) * 1e6) AS BIGINT))"
    return f"CAST(CAST({column} AS TIMESTAMPTZ) AS TIMESTAMP)"


def quoted(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def text_of(text: str) -> str:
    """Return a text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"


def told_key(key: Sequence[object]) -> str:
    """Return a key as people read it."""
    return ", ".join(str(each) for each in key)
