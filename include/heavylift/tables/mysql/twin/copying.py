"""Copies one range of rows into a MySQL target, in one transaction with the note that it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from heavylift.tables.mysql.connect import execute, quoted
from heavylift.tables.mysql.twin import state
from heavylift.tables.mysql.twin.session import most_bytes, transaction
from heavylift.tables.mysql.twin.writing import writer
from heavylift.tables.postgres.stopping import demand_going_on

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.mysql.target import Job
    from heavylift.tables.postgres.pgoutput import Row
    from heavylift.tables.postgres.state import Lease

_FETCHED = 2_000
"""Rows that are fetched and sent at once."""


def copy_range(
    job: Job,
    source: Session,
    *,
    target: Session,
    lease: Lease,
    position: int,
    stop: threading.Event,
    moved: Callable[[int, int], None],
) -> None:
    """Copy a job's rows and note them; see :class:`heavylift.tables.mysql.target.Copies`."""
    columns = [each.source.name for each in job.table.columns if not each.column.generated]
    into = writer(target, job.table, columns, most_bytes(target))
    rows = size = 0
    with transaction(target):
        for batch in _read(job, source):
            demand_going_on(stop)
            sent = into.insert(batch, merge=job.merges)
            rows, size = rows + len(batch), size + sent
            moved(len(batch), sent)
        state.note_range(
            target,
            lease.stream,
            job.table.name,
            job.range.number,
            snapshot=position,
            rows=rows,
            size_bytes=size,
        )
        state.demand(target, lease)


def _read(job: Job, source: Session) -> Iterator[list[Row]]:
    from pymysql.cursors import SSCursor

    # Texts come as the bytes that their column holds, in whatever character set.
    execute(source, "SET character_set_results = NULL")
    condition = job.range.condition(job.table)
    # Names are quoted, and everything else is the module's own.
    expressions = ", ".join(each.reading for each in job.table.columns if not each.column.generated)
    query = f"SELECT {expressions} FROM {quoted(job.table.name.schema, job.table.name.name)}{condition}"
    with source.cursor(SSCursor) as cursor:
        cursor.execute(query)
        while batch := cursor.fetchmany(_FETCHED):
            yield batch
