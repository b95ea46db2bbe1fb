"""Whether one more process would find a processor to run on, by what was used of them lately.

Where the processors are taken, by a store on the same machine or by other work, another process does no
more: it takes turns with the first, and costs memory and time (docs/adr/0009-processes-of-a-command.md).
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_SECONDS = 0.1
BUSY_OVER_SECONDS = 0.2
IDLE_OVER_SECONDS = 2.0
"""Longer than for a busy process: while a store makes room for a new bucket, processors lie idle as well."""
BUSY_SHARE = 0.8
"""Of one processor; a process that takes so much is itself what holds it up, not those it waits for."""
IDLE_SHARE = 0.5
"""Of one processor, of all that may be used."""


@dataclass(frozen=True)
class Look:
    """What processors have done so far.

    :param at: seconds of a steady clock.
    :param idle: seconds in which processors that may be used had nothing to run.
    :param used: processor seconds of each process, by its id.
    """

    at: float
    idle: float
    used: Mapping[int, float]


def look(pids: Iterable[int]) -> Look:
    """Read Linux' account of its processors and of some processes; one that has ended is left out.

    Source: proc_stat(5) and proc_pid_stat(5).
    """
    return Look(
        time.monotonic(), _idle_seconds(), {pid: used for pid in pids if (used := _used(pid)) is not None}
    )


def _idle_seconds() -> float:
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *figures = line.split()
        if name in mine:
            # Also what waits for a disk has left its processor to others.
            ticks += int(figures[3]) + int(figures[4])
    return ticks / os.sysconf("SC_CLK_TCK")


def _used(pid: int) -> float | None:
    with suppress(OSError):
        # The name before it, in brackets, may hold anything.
        figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")
    return None


class Room:
    """Remembers some looks at a set of processes, and forgets them when another one joins or leaves."""

    def __init__(self, look: Callable[[Iterable[int]], Look] = look) -> None:
        self._look = look
        self._looks: deque[Look] = deque()

    def for_another(self, pids: Sequence[int]) -> bool:
        """Return whether a process besides ``pids`` would find a processor; False until enough was seen."""
        now = self._look(pids)
        if self._looks and self._looks[-1].used.keys() != now.used.keys():
            self._looks.clear()
        self._looks.append(now)
        while len(self._looks) > 1 and self._looks[1].at <= now.at - IDLE_OVER_SECONDS:
            self._looks.popleft()
        return _all_busy(self._since(BUSY_OVER_SECONDS), now) or _idle(self._since(IDLE_OVER_SECONDS), now)

    def _since(self, seconds: float) -> Look | None:
        """Return the latest look that is at least so old."""
        latest = self._looks[-1].at
        return next((each for each in reversed(self._looks) if each.at <= latest - seconds), None)


def _all_busy(then: Look | None, now: Look) -> bool:
    if then is None:
        return False
    least = BUSY_SHARE * (now.at - then.at)
    return all(used - then.used[pid] >= least for pid, used in now.used.items())


def _idle(then: Look | None, now: Look) -> bool:
    return then is not None and now.idle - then.idle >= IDLE_SHARE * (now.at - then.at)
