"""Sessions of a verification: read-only, lent one at a time, and cut short when told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.connections import Connection
from heavylift.errors import TransientError
from heavylift.tables.postgres.connect import connect, where
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.verify.plan import SideName
from heavylift.tables.verify.side import Side

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

STATE = "nothing was changed on either side"

_TUNED = (
    # Many small rows come out of the workers, which computed the digests; the planner would rather have
    # the leader compute them all.
    "SET parallel_tuple_cost = 0; SET parallel_setup_cost = 100;"
    # Compiling pays for nothing here: the time goes into output functions.
    "SET jit = off;"
    # All rows of a cursor will be fetched.
    "SET cursor_tuple_fraction = 1;"
    # Rows that a policy would hide are refused, so that nobody takes a part for the whole.
    "SET row_security = off;"
)
_CANCEL_SECONDS = 5.0


@dataclass
class Sessions:
    """Opens sessions on one side, each in a read-only transaction, and cancels what they run.

    :param snapshot: a snapshot exported by a transaction that stays open: all sessions see that state.
        Without one, each question is answered as of the moment in which it is asked.
    """

    name: SideName
    connection: Connection
    snapshot: str | None = None
    _idle: list[Session] = field(default_factory=list)
    _lent: set[Session] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lend a session in a transaction; afterwards it is kept for the next question.

        :raises TransientError: told to stop.
        :raises ServerUnavailableError: the session was lost; nothing is left behind.
        """
        with self._told():
            session = self._take()
            try:
                self._begin(session)
                yield session
                if not self.snapshot:
                    session.execute("ROLLBACK")
            except BaseException:
                self._end(session)
                raise
            with self._lock:
                self._lent.discard(session)
                self._idle.append(session)

    def close(self) -> None:
        """Close the sessions that are not lent."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def stop(self) -> None:
        """Cancel what runs; every later use says that it was told to stop."""
        with self._lock:
            self._stopped = True
            lent = list(self._lent)
        for session in lent:
            _cancel(session)

    def stopped(self) -> TransientError:
        """Return the error that says so."""
        return TransientError(
            f"comparing tables on {where(self.connection)}",
            got="a request to stop",
            expected="time to finish",
            state=STATE,
            remedy="run the verification again; it begins anew",
            code="6200",
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with told_as(f"comparing tables on {where(self.connection)}", STATE):
                yield
        except Exception as error:
            if self._stopped and not isinstance(error, TransientError):
                raise self.stopped() from error
            raise

    def _take(self) -> Session:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        session = kept or connect(self.connection, "verify")
        with self._lock:
            if not self._stopped:
                self._lent.add(session)
                return session
        session.close()
        raise self.stopped()

    def _end(self, session: Session) -> None:
        with self._lock:
            self._lent.discard(session)
        session.close()

    def _begin(self, session: Session) -> None:
        from psycopg.pq import TransactionStatus

        if session.info.transaction_status is not TransactionStatus.IDLE:
            return  # kept, within the snapshot
        session.execute(_TUNED + "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if self.snapshot:
            session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.snapshot)))


def _cancel(session: Session) -> None:
    import psycopg

    try:
        session.cancel_safe(timeout=_CANCEL_SECONDS)
    except psycopg.Error:
        # It ended by itself, or its server is gone: either way it runs nothing any more.
        return


@contextmanager
def stopping(stop: threading.Event, *sides: Side) -> Iterator[None]:
    """Cancel the sessions of all sides as soon as ``stop`` is set within the block."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if stop.wait(0.1):
                for side in sides:
                    side.stop()
                # A statement that was about to begin missed the first call.
                ended.wait(0.5)

    watcher = threading.Thread(target=watch, name="verify-stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
