"""Following a source: bounded syncs, one after the other, until somebody stops it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from heavylift.errors import TransientError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import database_path
from heavylift.evidence.records import EvidenceRef, utc_now
from heavylift.evidence.store import open_evidence
from heavylift.evidence.table_records import SyncRecord
from heavylift.tables import wiring
from heavylift.tables.engine import Tell, Work, silent
from heavylift.tables.fences import acts as fences
from heavylift.tables.requests import TablesRequest
from heavylift.tables.working import in_thread

if TYPE_CHECKING:
    from heavylift.evidence.records import Finding

RECORD_EVERY = timedelta(minutes=5)
"""Rounds are kept as one record for so long: weeks of following must not make a file a second."""
_LONGEST_WAIT = 60.0
_MOST_FINDINGS = 100

_SUMS = (
    "transactions", "transactions_skipped", "inserts", "updates", "deletes", "truncates", "skipped",
    "batches", "batches_retried", "seconds",
)  # fmt: skip


async def _ignore(_record: SyncRecord, _ref: EvidenceRef) -> None:
    """Tell nobody of a record."""


@dataclass(frozen=True)
class Watching:
    """Who is told of what while a source is followed.

    :param tell: the progress within a round.
    :param round_done: each round that came to its end.
    :param kept: each record that was written to the evidence store, and its reference.
    :param trouble: each error that is waited out, and for how many seconds.
    """

    tell: Tell = silent
    round_done: Callable[[SyncRecord], None] = lambda _record: None
    kept: Callable[[SyncRecord, EvidenceRef], Awaitable[None]] = _ignore
    trouble: Callable[[TransientError, float], None] = lambda _error, _wait: None


async def follow_tables(
    request: TablesRequest,
    watching: Watching,
    *,
    pause_seconds: float = 2.0,
    for_seconds: float | None = None,
    until_idle: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Apply changes as they come.

    Transient errors are waited out, ever longer up to a minute; any other ends it. Cancelled, it
    keeps a record of what was applied since the last one, then leaves.

    :param pause_seconds: after a round that brought nothing.
    :param for_seconds: end after so long, when a round is done; None for never.
    :param until_idle: end after a round that brought nothing, and let transient errors rise: the
        caller waits in its own way.
    """
    book, ends = _Book(request, watching), None if for_seconds is None else clock() + for_seconds
    failures = 0
    try:
        while ends is None or clock() < ends:
            try:
                record = await in_thread(
                    lambda work: _round(request, work),
                    watching.tell,
                    late=lambda done: book.note(done),
                )
            except TransientError as error:
                if until_idle:
                    raise
                wait = min(2.0**failures, _LONGEST_WAIT)
                failures += 1
                watching.trouble(error, wait)
                await asyncio.sleep(wait)
                continue
            failures = 0
            await book.take(record)
            if not record.changes and record.caught_up:
                if until_idle:
                    break
                await asyncio.sleep(pause_seconds)
    finally:
        await book.keep()


def _round(request: TablesRequest, work: Work) -> SyncRecord:
    engine = wiring.engine_for(request)
    # A switch may have been made since the last round.
    fences.demand_direction(request)
    return engine.sync(request, work)


class _Book:
    """Collects rounds and keeps them as one record now and then."""

    def __init__(self, request: TablesRequest, watching: Watching) -> None:
        self._request = request
        self._watching = watching
        self._rounds: SyncRecord | None = None
        self._number = 0

    def note(self, record: SyncRecord) -> None:
        """Count a round, and tell of it."""
        self._rounds = record if self._rounds is None else merged([self._rounds, record])
        self._watching.round_done(record)

    async def take(self, record: SyncRecord) -> None:
        """Count a round, and keep what has been collected where it is time."""
        self.note(record)
        if self._rounds is None:
            return
        due = utc_now() - self._rounds.started_at >= RECORD_EVERY
        if due or record.schema_changes or record.findings:
            await self.keep()

    async def keep(self) -> None:
        """Write what has been collected; rounds that found nothing to do are worth no file."""
        record, self._rounds = self._rounds, None
        if record is None or not (record.changes or record.schema_changes or record.findings):
            return
        request = self._request
        async with open_evidence(request.evidence_url, request.evidence_connection) as store:
            self._number, ref = await write_next(
                store,
                lambda number: database_path(request.run, request.database, "sync", number),
                record,
                known=self._number,
            )
        await self._watching.kept(record, ref)


def merged(rounds: Sequence[SyncRecord]) -> SyncRecord:
    """Return one record of several rounds that followed each other."""
    first, last = rounds[0], rounds[-1]
    findings: tuple[Finding, ...] = tuple(finding for each in rounds for finding in each.findings)
    tables: dict[str, int] = {}
    for each in rounds:
        for table, changes in each.tables.items():
            tables[table] = tables.get(table, 0) + changes
    return last.model_copy(
        update={
            "started_at": first.started_at,
            "from_position": first.from_position,
            "schema_changes": tuple(change for each in rounds for change in each.schema_changes),
            "findings": findings[:_MOST_FINDINGS],
            "tables": tables,
            **{name: sum(getattr(each, name) for each in rounds) for name in _SUMS},
        }
    )
