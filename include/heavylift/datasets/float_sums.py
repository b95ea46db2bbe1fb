"""Sums of floating-point columns, exact and so independent of the order of rows.

A float is a whole number times a power of two. Whole numbers with equal powers are added as
128-bit integers by the engine, and the powers are put together here without rounding; only the
final sum is rounded, once, to the nearest float.
"""

# SQL is built of column indexes and file paths of our own making; no data and no name enters it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from heavylift.datasets.columns import Column
from heavylift.datasets.scan import VIEW

_MANTISSA_BITS = 52
_LOWEST_POWER = 1074


class FloatSums:
    """The sums of all float columns so far, one row for each column, power and sign."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._engine.execute(
            "CREATE TABLE float_sums (i INTEGER, e INTEGER, negative BOOLEAN, mantissas HUGEINT, n HUGEINT)"
        )

    def take(self, column: Column) -> None:
        """Add the finite values of the part that the view shows now."""
        bits = f"CAST(CAST({column.sql} AS BIT) AS UBIGINT)"
        self._engine.execute(
            f"""
            INSERT INTO float_sums
            SELECT {column.index}, (b >> {_MANTISSA_BITS}) & 2047, (b >> 63) = 1,
                   sum(b & {2**_MANTISSA_BITS - 1}), count(*)
            FROM (SELECT {bits} AS b FROM {VIEW} WHERE isfinite({column.sql}))
            GROUP BY ALL
            """
        )

    def sum(self, column: Column) -> Fraction:
        """Return the exact sum of the column's finite values."""
        rows = self._engine.execute(
            f"SELECT e, negative, mantissas, n FROM float_sums WHERE i = {column.index}"
        ).fetchall()
        return exact_sum(rows)


def exact_sum(rows: Iterable[tuple[int, bool, int, int]]) -> Fraction:
    """Return the sum of groups of floats: exponent bits, sign, sum of mantissa bits, number."""
    total = 0
    for exponent, negative, mantissas, count in rows:
        # Normal numbers have a leading bit that is not stored; subnormal ones have none.
        whole = int(mantissas) + (int(count) << _MANTISSA_BITS if exponent else 0)
        shifted = whole << (max(exponent, 1) - 1)
        total += -shifted if negative else shifted
    return Fraction(total, 1 << _LOWEST_POWER)
