"""Sessions that add rows to a table, and remember which the server has acknowledged and refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any


class FencedWriter:
    """Writes numbered rows in several sessions, a transaction each, until stopped.

    :param open_session: opens a session of the driver, in no transaction.
    :param is_refusal: tells whether an error is a fence's.
    """

    def __init__(
        self,
        open_session: Callable[[], AbstractContextManager[Any]],
        insert: Callable[[Any, int], None],
        is_refusal: Callable[[BaseException], bool],
        *,
        sessions: int = 4,
        begin: int = 0,
    ) -> None:
        self._open, self._insert, self._is_refusal = open_session, insert, is_refusal
        self._next = begin
        self._guard = threading.Lock()
        self._changed = threading.Condition(self._guard)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._live, daemon=True) for _ in range(sessions)]
        self.acknowledged: list[int] = []
        self.refused = 0
        self.unexpected: list[BaseException] = []

    def __enter__(self) -> FencedWriter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.unexpected, self.unexpected

    def wait_until(self, met: Callable[[], bool]) -> None:
        """Wait until something is so; anything unexpected ends the wait."""
        with self._changed:
            self._changed.wait_for(lambda: met() or bool(self.unexpected), timeout=60)
            assert met(), (len(self.acknowledged), self.refused, self.unexpected)

    def _live(self) -> None:
        try:
            with self._open() as session:
                while not self._stop.is_set():
                    self._once(session)
        except BaseException as error:
            with self._changed:
                self.unexpected.append(error)
                self._changed.notify_all()

    def _once(self, session: Any) -> None:
        with self._changed:
            number = self._next
            self._next += 1
        try:
            self._insert(session, number)
            session.commit()
        except Exception as error:
            session.rollback()
            if not self._is_refusal(error):
                raise
            with self._changed:
                self.refused += 1
                self._changed.notify_all()
        else:
            with self._changed:
                self.acknowledged.append(number)
                self._changed.notify_all()
