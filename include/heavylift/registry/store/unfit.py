"""What a staged store may hold that the target's columns do not take; what is no key is never shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.registry.store.catalog import StoreTable

NAMED = 3
"""Rows of one sort that are told by their keys; of the others the number is told."""
WHOLE = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
"""The target's whole numbers, and the first that each does not take."""
TEXTS = frozenset({"text", "character varying", "character", "json", "jsonb"})
_LONGEST_KEY = 40


@dataclass(frozen=True)
class Unfit:
    """Values of one column with which one thing is wrong.

    :param examples: the keys of a few of them.
    """

    table: str
    column: str
    problem: str
    rows: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {self.rows - len(self.examples):,} more" if self.rows > len(self.examples) else ""
        return f"{self.table}.{self.column}: {self.problem} ({'; '.join(self.examples)}{more})"


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with a column.

    :param condition: of the source's own SQL.
    :param sizes: tell how long each value is.
    """

    column: str
    problem: str
    condition: str
    sizes: bool = False


def key_text(table: StoreTable, values: Sequence[Any]) -> str:
    """Return a row's key as messages tell it."""
    return ", ".join(f"{name} {_short(value)}" for name, value in zip(table.key, values, strict=True))


def _short(value: Any) -> str:
    if not isinstance(value, str | bytes):
        return str(value)
    return repr(value) if len(value) <= _LONGEST_KEY else f"{value[:_LONGEST_KEY]!r}…"
