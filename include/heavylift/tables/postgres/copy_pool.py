"""Copies many ranges at once: threads that share one snapshot of the source."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import errors, sql

from heavylift.errors import TransientError
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import holders
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.copy_job import Job, do_job
from heavylift.tables.postgres.copy_progress import Counting, SnapshotProgress
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.quiet import quieten
from heavylift.tables.postgres.stopping import demand_going_on

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.state import Lease
    from heavylift.tables.requests import TablesRequest

LOCK_PATIENCE = "60s"
"""How long a table that somebody else has locked is waited for."""
_LOCKED_AT_ONCE = 200
_TELL_EVERY = 2.0

Finish = Callable[["Session", Table], None]
"""Notes a table as complete, in a transaction of its own."""


@contextmanager
def shared_snapshot(
    source: Connection, snapshot: str, tables: Sequence[Table]
) -> Iterator[tuple[Session, str]]:
    """Take over a snapshot, lock its tables against rewrites, and hand it on for the block.

    The tables are locked as ``pg_dump`` locks them: everybody may read and write them, nobody may truncate,
    rewrite or change them until the copy has ended.

    :return: the session that holds it all, and the snapshot's name for others.
    """
    with connect(source, "snapshot", autocommit=True) as session:
        session.execute(f"SET lock_timeout = '{LOCK_PATIENCE}'".encode())
        take_over(session, snapshot)
        for first in range(0, len(tables), _LOCKED_AT_ONCE):
            _lock(session, tables[first : first + _LOCKED_AT_ONCE])
        row = session.execute("SELECT pg_export_snapshot()").fetchone()
        yield session, str(row[0]) if row else ""


def take_over(session: Session, snapshot: str) -> None:
    """Begin a transaction that sees exactly what a snapshot shows, and can change nothing."""
    # With row security on, rows that the role may not see would be left out without a word.
    session.execute("SET row_security = off")
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
    except (errors.InvalidParameterValue, errors.UndefinedObject, errors.UndefinedFile) as error:
        raise _snapshot_gone() from error


def _snapshot_gone() -> TransientError:
    return TransientError(
        "taking over the source's snapshot",
        got="a snapshot that is gone with the session that held it",
        expected="a session that stays until all rows are copied",
        state="ranges that were finished are noted and stay",
        remedy="run this again: what is left is copied under a later snapshot",
        code="6147",
    )


def _lock(session: Session, tables: Sequence[Table]) -> None:
    names: list[sql.Composable] = []
    for table in tables:
        only = sql.SQL("") if table.partitioned else sql.SQL("ONLY ")
        names.append(only + sql.Identifier(table.name.schema, table.name.name))
    if names:
        session.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(names)))


class Pool:
    """The threads of one snapshot, and what they have still to do.

    :param position: the snapshot's position in the source's log.
    :param finish: is called by the thread that has copied the last of a table's ranges.
    """

    def __init__(
        self,
        request: TablesRequest,
        lease: Lease,
        *,
        snapshot: str,
        position: int,
        finish: Finish,
        counting: Counting,
    ) -> None:
        self._request, self._lease = request, lease
        self._snapshot, self._position = snapshot, position
        self._finish, self._counting = finish, counting
        self._jobs: deque[Job] = deque()
        self._left: Counter[TableName] = Counter()
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._failure: BaseException | None = None

    def run(
        self, jobs: Sequence[Job], stop: threading.Event, tell: Callable[[SnapshotProgress], None]
    ) -> None:
        """Do all jobs, the largest tables first; the first error ends all threads.

        :raises HeavyliftError: the first error; what was committed stays.
        """
        # A large table that began last would keep one thread busy while the others have nothing left.
        self._jobs.extend(sorted(jobs, key=lambda job: -job.table.size_bytes))
        self._left.update(job.table.name for job in jobs)
        count = min(self._request.options.parallel_ranges, len(jobs))
        threads = [threading.Thread(target=self._work, name=f"heavylift-copy-{n}") for n in range(count)]
        for thread in threads:
            thread.start()
        if threads:
            self._watch(threads, stop, tell)
        if self._failure is not None:
            raise self._failure
        demand_going_on(stop)

    def _watch(
        self,
        threads: Sequence[threading.Thread],
        stop: threading.Event,
        tell: Callable[[SnapshotProgress], None],
    ) -> None:
        try:
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(_TELL_EVERY / len(threads) if not stop.is_set() else 0.1)
                    if stop.is_set():
                        self._halt.set()
                tell(self._counting.look("copying"))
        finally:
            # An interrupt of the waiting thread ends the others too.
            self._halt.set()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        try:
            with told_as("copying rows", "ranges that were finished are noted and stay"):
                self._work_on()
        except BaseException as error:  # noqa: BLE001 - the thread that waits raises it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None and not self._halt.is_set():
                self._failure = error
            self._halt.set()

    def _work_on(self) -> None:
        source = connect(self._request.source.connection, "snapshot")
        try:
            target = connect(self._request.target.connection, "snapshot")
            try:
                take_over(source, self._snapshot)
                quieten(target)
                # Rows and the note of them are lost together in a crash of the target, so neither need
                # wait for its disk; the commit that ends the snapshot waits for all of them.
                target.execute("SET synchronous_commit = off")
                while (job := self._next()) is not None:
                    self._do(job, source, target)
            finally:
                target.close()
        finally:
            source.close()

    def _do(self, job: Job, source: Session, target: Session) -> None:
        done = do_job(
            job,
            source,
            target,
            lease=self._lease,
            snapshot=self._position,
            stop=self._halt,
            moved=self._counting.moved,
        )
        self._counting.range_done(done.rows)
        with self._lock:
            self._left[job.table.name] -= 1
            complete = self._left[job.table.name] == 0
        if complete:
            self._finish(target, job.table)
            self._counting.table_done()

    def _next(self) -> Job | None:
        with self._lock:
            return self._jobs.popleft() if self._jobs and not self._halt.is_set() else None


def empty(target: Session, tables: Sequence[Table]) -> None:
    """Empty the target's tables, to be copied anew; within the caller's transaction."""
    leaves = [name for table in tables for name in holders(table)]
    names = [sql.SQL("ONLY ") + sql.Identifier(name.schema, name.name) for name in leaves]
    if names:
        target.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))
