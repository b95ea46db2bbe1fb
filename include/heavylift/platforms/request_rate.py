"""A cap on requests a second: the same token bucket as the pacing of bytes, counted in requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

BURST_SECONDS = 0.1


class RequestRate:
    """Lets ``per_second`` requests pass on average, in the order in which they ask.

    A burst is the requests of a tenth of a second, one at least: stores count in short intervals,
    and a burst is what they refuse. A caller that is cancelled while it waits has used its turn.

    :param per_second: None means no limit.
    :param clock: monotonic seconds; injected in tests.
    """

    def __init__(
        self, per_second: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._burst = max(0.0, BURST_SECONDS - self._interval)
        self._clock = clock
        self._free_at = clock()

    def delay(self) -> float:
        """Book one request and return how many seconds to wait before sending it."""
        if not self._interval:
            return 0.0
        now = self._clock()
        begins = max(self._free_at, now - self._burst)
        self._free_at = begins + self._interval
        return max(0.0, begins - now)

    async def take(self) -> None:
        """Wait until one request may be sent."""
        seconds = self.delay()
        if seconds > 0:
            await asyncio.sleep(seconds)
