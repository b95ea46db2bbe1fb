"""Asking again and again until something is so: often at first, then less and less."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
_GROWTH = 1.5


def until(
    ask: Callable[[], Answer],
    *,
    seconds: float,
    longest: float = LONGEST_PAUSE,
    stopped: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Return the first true answer, or the last one where none came in time.

    It is asked at least once, and once more when the time is up, so that a late answer counts.

    :param seconds: how long to go on asking.
    :param longest: the longest pause between two questions, in seconds.
    :param stopped: set by another thread when there is no more use in waiting.
    :param clock: seconds that only grow.
    """
    event = stopped or threading.Event()
    end = clock() + seconds
    pause = min(FIRST_PAUSE, longest)
    while True:
        late = clock() >= end or event.is_set()
        answer = ask()
        if answer or late:
            return answer
        event.wait(max(0.0, min(pause, end - clock())))
        pause = min(pause * _GROWTH, longest)
