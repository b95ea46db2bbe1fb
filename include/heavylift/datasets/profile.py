"""A table's profile as data: what was counted and computed of one side."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from heavylift.datasets.aggregates import is_scaled_sum
from heavylift.datasets.columns import Column, Kind
from heavylift.datasets.distinct import Distinct

FINGERPRINT = "fingerprint"
_LONGEST_NUMBER = 80


@dataclass(frozen=True)
class Figure:
    """One figure, as shown and, where it is a number, as one that can be compared within a tolerance."""

    name: str
    text: str
    number: Fraction | None = None


@dataclass(frozen=True)
class ColumnProfile:
    """One column's type and figures."""

    name: str
    type: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class TableProfile:
    """One side of a table.

    :param file_schemas: how the files' schemas differ, in words; empty where they agree.
    :param fingerprint: of all rows; None where columns were not profiled.
    """

    files: int
    rows: int
    columns: tuple[ColumnProfile, ...] = ()
    file_schemas: tuple[str, ...] = ()
    fingerprint: str | None = None

    def column_list(self) -> str:
        """Return the names in order, as JSON, so that no name can pass for two."""
        return json.dumps([column.name for column in self.columns], ensure_ascii=False)


def column_profile(
    column: Column, rows: int, raw: dict[str, Any], distinct: Distinct, float_sum: Fraction | None
) -> ColumnProfile:
    """Return a column's profile from what the engine computed.

    :param raw: by aggregate name, see :mod:`heavylift.datasets.aggregates`; empty where no file
        has the column.
    """
    values = int(raw.get("values") or 0)
    figures = [
        _count("nulls", rows - values),
        _count("distinct", distinct.count, "" if distinct.exact else "about "),
        *_of_kind(column, values, raw, float_sum),
        Figure(FINGERPRINT, hex_of(raw.get("fingerprint") or 0)),
    ]
    return ColumnProfile(column.name, column.type, tuple(figures))


def hex_of(total: Any) -> str:
    """Return a fingerprint as it is shown."""
    return f"{int(total):x}"


def _of_kind(
    column: Column, values: int, raw: dict[str, Any], float_sum: Fraction | None
) -> Iterable[Figure]:
    if column.kind is Kind.FLOAT:
        finite = values - sum(int(raw.get(name) or 0) for name in ("nan", "inf", "-inf"))
        return [
            *_plain(raw, "min", "max", "nan", "inf", "-inf"),
            *_sum_and_mean(float_sum, finite, in_full=False),
        ]
    if column.kind in {Kind.INTEGER, Kind.DECIMAL}:
        return [*_plain(raw, "min", "max"), *_sum_and_mean(_exact(column, raw.get("sum")), values)]
    if column.kind is Kind.CSV:
        return _of_csv(values, raw)
    return _plain(raw, *(name for name in raw if name not in {"values", FINGERPRINT}))


def _of_csv(values: int, raw: dict[str, Any]) -> Iterable[Figure]:
    if not values or raw["numbers"] != values:
        return _plain(raw, "min", "max", "shortest", "longest", "length")
    numbers = {"min": raw["smallest_number"], "max": raw["largest_number"]}
    total = Fraction(raw["sum_of_numbers"])
    return [*_plain(numbers, "min", "max"), *_sum_and_mean(total, values), *_plain(raw, "length")]


def _exact(column: Column, total: Any) -> Fraction | None:
    if total is None:
        return None
    value = Fraction(str(total))
    return value / 10**column.scale if is_scaled_sum(column) else value


def _plain(raw: dict[str, Any], *names: str) -> list[Figure]:
    return [_figure(name, raw.get(name)) for name in names]


def _figure(name: str, value: Any) -> Figure:
    if value is None:
        return Figure(name, "none")
    if isinstance(value, (int, float, Decimal)):
        shown = repr(value) if isinstance(value, float) else str(value)
        return Figure(name, shown, Fraction(value))
    return Figure(name, str(value))


def _count(name: str, count: int, prefix: str = "") -> Figure:
    return Figure(name, f"{prefix}{count}", Fraction(count))


def _sum_and_mean(total: Fraction | None, values: int, *, in_full: bool = True) -> list[Figure]:
    if total is None or not values:
        return [Figure("sum", "none"), Figure("mean", "none")]
    mean = total / values
    shown = full_text(total) if in_full else rounded_text(total)
    return [Figure("sum", shown, total), Figure("mean", rounded_text(mean), mean)]


def full_text(value: Fraction) -> str:
    """Return a number that has finitely many decimals with all of them."""
    with localcontext() as context:
        context.prec = _LONGEST_NUMBER
        return f"{Decimal(value.numerator) / Decimal(value.denominator):f}"


def rounded_text(value: Fraction) -> str:
    """Return a number with 17 digits at most, which tell any two floats apart."""
    with localcontext() as context:
        context.prec = 17
        return str((Decimal(value.numerator) / Decimal(value.denominator)).normalize())
