"""Cuts tables into ranges of their primary key, and keeps on the target which of them have arrived."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import ask, quoted
from heavylift.tables.mysql.types import Kind
from heavylift.tables.postgres.lsn import lsn_from_text

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.postgres.connect import Session

MOST_RANGES = 4096


@dataclass(frozen=True)
class Range:
    """Rows whose first key column is at least ``lower`` and below ``upper``; None is no bound.

    :param done_at: the position at which the range was read; None where it has not arrived.
    """

    number: int
    lower: int | None = None
    upper: int | None = None
    done_at: int | None = None
    rows: int = 0
    size_bytes: int = 0

    def condition(self, table: SourceTable) -> str:
        """Return the range as a condition of MySQL's."""
        if self.lower is None and self.upper is None:
            return ""
        key, parts = quoted(table.table.key[0]), []
        if self.lower is not None:
            parts.append(f"{key} >= {self.lower:d}")
        if self.upper is not None:
            parts.append(f"{key} < {self.upper:d}")
        return " WHERE " + " AND ".join(parts)


def plan_ranges(session: MySession, table: SourceTable, range_bytes: int) -> tuple[Range, ...]:
    """Cut a table into ranges of about ``range_bytes``, evenly by a first key column of numbers."""
    wanted = min(MOST_RANGES, -(-table.data_bytes // range_bytes))
    key = table.table.key
    first = next((each for each in table.columns if key and each.source.name == key[0]), None)
    if wanted < 2 or first is None or first.kind is not Kind.INTEGER:
        return (Range(0),)
    column = quoted(key[0])
    low, high = ask(session, f"SELECT MIN({column}), MAX({column}) FROM {quoted(*_names(table))}")[0]
    if low is None or int(high) - int(low) < wanted:
        return (Range(0),)
    low, span = int(low), int(high) - int(low)
    bounds: list[int | None] = [None, *(low + span * at // wanted for at in range(1, wanted)), None]
    return tuple(Range(at, bounds[at], bounds[at + 1]) for at in range(wanted))


def write_ranges(session: Session, stream: str, table: TableName, ranges: Sequence[Range]) -> None:
    """Note a table's ranges, in the place of those that were noted before."""
    session.execute(
        "DELETE FROM heavylift.stream_range WHERE stream = %s AND schema_name = %s AND table_name = %s",
        [stream, table.schema, table.name],
    )
    session.execute(
        "INSERT INTO heavylift.stream_range (stream, schema_name, table_name, number, leaf, lower_page,"
        " upper_page) SELECT %s, %s, %s, n, b, 0, NULL FROM unnest(%s::int[], %s::text[]) AS r (n, b)",
        [
            stream,
            table.schema,
            table.name,
            [each.number for each in ranges],
            [json.dumps([each.lower, each.upper]) for each in ranges],
        ],
    )


def read_ranges(session: Session, stream: str) -> dict[TableName, tuple[Range, ...]]:
    """Return the ranges of a stream's tables, in order."""
    found: dict[TableName, list[Range]] = {}
    rows = session.execute(
        "SELECT schema_name, table_name, number, leaf,"
        " CASE WHEN done_at IS NOT NULL THEN snapshot_lsn::text END, coalesce(rows, 0),"
        " coalesce(size_bytes, 0)"
        " FROM heavylift.stream_range WHERE stream = %s ORDER BY 1, 2, 3",
        [stream],
    ).fetchall()
    for schema, name, number, bounds, done_at, count, size in rows:
        lower, upper = json.loads(bounds)
        done = None if done_at is None else lsn_from_text(done_at)
        found.setdefault(TableName(schema, name), []).append(Range(number, lower, upper, done, count, size))
    return {name: tuple(ranges) for name, ranges in found.items()}


def _names(table: SourceTable) -> tuple[str, str]:
    return table.name.schema, table.name.name
