"""Keeps a board's index fresh while somebody looks at it, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from heavylift.board.index import BoardIndex

SHOWN_SECONDS = 5.0
"""How old a line on somebody's page may become before it is read again."""

SPECS_SECONDS = 15.0
"""How old the specs may become while somebody looks at the board."""

ALL_SECONDS = 60.0
"""How old any line may become while somebody looks at the board."""

IDLE_SECONDS = 90.0
"""How long after the last request the thread goes on."""


class Keeper:
    """Reads again what is shown, soon, and everything else, now and then; nothing while nobody looks."""

    def __init__(
        self,
        index: BoardIndex,
        *,
        shown_seconds: float = SHOWN_SECONDS,
        all_seconds: float = ALL_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._shown, self._all, self._idle = shown_seconds, all_seconds, idle_seconds
        self._clock = clock
        self._wanted: set[str] = set()
        self._asked_at = clock()
        self._specs_at: float | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def want(self, names: Iterable[str]) -> None:
        """Note what is being looked at; returns at once."""
        with self._lock:
            self._wanted.update(names)
            self._asked_at = self._clock()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heavylift-board", daemon=True)
                self._thread.start()
        self._wake.set()

    def turn(self) -> bool:
        """Read what is due; return whether anything was."""
        if self._specs_at is None or self._clock() - self._specs_at >= SPECS_SECONDS:
            self._index.read_specs()
            self._specs_at = self._clock()
        with self._lock:
            wanted, self._wanted = self._wanted, set()
        due = self._index.due(wanted, self._shown) or self._index.due(None, self._all)
        if due:
            self._index.refresh(due)
        return bool(due)

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if not self.turn():
                self._wake.wait(self._shown)
            with self._lock:
                if self._clock() - self._asked_at > self._idle:
                    self._thread = None
                    return
