"""Ending early and cleanly, when the caller wants it."""

from __future__ import annotations

import threading

from heavylift.errors import TransientError


def demand_going_on(stop: threading.Event | None) -> None:
    """Leave where the caller has asked to stop.

    :raises TransientError: it has; everything that is committed stays, and another run goes on from there.
    """
    if stop is None or not stop.is_set():
        return
    raise TransientError(
        "copying tables",
        got="the wish to stop",
        expected="to go on",
        state="what was finished is noted on the target and will not be copied again",
        remedy="run the same thing again",
        code="6112",
    )
