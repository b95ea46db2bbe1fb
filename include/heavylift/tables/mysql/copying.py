"""Copies one range of rows into the target, in one transaction together with the note that it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import quoted
from heavylift.tables.mysql.target import Job
from heavylift.tables.mysql.values import Mender, mended
from heavylift.tables.postgres.copy_text import copy_chunks
from heavylift.tables.postgres.ranges import note_range
from heavylift.tables.postgres.stopping import demand_going_on

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.pgoutput import Row
    from heavylift.tables.postgres.state import Lease

_FETCHED = 2_000
"""Rows that are fetched, mended and sent at once."""
_STAGE = sql.Identifier("pg_temp", "heavylift_stage")


def do_job(
    job: Job,
    source: MySession,
    *,
    target: Session,
    lease: Lease,
    position: int,
    stop: threading.Event,
    moved: Callable[[int, int], None],
) -> None:
    """Copy a job's rows and note them. Both sessions are closed by the caller where this fails.

    :param position: of the snapshot that ``source`` reads under.
    :param moved: is told rows and bytes, now and then.
    """
    target.execute("BEGIN")
    columns = sql.SQL(", ").join([sql.Identifier(each.source.name) for each in job.table.columns])
    into: sql.Composable = sql.Identifier(job.table.name.schema, job.table.name.name)
    place = into
    if job.merges:
        target.execute(
            sql.SQL(
                "CREATE TEMP TABLE heavylift_stage ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA"
            ).format(columns, into)
        )
        place = _STAGE
    rows = size = 0
    with target.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(place, columns)) as copy:
        for batch in _read(job, source):
            demand_going_on(stop)
            sent = 0
            for chunk in copy_chunks(batch):
                copy.write(chunk)
                sent += len(chunk)
            rows, size = rows + len(batch), size + sent
            moved(len(batch), sent)
    if job.merges:
        target.execute(_merge(job.table, into, columns))
    note_range(
        target, lease.stream, job.table.name, job.range.number, snapshot=position, rows=rows, size_bytes=size
    )
    lease.demand(target)
    target.execute("COMMIT")


def _read(job: Job, source: MySession) -> Iterator[list[Row]]:
    from pymysql.cursors import SSCursor

    condition = job.range.condition(job.table)
    # Names are quoted, and everything else is the module's own.
    expressions = ", ".join(each.reading for each in job.table.columns)
    name = quoted(job.table.name.schema, job.table.name.name)
    query = f"SELECT {expressions} FROM {name}{condition}"
    places = Mender(job.table.name, job.table.columns, job.zero_dates).places()
    with source.cursor(SSCursor) as cursor:
        cursor.execute(query)
        while batch := cursor.fetchmany(_FETCHED):
            yield mended(batch, places)


def _merge(table: SourceTable, into: sql.Composable, columns: sql.Composed) -> sql.Composed:
    others = [each.source.name for each in table.columns if each.source.name not in table.table.key]
    sets = sql.SQL(", ").join([sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in others])
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT ({}) DO {}").format(
        into,
        columns,
        columns,
        _STAGE,
        sql.SQL(", ").join([sql.Identifier(name) for name in table.table.key]),
        sql.SQL("UPDATE SET ") + sets if others else sql.SQL("NOTHING"),
    )
