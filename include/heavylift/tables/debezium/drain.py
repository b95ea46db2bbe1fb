"""The last run before a switch: every record that the topics hold, and the numbering of rows ahead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from heavylift.evidence.records import utc_now
from heavylift.evidence.table_records import DrainRecord
from heavylift.tables.debezium.sync import StreamRun, stream_run
from heavylift.tables.postgres.drain import HEADROOM
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.preflight_common import of, rows, warning
from heavylift.tables.postgres.sequences import advance_past_rows
from heavylift.tables.postgres.state import read_tables

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.requests import TablesRequest

_NUMBERED = """
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_get_serial_sequence(%s, a.attname) IS NOT NULL
"""


def drain_changes(request: TablesRequest, work: Work, *, within_seconds: float) -> DrainRecord:
    """Apply everything that the topics hold now, and number new rows ahead of those that came.

    To be called when nobody writes to the source any more and the connector is in step with it, which no
    topic tells: a finding says so. Idempotent.

    :param within_seconds: not reaching the topics' ends in this time is told by the record, not raised.
    """
    started, clock = utc_now(), time.monotonic()
    with stream_run(request, work) as run:
        upto = run.apply(within_seconds=within_seconds)
        sequences = _advance(run) if run.tally.reached else {}
        unproved = warning(
            "connector-position", "source",
            "everything in the topics is applied; whether the connector had read everything that the source"
            " committed is told by no topic",
            "look at the connector's lag (MilliSecondsBehindSource) before the drain, and compare both sides"
            " after it: heavylift tables verify --frozen",
        )  # fmt: skip
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
            findings=(unproved, *run.findings()),
        )


def _advance(run: StreamRun) -> dict[str, int]:
    done: dict[str, int] = {}
    with run.control.transaction():
        run.lease.demand(run.control)
        for table in read_tables(run.control, run.request.stream):
            name = of(table)
            for (column,) in rows(run.control, _NUMBERED, [name, name]):
                sequence, value = advance_past_rows(run.control, table, column, HEADROOM)
                done[sequence] = value
    return done
