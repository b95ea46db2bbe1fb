"""Pacing: a token bucket that holds a mover to a bandwidth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Pacer:
    """Lets ``bytes_per_second`` pass on average, with a quarter second's burst.

    Shared by all transfers of one process.

    :param bytes_per_second: None means no limit.
    :param clock: monotonic seconds; injected in tests.
    """

    def __init__(
        self, bytes_per_second: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._free_at = clock()

    @property
    def holds_back(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._rate)

    def delay(self, size_bytes: int) -> float:
        """Book ``size_bytes`` and return how many seconds to wait before sending them."""
        if not self._rate:
            return 0.0
        now = self._clock()
        self._free_at = max(self._free_at, now - 0.25) + size_bytes / self._rate
        return max(0.0, self._free_at - now)

    async def take(self, size_bytes: int) -> None:
        """Wait until ``size_bytes`` may pass."""
        seconds = self.delay(size_bytes)
        if seconds > 0:
            await asyncio.sleep(seconds)
