"""The tables of facts that come with Heavylift, and rows of one's own in their place.

Every row carries its source, a date and whether it was checked. A folder of one's own holds CSV files
of the same names and columns; a row replaces the one with the same key, any other is added.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from pathlib import Path

from heavylift.errors import SpecError

Row = dict[str, str]

KEYS = {
    "service_map.csv": ("capability",),
    "service_gaps.csv": ("capability", "source", "target"),
    "gpu_instances.csv": ("provider", "instance_type"),
    "egress_regimes.csv": ("id",),
    "region_jurisdictions.csv": ("platform", "prefix"),
    "devices.csv": ("id",),
    "access_operations.csv": ("operation",),
    "access_kinds.csv": ("kind",),
    "access_escalations.csv": ("id",),
    "egress_prices.csv": ("provider", "tier"),
    "request_prices.csv": ("provider", "request"),
    "service_prices.csv": ("service", "unit"),
}
"""The tables that a folder may override, each with the columns that tell its rows apart."""


def table(name: str) -> list[Row]:
    """Return the rows of one of the built-in tables of facts."""
    return [dict(row) for row in _built_in(name)]


def overridden(name: str, folder: Path | None) -> list[Row]:
    """Return the rows of the table ``name`` with those of ``folder`` in their place.

    :raises SpecError: the file cannot be read or lacks a column of the table.
    """
    rows = table(name)
    if folder is None or not (folder / name).is_file():
        return rows
    own = _read(folder / name, tuple(rows[0]))
    merged = _grouped(rows, KEYS[name]) | _grouped(own, KEYS[name])
    return [row for group in merged.values() for row in group]


def _grouped(rows: list[Row], keys: tuple[str, ...]) -> dict[tuple[str, ...], list[Row]]:
    """Return rows by their key; tiers of one price list have one key, and are replaced together."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def check_folder(folder: Path | None) -> None:
    """Do nothing where ``folder`` holds at least one table that can be overridden, or is None.

    :raises SpecError: it holds none, so that a misspelt name would go unnoticed.
    """
    if folder is None or any((folder / name).is_file() for name in KEYS):
        return
    raise _unusable(folder, f"none of {', '.join(KEYS)}")


@cache
def _built_in(name: str) -> tuple[Row, ...]:
    text = files("heavylift.facts").joinpath("data", name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _read(path: Path, columns: tuple[str, ...]) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unusable(path, type(error).__name__) from error
    for row in rows:
        missing = [column for column in columns if row.get(column) is None]
        if missing:
            raise _unusable(path, f"a row without {', '.join(missing)}")
    return rows


def _unusable(path: Path, got: str) -> SpecError:
    return SpecError(
        f"reading the tables of facts in {path}",
        got=got,
        expected="CSV files with the names and columns of the built-in tables",
        state="nothing was planned",
        remedy="see docs/reference/planning.md for the tables and their columns",
        code="5512",
    )
