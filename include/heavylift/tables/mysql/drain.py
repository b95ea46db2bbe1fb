"""The last run before a switch: everything up to one position, and the numbering of rows ahead of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from heavylift.evidence.records import utc_now
from heavylift.evidence.table_records import DrainRecord
from heavylift.tables.mysql.connect import one, quoted
from heavylift.tables.mysql.sync import StreamRun, stream_run
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.pump import still_written

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.mysql.catalog import SourceTable
    from heavylift.tables.mysql.target import Product
    from heavylift.tables.requests import TablesRequest


def drain_changes(
    request: TablesRequest, work: Work, product: Product, *, within_seconds: float
) -> DrainRecord:
    """Apply everything that is committed on the source now, and number new rows ahead of its own.

    To be called when nobody writes to the source any more; where somebody does, a finding says so.
    Idempotent.

    :param within_seconds: not reaching the position in this time is told by the record, not raised.
    """
    started, clock = utc_now(), time.monotonic()
    with stream_run(request, work, product) as run:
        run.take_in_new_tables()
        upto = run.apply(within_seconds=within_seconds)
        sequences: dict[str, int] = {}
        if run.tally.reached:
            _look_for_writers(run, within_seconds - (time.monotonic() - clock))
        if run.tally.reached:
            run.complete_schema()
            sequences = _advance(run)
            run.findings += run.control.switch_on(run.lease)
        return DrainRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            started_at=started,
            upto_position=lsn_to_text(upto.number),
            applied_position=lsn_to_text(run.tally.applied),
            reached=run.tally.reached,
            sequences=sequences,
            seconds=time.monotonic() - clock,
            findings=tuple(run.findings),
        )


def _look_for_writers(run: StreamRun, seconds_left: float) -> None:
    """Apply once more what has come meanwhile: there should be nothing."""
    before = run.tally.kinds.total()
    run.apply(within_seconds=max(seconds_left, 1.0))
    changes = run.tally.kinds.total() - before
    if changes:
        run.findings.append(still_written(run.request.database, changes))


def _advance(run: StreamRun) -> dict[str, int]:
    known = run.control.tables(run.request.stream)
    done = {}
    with run.control.transaction():
        run.control.demand(run.lease)
        for name, table in run.catalog().items():
            if name in known and table.automatic:
                sequence, value = run.control.advance_numbering(table, _highest(run, table))
                done[sequence] = value
    return done


def _highest(run: StreamRun, table: SourceTable) -> int:
    # Names are quoted.
    query = f"SELECT MAX({quoted(table.automatic)}) FROM {quoted(table.name.schema, table.name.name)}"
    return max(int(one(run.source, query) or 0), table.next_number - 1, 0)
