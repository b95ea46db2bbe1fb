"""Copies one range of rows, in one transaction of the target together with the note that it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.model import Table
from heavylift.tables.postgres.copy_format import column_list
from heavylift.tables.postgres.pipe import Piped, pipe
from heavylift.tables.postgres.ranges import Range, note_range

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.state import Lease

_STAGE = sql.Identifier("pg_temp", "heavylift_stage")


class Kind(StrEnum):
    """How a range's rows meet those that are there."""

    FRESH = "fresh"
    """Nothing of the range is on the target."""
    MERGED = "merged"
    """A later snapshot than the table's other ranges: a row may be there already, from another page."""
    CHANGED = "changed"
    """Pages that are there, of an earlier snapshot: only what has changed in them since."""


@dataclass(frozen=True)
class Job:
    """One range of one table to copy.

    :param horizon: for ``CHANGED``: rows written by this transaction or a later one are copied.
    """

    table: Table
    range: Range
    kind: Kind
    form: sql.SQL
    horizon: int = 0


def do_job(
    job: Job,
    source: Session,
    target: Session,
    *,
    lease: Lease,
    snapshot: int,
    stop: threading.Event,
    moved: Callable[[int], None],
) -> Piped:
    """Copy a job's rows and note them. Both sessions are closed by the caller where this fails.

    The lease is demanded last: its lock on the stream's row is short, and other ranges need not wait.
    """
    target.execute("BEGIN")
    if not job.table.written:
        done = _copy_count(job, source, target)
    elif job.kind is Kind.FRESH:
        into = sql.SQL("COPY {} ({}) FROM STDIN {}").format(
            _leaf(job), column_list(job.table.written), job.form
        )
        done = _pipe(job, source, target, into, stop, moved)
    else:
        done = _merge(job, source, target, stop, moved)
    if job.kind is not Kind.CHANGED:
        note_range(
            target, lease.stream, job.table.name, job.range.number,
            snapshot=snapshot, rows=done.rows, size_bytes=done.size_bytes,
        )  # fmt: skip
    lease.demand(target)
    target.execute("COMMIT")
    return done


def reading(job: Job) -> sql.Composed:
    """Return the statement that makes the source send a job's rows."""
    columns = column_list(job.table.written)
    if job.range.whole and job.kind is not Kind.CHANGED:
        # Of this relation alone, never of those that inherit from it; and a little cheaper than a query.
        return sql.SQL("COPY {} ({}) TO STDOUT {}").format(_leaf(job), columns, job.form)
    query = sql.SQL("SELECT {} FROM ONLY {}{}").format(columns, _leaf(job), _condition(job))
    return sql.SQL("COPY ({}) TO STDOUT {}").format(query, job.form)


def _condition(job: Job) -> sql.Composable:
    parts: list[sql.Composable] = []
    if job.range.lower:
        parts.append(sql.SQL("ctid >= {}::tid").format(f"({job.range.lower},0)"))
    if job.range.upper is not None:
        parts.append(sql.SQL("ctid < {}::tid").format(f"({job.range.upper},0)"))
    if job.kind is Kind.CHANGED:
        # Transaction numbers are modulo 2^32. A very old row may look new and is copied in vain; a new
        # one never looks old.
        parts.append(
            sql.SQL("((xmin::text::bigint - {}) & 4294967295) < 2147483648").format(job.horizon & 0xFFFFFFFF)
        )
    return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")


def _pipe(
    job: Job,
    source: Session,
    target: Session,
    into: sql.Composed,
    stop: threading.Event,
    moved: Callable[[int], None],
) -> Piped:
    return pipe(source, target, reading(job).as_bytes(source), into.as_bytes(target), stop=stop, moved=moved)


def _merge(
    job: Job, source: Session, target: Session, stop: threading.Event, moved: Callable[[int], None]
) -> Piped:
    columns = column_list(job.table.written)
    # Made from a query, so that it has the columns' types and none of their constraints.
    target.execute(
        sql.SQL(
            "CREATE TEMP TABLE heavylift_stage ON COMMIT DROP AS SELECT {} FROM ONLY {} WITH NO DATA"
        ).format(columns, _leaf(job))
    )
    into = sql.SQL("COPY {} ({}) FROM STDIN {}").format(_STAGE, columns, job.form)
    done = _pipe(job, source, target, into, stop, moved)
    target.execute(
        sql.SQL(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} ON CONFLICT ({}) DO {}"
        ).format(
            _leaf(job),
            columns,
            columns,
            _STAGE,
            sql.SQL(", ").join(map(sql.Identifier, job.table.key)),
            _update(job.table),
        )
    )
    return done


def _update(table: Table) -> sql.Composable:
    others = [column.name for column in table.written if column.name not in table.key]
    if not others:
        return sql.SQL("NOTHING")
    return sql.SQL("UPDATE SET ") + sql.SQL(", ").join(
        sql.SQL("{} = EXCLUDED.{}").format(sql.Identifier(name), sql.Identifier(name)) for name in others
    )


def _copy_count(job: Job, source: Session, target: Session) -> Piped:
    """Copy rows that have nothing to copy but that they are there."""
    query = sql.SQL("SELECT count(*) FROM ONLY {}{}").format(_leaf(job), _condition(job))
    row = source.execute(query).fetchone()
    count = int(row[0]) if row else 0
    target.execute(sql.SQL("INSERT INTO {} SELECT FROM generate_series(1, {})").format(_leaf(job), count))
    return Piped(count, 0)


def _leaf(job: Job) -> sql.Identifier:
    return sql.Identifier(job.range.leaf.schema, job.range.leaf.name)
