"""Finding and ending processes without ever touching somebody else's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

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
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs and is still this one."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process() is not None


def marked(sandbox: str) -> list[psutil.Process]:
    """Return every other process whose environment carries this sandbox's mark."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.environ().get(MARK) == sandbox and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # somebody else's process, or one that has just ended
    return found


def running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run."""
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.Error:
            continue
    return alive


def send(processes: Iterable[psutil.Process], number: int) -> None:
    """Send a signal; processes that are gone already are passed over."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue


def wait_gone(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended; return those still running at the deadline."""
    deadline = time.monotonic() + seconds
    left = running(processes)
    while left and time.monotonic() < deadline:
        time.sleep(_POLL)
        left = running(left)
    return left


def end(processes: Sequence[psutil.Process], grace: float, number: int = signal.SIGTERM) -> list[int]:
    """End processes: a signal, then SIGKILL after the grace; return pids that needed SIGKILL."""
    send(processes, number)
    stubborn = wait_gone(processes, grace)
    send(stubborn, signal.SIGKILL)
    wait_gone(stubborn, 5.0)
    return [process.pid for process in stubborn]
