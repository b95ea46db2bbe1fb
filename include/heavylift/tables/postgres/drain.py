"""The last run before a switch: everything up to one position, and proof that nothing came after it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from heavylift.evidence.records import utc_now
from heavylift.evidence.table_records import DrainRecord
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.pump import still_written
from heavylift.tables.postgres.sequences import copy_sequences
from heavylift.tables.postgres.state import read_tables
from heavylift.tables.postgres.sync import StreamRun, stream_run

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.requests import TablesRequest

HEADROOM = 1_000
"""Values that each sequence leaves out: a session of the source may have taken some that no row shows."""


def drain_changes(request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
    """Apply everything that is committed on the source now, and set the sequences ahead of it.

    To be called when nobody writes to the source any more; where somebody does, a finding says so.

    Idempotent: a second call drains what has come since; sequences are never set back.

    :param within_seconds: not reaching the position in this time is told by the record, not raised.
    """
    started, clock = utc_now(), time.monotonic()
    with stream_run(request, work) as run:
        upto = run.apply(within_seconds=within_seconds)
        sequences: dict[str, int] = {}
        run.tell_left_out()
        if run.tally.reached:
            _look_for_writers(run, within_seconds - (time.monotonic() - clock))
        if run.tally.reached:
            run.complete_schema(guards=True)
            run.demand_all_tables()
            sequences = _advance_sequences(run)
        return DrainRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            started_at=started,
            upto_position=lsn_to_text(upto),
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


def _advance_sequences(run: StreamRun) -> dict[str, int]:
    known = read_tables(run.sessions.control, run.request.stream)
    tables = [t for t in read_catalog(run.sessions.source, ("*.*",)) if t.name in known]
    with run.sessions.control.transaction():
        run.lease.demand(run.sessions.control)
        return copy_sequences(run.sessions.source, run.sessions.control, tables, HEADROOM)
