"""Sessions that write where a route leads them, and a ledger of what was acknowledged to them.

Each writes rows with keys of its own, one transaction a row. What a server refuses or leaves unanswered is
written again until it is acknowledged, as an application with a queue does; so in the end every row of the
ledger must be there once, and no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import LiteralString

import psycopg

from heavylift.connections import Connection
from heavylift.errors import ServerUnavailableError
from heavylift.tables.postgres.connect import connect

_TRIED_AGAIN = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    ServerUnavailableError,
)
"""What an application tries again: a server that goes away, or takes no writes now."""


class AcknowledgedWriter:
    """Writes until it is stopped.

    :param where: the connection to write to now.
    :param insert: inserts the row with a number, which the table must take once only; where it is there
        already, from a try that was not answered, it must not fail.
    :param pause: seconds that a session waits after each row.
    """

    def __init__(
        self,
        where: Callable[[], Connection],
        insert: LiteralString,
        *,
        sessions: int = 3,
        begin: int = 0,
        pause: float = 0.001,
    ) -> None:
        self._where = where
        self._insert, self._begin, self._pause = insert, begin, pause
        self._stop = threading.Event()
        self._ledgers: list[list[int]] = [[] for _ in range(sessions)]
        self.longest_pause = 0.0
        self.refused = 0
        self.broken: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._live, args=(number, sessions), daemon=True)
            for number in range(sessions)
        ]

    def __enter__(self) -> AcknowledgedWriter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all sessions, each after a row that was acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def acknowledged(self) -> list[int]:
        """The ids of all rows that were acknowledged, sorted."""
        return sorted(number for ledger in self._ledgers for number in ledger)

    def wait_for(self, more: int) -> None:
        """Wait until so many more rows were acknowledged, or a session has broken."""
        wanted = len(self.acknowledged) + more
        while len(self.acknowledged) < wanted and not self.broken:
            self._stop.wait(0.01)

    def _live(self, number: int, sessions: int) -> None:
        try:
            self._write(number, sessions)
        except BaseException as error:
            self.broken.append(error)
            raise

    def _write(self, number: int, sessions: int) -> None:
        session: psycopg.Connection | None = None
        at, ledger = self._begin + number, self._ledgers[number]
        last = time.monotonic()
        while not self._stop.is_set() or session is None:
            try:
                session = session or connect(self._where(), "writer")
                session.execute(self._insert, [at])
            except _TRIED_AGAIN:
                self.refused += 1
                with suppress(psycopg.Error):
                    if session is not None:
                        session.close()
                session = None
                if self._stop.wait(0.005):
                    return
                continue
            ledger.append(at)
            at += sessions
            self.longest_pause = max(self.longest_pause, time.monotonic() - last)
            last = time.monotonic()
            self._stop.wait(self._pause)
        session.close()
