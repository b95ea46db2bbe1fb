"""Cuts tables into ranges of pages, and keeps on the target which of them have arrived.

A range of pages needs no key, no statistics and no sort: the server reads exactly those pages. Within one
snapshot the ranges of a table hold each of its rows once, because a version of a row never moves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import Leaf, holders
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

TID_RANGE_SCANS = 140000
"""The first server version that reads a range of pages without reading those before it."""


@dataclass(frozen=True)
class Range:
    """Pages ``lower`` to below ``upper`` of one relation; no ``upper`` is to its end, however far it grows.

    :param done_at: position of the snapshot under which the range was copied; None where it was not.
    """

    number: int
    leaf: TableName
    lower: int
    upper: int | None
    done_at: int | None = None
    rows: int = 0
    size_bytes: int = 0

    @property
    def whole(self) -> bool:
        """Tell whether the range is all of its relation."""
        return self.lower == 0 and self.upper is None


def plan_ranges(
    table: Table, leaves: Mapping[TableName, Leaf], *, range_bytes: int, block: int, server_version: int
) -> tuple[Range, ...]:
    """Cut a table into ranges of about ``range_bytes`` on disk; each relation with rows has at least one.

    :param block: the server's size of a page.
    """
    step = max(1, range_bytes // block)
    ranges: list[Range] = []
    for name in holders(table):
        pages = leaves[name].size_bytes // block if server_version >= TID_RANGE_SCANS else 0
        # The last one is open, so it is not to be a sliver.
        starts = [start for start in range(0, pages, step) if start == 0 or pages - start > step // 4] or [0]
        for lower, upper in zip(starts, [*starts[1:], None], strict=True):
            ranges.append(Range(len(ranges), name, lower, upper))
    return tuple(ranges)


def storage_of(table: Table, leaves: Mapping[TableName, Leaf], horizon: int) -> str:
    """Return a text for the files that hold a table now, and the snapshot's oldest open transaction.

    :param horizon: every row version that a later snapshot sees and this one does not is by this
        transaction or a later one.
    """
    files = [(str(name), leaves[name].filenode) for name in holders(table) if name in leaves]
    return f"{hashlib.sha256(json.dumps(files).encode()).hexdigest()[:32]}@{horizon}"


def horizon_of(storage: str) -> int:
    """Return the transaction that :func:`storage_of` noted."""
    return int(storage.rpartition("@")[2] or 0)


def same_files(one: str, other: str) -> bool:
    """Tell whether two notes of :func:`storage_of` mean the same files."""
    return one.rpartition("@")[0] == other.rpartition("@")[0]


def write_ranges(session: Session, stream: str, table: TableName, ranges: Sequence[Range]) -> None:
    """Note a table's ranges, in the place of those that were noted before."""
    session.execute(
        "DELETE FROM heavylift.stream_range WHERE stream = %s AND schema_name = %s AND table_name = %s",
        [stream, table.schema, table.name],
    )
    session.execute(
        "INSERT INTO heavylift.stream_range (stream, schema_name, table_name, number, leaf, lower_page,"
        " upper_page) SELECT %s, %s, %s, * FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::bigint[])",
        [
            stream,
            table.schema,
            table.name,
            [each.number for each in ranges],
            [json.dumps([each.leaf.schema, each.leaf.name]) for each in ranges],
            [each.lower for each in ranges],
            [each.upper for each in ranges],
        ],
    )


def note_range(
    session: Session, stream: str, table: TableName, number: int, *, snapshot: int, rows: int, size_bytes: int
) -> None:
    """Note a range as copied, within the transaction that brings its rows."""
    session.execute(
        "UPDATE heavylift.stream_range SET snapshot_lsn = %s, rows = %s, size_bytes = %s,"
        " done_at = clock_timestamp()"
        " WHERE stream = %s AND schema_name = %s AND table_name = %s AND number = %s",
        [lsn_to_text(snapshot), rows, size_bytes, stream, table.schema, table.name, number],
    )


def read_ranges(session: Session, stream: str) -> dict[TableName, tuple[Range, ...]]:
    """Return the ranges of a stream's tables, in order."""
    found: dict[TableName, list[Range]] = {}
    rows = session.execute(
        "SELECT schema_name, table_name, number, leaf, lower_page, upper_page,"
        " CASE WHEN done_at IS NOT NULL THEN snapshot_lsn::text END, coalesce(rows, 0),"
        " coalesce(size_bytes, 0)"
        " FROM heavylift.stream_range WHERE stream = %s ORDER BY 1, 2, 3",
        [stream],
    ).fetchall()
    for schema, name, number, leaf, lower, upper, done_at, count, size in rows:
        each = Range(
            number,
            TableName(*json.loads(leaf)),
            lower,
            upper,
            None if done_at is None else lsn_from_text(done_at),
            count,
            size,
        )
        found.setdefault(TableName(schema, name), []).append(each)
    return {name: tuple(ranges) for name, ranges in found.items()}


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges that cover the same pages, neighbours made one."""
    found: list[Range] = []
    for each in sorted(ranges, key=lambda r: (r.leaf, r.lower)):
        last = found[-1] if found else None
        if last is not None and last.leaf == each.leaf and last.upper == each.lower:
            found[-1] = Range(last.number, last.leaf, last.lower, each.upper)
        else:
            found.append(Range(each.number, each.leaf, each.lower, each.upper))
    return found
