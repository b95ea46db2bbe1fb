"""The hours of one copying task: asked before each object and between the parts of large ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from heavylift.errors import WindowClosedError
from heavylift.evidence.records import utc_now
from heavylift.objects.windows import Windows


class Hours:
    """Open from its making until the windows close; then closed for good, for a task goes on anew.

    :param clock: aware datetimes; injected in tests.
    """

    def __init__(self, windows: Windows, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._windows = windows
        self._clock = clock
        self._closes_at = windows.closes_at(clock())

    def closed(self) -> bool:
        """Tell whether nothing new may be begun."""
        return self._closes_at is not None and self._clock() >= self._closes_at

    def refusal(self, what: str, state: str) -> WindowClosedError:
        """Return the error of work that has to wait for the next opening.

        :param state: what is done and left.
        """
        opens_at = self._windows.next_open(self._clock()).isoformat()
        error = WindowClosedError(
            what,
            got="a closed time window",
            expected=f"one that is open, as from {opens_at}",
            state=state,
            remedy="wait, or change limits.windows",
            code="5070",
        )
        error.opens_at = opens_at
        return error
