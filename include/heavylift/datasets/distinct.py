"""Counting different values with little memory, the same for the same values in any order.

The smallest ``KEPT`` hashes of a column are kept (a KMV sketch). Up to ``KEPT`` different
values the count is exact; beyond, the place of the last kept hash tells how dense they lie,
with a standard error of about 0.4 %.
"""

# SQL is built of column indexes and file paths of our own making; no data and no name enters it.
# ruff: noqa: S608
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heavylift.datasets.columns import Column
from heavylift.datasets.fingerprints import value_hash
from heavylift.datasets.scan import VIEW

KEPT = 65_536
_HASHES = 2**64


@dataclass(frozen=True)
class Distinct:
    """How many different values a column has.

    :param exact: counted, not estimated.
    """

    count: int
    exact: bool


class DistinctValues:
    """The sketches of all columns so far, kept in the engine."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._engine.execute("CREATE TABLE smallest_hashes (i INTEGER, h UBIGINT)")

    def take(self, column: Column, about: int) -> None:
        """Add the part that the view shows now.

        :param about: roughly how many different values the part has.
        """
        # Hashing again spreads hashes that are not uniform, such as that of 0.0.
        hashes = (
            f"(SELECT hash({value_hash(column)}, 1::UBIGINT) AS h FROM {VIEW} WHERE {column.sql} IS NOT NULL)"
        )
        if about > 4 * KEPT:
            # Only hashes that can be among the smallest need to be told apart.
            limit = min(_HASHES - 1, _HASHES // about * 2 * KEPT)
            if self._insert(column, hashes, f"h < {limit}::UBIGINT") >= KEPT:
                return
        self._insert(column, hashes, "true")

    def _insert(self, column: Column, hashes: str, condition: str) -> int:
        smallest = f"SELECT DISTINCT h FROM {hashes} WHERE {condition} ORDER BY h LIMIT {KEPT}"
        rows = self._engine.execute(
            f"INSERT INTO smallest_hashes SELECT {column.index}, h FROM ({smallest})"
        ).fetchall()
        return int(rows[0][0])

    def count(self, column: Column) -> Distinct:
        """Return the number of different values of the column, NULL not counted."""
        smallest = f"SELECT DISTINCT h FROM smallest_hashes WHERE i = {column.index} ORDER BY h LIMIT {KEPT}"
        count, largest = self._engine.execute(f"SELECT count(*), max(h) FROM ({smallest})").fetchall()[0]
        return estimate(int(count), int(largest or 0))


def estimate(count: int, largest: int) -> Distinct:
    """Return what ``count`` smallest hashes up to ``largest`` say."""
    if count < KEPT:
        return Distinct(count, exact=True)
    return Distinct((count - 1) * _HASHES // max(1, largest), exact=False)
