"""What is left of a snapshot that was cut off, when its exported snapshot is gone with its connection.

What is left is copied under a later snapshot. A table then holds ranges of two moments, and is exact again
only where the stream of changes has passed the later one. For that, every row of the later moment must be
there, in its later form:

- a range that had not arrived is copied as it is now, over rows that are there already: a row may have
  moved to it since, from a page that has arrived;
- in the pages that have arrived, rows that changed since are copied again; one that moved there would
  otherwise be missing, and the log need not hold all of its values (those that were stored out of line and
  did not change).

Rows that were deleted between the two moments stay until the stream deletes them. All that needs a key; a
table without one is copied anew, and so is one whose pages were rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import ConflictError
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import Leaf, holders
from heavylift.tables.postgres.copy_format import form_of
from heavylift.tables.postgres.copy_job import Job, Kind
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.ranges import (
    Range,
    horizon_of,
    merged,
    plan_ranges,
    same_files,
    storage_of,
    write_ranges,
)
from heavylift.tables.postgres.state import TablePhase, TableState, names, write_table

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_HALF_ROUND = 2**30
"""Transactions after which the comparison of transaction numbers, which are modulo 2^32, is not trusted."""


@dataclass(frozen=True)
class Layout:
    """The source as the copy finds it: its files, and how its pages are cut.

    :param horizon: the oldest transaction that was open at the snapshot, in 64 bits.
    """

    leaves: Mapping[TableName, Leaf]
    block: int
    server_version: int
    range_bytes: int
    horizon: int

    def storage(self, table: Table) -> str:
        """Return the note of the files of a table."""
        return storage_of(table, self.leaves, self.horizon)

    def ranges(self, table: Table) -> tuple[Range, ...]:
        """Cut a table."""
        return plan_ranges(
            table,
            self.leaves,
            range_bytes=self.range_bytes,
            block=self.block,
            server_version=self.server_version,
        )


@dataclass(frozen=True)
class Left:
    """What a run has still to do.

    :param arrived: every range is there, of one snapshot; only the note of it is missing.
    :param mended: some ranges are there, the others follow under a later snapshot.
    :param anew: nothing is there, or nothing that could be kept.
    """

    arrived: tuple[Table, ...] = ()
    mended: tuple[Table, ...] = ()
    anew: tuple[Table, ...] = ()


def sort_out(
    tables: Sequence[Table],
    known: Mapping[TableName, TableState],
    ranges: Mapping[TableName, Sequence[Range]],
    layout: Layout,
) -> Left:
    """Sort the tables that are not complete by what has to be done."""
    arrived, mended, anew = [], [], []
    for table in tables:
        state, own = known.get(table.name), ranges.get(table.name, ())
        if state is not None and state.phase is TablePhase.COPIED:
            continue
        if state is not None and all(each.done_at == state.copied is not None for each in own):
            arrived.append(table)
        elif state is not None and _can_be_mended(table, state, own, layout):
            mended.append(table)
        else:
            anew.append(table)
    return Left(tuple(arrived), tuple(mended), tuple(anew))


def _can_be_mended(table: Table, state: TableState, ranges: Sequence[Range], layout: Layout) -> bool:
    if not table.key or not any(each.done_at is not None for each in ranges):
        return False
    # An identity column that is always generated cannot be written over.
    if any(column.identity == "a" and column.name not in table.key for column in table.columns):
        return False
    recent = 0 <= layout.horizon - horizon_of(state.storage) < _HALF_ROUND
    return recent and same_files(state.storage, layout.storage(table))


def plan_anew(
    target: Session,
    stream: str,
    tables: Sequence[Table],
    layout: Layout,
    snapshot: int,
    binary: frozenset[int],
) -> list[Job]:
    """Note the tables and their ranges, none of them done, and return the jobs; within a transaction."""
    jobs: list[Job] = []
    for table in tables:
        state = TableState(
            table.name, TablePhase.COPYING, table.signature, layout.storage(table), copied=snapshot
        )
        write_table(target, stream, state)
        ranges = layout.ranges(table)
        write_ranges(target, stream, table.name, ranges)
        jobs += [Job(table, each, Kind.FRESH, form_of(table, binary)) for each in ranges]
    return jobs


def plan_mending(
    tables: Sequence[Table],
    known: Mapping[TableName, TableState],
    ranges: Mapping[TableName, Sequence[Range]],
    binary: frozenset[int],
) -> list[Job]:
    """Return the jobs that complete tables of which some ranges are there."""
    jobs: list[Job] = []
    for table in tables:
        form, own = form_of(table, binary), ranges[table.name]
        horizon = horizon_of(known[table.name].storage)
        jobs += [Job(table, each, Kind.MERGED, form) for each in own if each.done_at is None]
        done = merged(each for each in own if each.done_at is not None)
        jobs += [Job(table, each, Kind.CHANGED, form, horizon) for each in done]
    return jobs


def note_copied(session: Session, stream: str, table: TableName, snapshot: int) -> None:
    """Note a table as complete, within the caller's transaction.

    :param snapshot: the position of the snapshot of the last of its ranges.
    """
    session.execute(
        "UPDATE heavylift.stream_table t SET state = %s, settled_lsn = %s, rows = ("
        " SELECT coalesce(sum(r.rows), 0) FROM heavylift.stream_range r WHERE r.stream = t.stream"
        " AND r.schema_name = t.schema_name AND r.table_name = t.table_name)"
        " WHERE stream = %s AND schema_name = %s AND table_name = %s",
        [TablePhase.COPIED.value, lsn_to_text(snapshot), stream, table.schema, table.name],
    )


def demand_empty(target: Session, tables: Sequence[Table]) -> None:
    """Refuse tables that hold rows although this stream has copied none: they are somebody else's.

    :raises ConflictError: one does.
    """
    occupied = [table.name for table in tables if any(_has_rows(target, name) for name in holders(table))]
    if not occupied:
        return
    raise ConflictError(
        "preparing the tables on the target",
        got=f"rows that Heavylift did not write in {names(occupied)}",
        expected="empty tables",
        state="no row of these tables was copied or changed",
        remedy="see who writes to the target; then TRUNCATE the tables there, or leave them out",
        code="6124",
    )


def _has_rows(session: Session, name: TableName) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(sql.Identifier(name.schema, name.name))
    row = session.execute(query).fetchone()
    return bool(row and row[0])


def demand_same_columns(source: Sequence[Table], target: Sequence[Table]) -> None:
    """Refuse tables that are not on the target with the same columns.

    :raises ConflictError: one is missing there, or has other columns.
    """
    there = {table.name: table.signature for table in target}
    wrong = [table.name for table in source if there.get(table.name) != table.signature]
    if not wrong:
        return
    raise ConflictError(
        "preparing the tables on the target",
        got=f"other columns, or no such table, for {names(wrong)}",
        expected="the source's columns, with their types",
        state="no row was copied",
        remedy="drop or rename the target's tables (the snapshot makes them), or make them like the source's",
        code="6114",
    )
