"""Copies ranges in parallel: a thread for each pair of sessions."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.tables.engine import TablesProgress, Work
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.moment import Moment
from heavylift.tables.mysql.target import Job, Product

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.postgres.state import Lease

_STATE = "ranges that were finished are noted on the target and stay"
_TELL_SECONDS = 2.0


@dataclass
class Pool:
    """Does jobs under one moment of the source.

    :param rows_total: an estimate, for the time left; None where there is none.
    """

    moment: Moment
    product: Product
    target: Connection
    lease: Lease
    work: Work
    rows_total: int | None = None
    _rows: int = 0
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _halt: threading.Event = field(default_factory=threading.Event)
    _told: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def run(self, jobs: Sequence[Job], arrived: Callable[[Job], None]) -> None:
        """Do all jobs; the first failure ends all.

        :param arrived: called after each, in the thread that did it.
        """
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        with ThreadPoolExecutor(len(self.moment.sessions), thread_name_prefix="copy") as threads:
            futures = [threads.submit(self._serve, each, waiting, arrived) for each in self.moment.sessions]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                self._halt.set()
        failed = [error for error in (future.exception() for future in futures) if error is not None]
        if failed:
            # What the first one's end made the others do is no news.
            raise next((error for error in failed if getattr(error, "code", "") != "6112"), failed[0])

    def _serve(
        self, source: MySession, waiting: queue.SimpleQueue[Job], arrived: Callable[[Job], None]
    ) -> None:
        with (
            self.product.told_as("copying tables", _STATE),
            told_as_mysql("copying tables", _STATE),
            self.product.copier(self.target) as copy,
        ):
            while not self._halt.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                copy(
                    job,
                    source,
                    lease=self.lease,
                    position=self.moment.place.number,
                    stop=self._stop(),
                    moved=self._moved,
                )
                arrived(job)

    def _stop(self) -> threading.Event:
        return self.work.stop if not self._halt.is_set() else self._halt

    def _moved(self, rows: int, size: int) -> None:
        with self._lock:
            self._rows += rows
            self._bytes += size
            now = time.monotonic()
            if now - self._told < _TELL_SECONDS:
                return
            self._told = now
        rate = self._rows / max(now - self._began, 0.001)
        left = None if not self.rows_total else max(0.0, (self.rows_total - self._rows) / max(rate, 0.001))
        self.work.tell(
            TablesProgress(
                step="copy",
                rows_done=self._rows,
                rows_total=self.rows_total,
                bytes_done=self._bytes,
                rows_per_second=rate,
                seconds_left=left,
            )
        )
