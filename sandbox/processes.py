"""Finding and ending processes without ever touching somebody else's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]

MARK = "HEAVYLIFT_SANDBOX_ID"

# psutil derives the start time from the clock; a clock step must not disown our process.
_CLOCK_SLACK = 2.0
_POLL = 0.05


@dataclass(frozen=True)
class Ident:
    """A process that stays the same one even if its number is used again.

    :param created: start time, seconds since the epoch.
    """

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Ident | None:
        """Return the identity of a running process, or None."""
        try:
            return cls(pid, float(psutil.Process(pid).create_time()))
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        """Whether the process still runs; one that only waits to be reaped does not."""
        return self._process() is not None

    def command(self) -> list[str]:
        """Return the command line, empty where the process is gone or hides it."""
        process = self._process()
        try:
            return list(process.cmdline()) if process else []
        except psutil.Error:
            return []

    def family(self) -> list[Ident]:
        """Return the process and all that descend from it, if it still runs."""
        process = self._process()
        if process is None:
            return []
        return [self, *descendants(self.pid)]

    def send(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        process = self._process()
        try:
            if process is not None:
                process.send_signal(number)
        except psutil.Error:
            return

    def _process(self) -> Any:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def descendants(pid: int) -> list[Ident]:
    """Return what descends from a process; nothing where it is gone."""
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    idents = (Ident.of(process.pid) for process in found)
    return [ident for ident in idents if ident is not None]


def marked(sandbox: str) -> list[Ident]:
    """Return every other process whose environment carries this sandbox's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == sandbox:
                found.append(Ident(process.pid, float(process.create_time())))
        except (psutil.Error, OSError):
            continue  # somebody else's process, or one that has just ended
    return running(found)


def running(idents: Iterable[Ident]) -> list[Ident]:
    """Return those that still run."""
    return [ident for ident in idents if ident.alive]


def wait_gone(idents: Sequence[Ident], seconds: float) -> list[Ident]:
    """Wait until the processes have ended; return those still running at the deadline."""
    deadline = time.monotonic() + seconds
    left = running(idents)
    while left and time.monotonic() < deadline:
        time.sleep(_POLL)
        left = running(left)
    return left


def end(idents: Sequence[Ident], grace: float, number: int = signal.SIGTERM) -> list[int]:
    """End processes: a signal, then SIGKILL after the grace; return pids that needed SIGKILL."""
    for ident in idents:
        ident.send(number)
    stubborn = wait_gone(idents, grace)
    for ident in stubborn:
        ident.send(signal.SIGKILL)
    wait_gone(stubborn, 5.0)
    return [ident.pid for ident in stubborn]
