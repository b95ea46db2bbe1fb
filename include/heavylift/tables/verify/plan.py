"""How two tables are compared: which columns, in which form, and into which buckets rows fall."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from heavylift.tables.model import Column, Table

SideName = Literal["source", "target"]

Key = tuple[str | None, ...]
"""What names a row: its key's columns as text; in a table without a key, the row's digest."""


class Shape(StrEnum):
    """Whether the end of a value can be seen in a text that holds several."""

    PLAIN = "plain"
    """It never holds the separator, or it is bracketed: the end is seen."""
    RAW = "raw"
    """It may hold anything: its length must be told before it."""


class Digest(StrEnum):
    """The function that makes a number of a row's text."""

    HASH = "hash"
    """``hashtextextended``: 64 bits, fast; both are PostgreSQL with one encoding and one byte order."""
    MD5 = "md5"
    """60 bits of MD5 over UTF-8: the same on every engine, encoding and machine."""


@dataclass(frozen=True)
class Field:
    """One column of both tables, in the place where both put it into a row's text.

    :param own_text: the server's own text form serves on both sides; else the canonical one of all engines.
    """

    source: Column
    target: Column
    shape: Shape
    own_text: bool = True

    @property
    def name(self) -> str:
        """Return the column's name, the same on both sides."""
        return self.source.name

    def column(self, side: SideName) -> Column:
        """Return the column as one side has it."""
        return self.source if side == "source" else self.target


@dataclass(frozen=True)
class Plan:
    """All that both sides must agree on, so that equal rows give equal numbers.

    A row falls into bucket ``range * slots + slot``. ``range`` is where the first column of the key lies
    among ``bounds``, ``slot`` the low bits of a digest of the whole key.

    :param key: columns that name a row; empty: rows are compared as a multiset of digests.
    :param seed: drawn for each run: no data can be made beforehand that collides.
    :param bounds: as text, ascending; empty: one range.
    :param slots: a power of two.
    :param notes: how the two lists of columns differ; such tables are not equal, whatever their rows.
    """

    source: Table
    target: Table
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    digest: Digest
    seed: int
    bounds: tuple[str, ...] = ()
    slots: int = 1
    notes: tuple[str, ...] = field(default=())

    def table(self, side: SideName) -> Table:
        """Return the table as one side has it."""
        return self.source if side == "source" else self.target

    @property
    def ranges(self) -> int:
        """Return into how many ranges the bounds cut the key."""
        return len(self.bounds) + 1

    @property
    def buckets(self) -> int:
        """Return the number of buckets, of which some may be empty."""
        return self.ranges * self.slots

    def field_of(self, column: str) -> Field:
        """Return the field of a column; KeyError where it is not compared."""
        for each in self.fields:
            if each.name == column:
                return each
        raise KeyError(column)

    def named(self, key: Key) -> dict[str, str | None]:
        """Return a row's name for the record of evidence."""
        return dict(zip(self.key or ("row digest",), key, strict=True))
