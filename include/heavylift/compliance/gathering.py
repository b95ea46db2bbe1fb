"""Gathers what is seen of a dataset: columns by name, and what could not be looked into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from heavylift.compliance.columns import ColumnSeen, column_seen
from heavylift.compliance.detector import find, masked
from heavylift.compliance.requests import MOST_COLUMNS

FURTHER = "(further columns)"


@dataclass
class Gathered:
    """Everything that a scan has seen so far.

    :param sampled: texts around candidates are held, for a second opinion.
    :param unparsed: rows that were read as text, since they do not fit their file's columns.
    """

    columns: dict[str, ColumnSeen] = field(default_factory=dict)
    not_scanned: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_scanned_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)
    unparsed: int = 0
    bytes_read: int = 0
    sampled: bool = False
    columns_left_out: set[str] = field(default_factory=set)

    def column(self, name: str) -> ColumnSeen:
        """Return the count of a column, made where there is none; its name is shown only if it is none's."""
        shown = safe_name(name)
        if shown not in self.columns and len(self.columns) >= MOST_COLUMNS:
            self.columns_left_out.add(shown[:64]) if len(self.columns_left_out) < MOST_COLUMNS else None
            shown = FURTHER
        return self.columns.setdefault(
            shown, column_seen(shown if shown != FURTHER else "", sampled=self.sampled)
        )

    def take(self, name: str, values: Sequence[bytes], unit: str, first_row: int) -> None:
        """Take in values of a column."""
        self.column(name).take(values, unit, first_row)

    def leave(self, what: str, reason: str, size_bytes: int = 0) -> None:
        """Note something that is not looked into."""
        self.not_scanned[what, reason] += 1
        self.not_scanned_bytes[what, reason] += size_bytes


def safe_name(name: str) -> str:
    """Return a column's or an object's name as it may be shown: in its shape alone where it is personal."""
    # A name such as joe@example.com.csv is no address, and names somebody all the same.
    if "@" in name or any(hit.valid for hit in find(name.encode("utf-8", "replace"))):
        return masked(name)
    return name[:200]
