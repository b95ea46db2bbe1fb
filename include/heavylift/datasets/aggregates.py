"""The figures that one scan gives, as SQL that can be taken over parts and put together.

Each figure is computed for every part of the table that fits on disk, and the parts' figures
are then combined, so that the result does not depend on how the table was cut.
"""

# SQL is built of column indexes and file paths of our own making; no data and no name enters it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heavylift.datasets.columns import Column, Kind
from heavylift.datasets.fingerprints import row_hash, value_hash
from heavylift.datasets.scan import VIEW

COLUMNS_A_SCAN = 40
"""Figures of so many columns are computed together; memory and SQL stay small."""
TEXT_SHOWN = 200
"""Characters of the smallest and largest text that are told; the fingerprint sees all."""
CSV_NUMBER = "DECIMAL(28, 10)"
"""How CSV text that looks like a number is summed: 18 digits before the point, 10 after it."""
# The engine's exact sums overflow beyond 38 digits; these types have room for 10^10 rows.
_SUMMABLE_DIGITS = 28


@dataclass(frozen=True)
class Aggregate:
    """One figure: over the rows of a part, and over the parts.

    :param combine: ``sum``, ``min`` or ``max``.
    """

    name: str
    expression: str
    combine: str


def aggregates_of(column: Column) -> list[Aggregate]:
    """Return the figures of one column."""
    c = column.sql
    common = [
        Aggregate("values", f"count({c})", "sum"),
        Aggregate("fingerprint", f"sum({value_hash(column)})", "sum"),
        Aggregate("about_distinct", f"approx_count_distinct({value_hash(column)})", "max"),
    ]
    return common + _BY_KIND[column.kind](column)


def _extremes(value: str) -> list[Aggregate]:
    return [Aggregate("min", f"min({value})", "min"), Aggregate("max", f"max({value})", "max")]


def _of_numbers(column: Column) -> list[Aggregate]:
    return [*_extremes(column.sql), Aggregate("sum", f"sum({_summable(column)})", "sum")]


def _summable(column: Column) -> str:
    if column.kind is Kind.DECIMAL and _digits(column) > _SUMMABLE_DIGITS:
        # As whole numbers of the last digit, of any length.
        return f"CAST(replace(CAST({column.sql} AS VARCHAR), '.', '') AS BIGNUM)"
    return f"CAST({column.sql} AS BIGNUM)" if column.cast == "HUGEINT" else column.sql


def is_scaled_sum(column: Column) -> bool:
    """Tell whether the column's sum counts units of its last digit."""
    return column.kind is Kind.DECIMAL and _digits(column) > _SUMMABLE_DIGITS


def _digits(column: Column) -> int:
    text = column.cast or column.type
    return int(text[text.index("(") + 1 : text.index(",")])


def _of_floats(column: Column) -> list[Aggregate]:
    c = column.sql
    # Adding 0.0 turns -0.0 into 0.0, so that it does not matter which of them came first.
    finite = f"(CASE WHEN isfinite({c}) THEN {c} + 0.0 END)"
    return [
        *_extremes(finite),
        Aggregate("nan", f"count_if(isnan({c}))", "sum"),
        Aggregate("inf", f"count_if({c} = 'inf'::DOUBLE)", "sum"),
        Aggregate("-inf", f"count_if({c} = '-inf'::DOUBLE)", "sum"),
    ]


def _of_booleans(column: Column) -> list[Aggregate]:
    return [Aggregate("true", f"count_if({column.sql})", "sum")]


def _of_text(column: Column) -> list[Aggregate]:
    return _extremes(f"left({column.sql}, {TEXT_SHOWN})") + _lengths(f"length({column.sql})")


def _of_csv(column: Column) -> list[Aggregate]:
    number = f"TRY_CAST({column.sql} AS {CSV_NUMBER})"
    return [
        *_of_text(column),
        Aggregate("numbers", f"count({number})", "sum"),
        Aggregate("smallest_number", f"min({number})", "min"),
        Aggregate("largest_number", f"max({number})", "max"),
        Aggregate("sum_of_numbers", f"sum({number})", "sum"),
    ]


def _lengths(length: str) -> list[Aggregate]:
    return [
        Aggregate("shortest", f"min({length})", "min"),
        Aggregate("longest", f"max({length})", "max"),
        Aggregate("length", f"sum({length})", "sum"),
    ]


def _of_binary(column: Column) -> list[Aggregate]:
    return _lengths(f"octet_length({column.sql})")


def _of_times(column: Column) -> list[Aggregate]:
    return _extremes(column.sql)


def _of_others(_column: Column) -> list[Aggregate]:
    return []


_BY_KIND = {
    Kind.INTEGER: _of_numbers,
    Kind.DECIMAL: _of_numbers,
    Kind.FLOAT: _of_floats,
    Kind.BOOLEAN: _of_booleans,
    Kind.TEXT: _of_text,
    Kind.CSV: _of_csv,
    Kind.BINARY: _of_binary,
    Kind.TEMPORAL: _of_times,
    Kind.NESTED: _of_others,
    Kind.NOTHING: _of_others,
}


class PartialFigures:
    """The figures of the parts so far, kept in the engine.

    :param engine: an open database.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._engine.execute("CREATE TABLE part_rows (n HUGEINT, fingerprint HUGEINT)")
        self._parts: dict[int, list[str]] = {}
        self._count = 0

    def take(self, columns: Sequence[Column]) -> None:
        """Add the part that the view shows now.

        :param columns: those that the part has.
        """
        self._engine.execute(f"INSERT INTO part_rows SELECT count(*), sum({row_hash(columns)}) FROM {VIEW}")
        for start in range(0, len(columns), COLUMNS_A_SCAN):
            self._take(columns[start : start + COLUMNS_A_SCAN])

    def _take(self, columns: Sequence[Column]) -> None:
        table = f"part_{self._count}"
        self._count += 1
        chosen = [
            f'{item.expression} AS "{column.index}_{item.name}"'
            for column in columns
            for item in aggregates_of(column)
        ]
        self._engine.execute(f"CREATE TABLE {table} AS SELECT {', '.join(chosen)} FROM {VIEW}")
        for column in columns:
            self._parts.setdefault(column.index, []).append(table)

    def about_distinct(self, column: Column) -> int:
        """Return roughly how many different values the last part has; for choosing a method."""
        table = self._parts[column.index][-1]
        rows = self._engine.execute(f'SELECT "{column.index}_about_distinct" FROM {table}').fetchall()
        return int(rows[0][0])

    def rows(self) -> tuple[int, int]:
        """Return the number of rows and the table's fingerprint."""
        found = self._engine.execute(
            "SELECT coalesce(sum(n), 0), coalesce(sum(fingerprint), 0) FROM part_rows"
        ).fetchall()
        return int(found[0][0]), int(found[0][1])

    def figures(self, column: Column) -> dict[str, Any]:
        """Return one column's figures over all parts, by name; values as Python has them, times as text."""
        wanted = [item for item in aggregates_of(column) if item.name != "about_distinct"]
        names = [f'"{column.index}_{item.name}"' for item in wanted]
        union = " UNION ALL ".join(
            f"SELECT {', '.join(names)} FROM {table}" for table in self._parts[column.index]
        )
        chosen = [
            _readable(column, item, f"{item.combine}({name})")
            for item, name in zip(wanted, names, strict=True)
        ]
        values = self._engine.execute(f"SELECT {', '.join(chosen)} FROM ({union})").fetchall()[0]
        return {item.name: value for item, value in zip(wanted, values, strict=True)}


def _readable(column: Column, item: Aggregate, combined: str) -> str:
    as_text = column.kind is Kind.TEMPORAL and item.name in {"min", "max"}
    big = item.name == "sum" and (is_scaled_sum(column) or column.cast == "HUGEINT")
    return f"CAST({combined} AS VARCHAR)" if as_text or big else combined
