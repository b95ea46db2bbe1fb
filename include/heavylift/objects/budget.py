"""A budget of bytes: bounds what all transfers of one task hold in memory together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MemoryBudget:
    """Lends bytes, first come, first served, so that a large request is never starved.

    :param total_bytes: a request for more than this is lent all of it.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._free = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def lend(self, size_bytes: int) -> AsyncIterator[None]:
        """Hold ``size_bytes`` for the length of the block."""
        taken = await self.take(size_bytes)
        try:
            yield
        finally:
            self.give_back(taken)

    async def take(self, size_bytes: int) -> int:
        """Wait for ``size_bytes`` and return how many were taken, to be given back."""
        wanted = min(size_bytes, self._total)
        if self._waiting or wanted > self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((wanted, turn))
            try:
                await turn
            except asyncio.CancelledError:
                self._withdraw(wanted, turn)
                raise
        else:
            self._free -= wanted
        return wanted

    def _withdraw(self, wanted: int, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.give_back(wanted)
        else:
            self._waiting = deque(entry for entry in self._waiting if entry[1] is not turn)
            self._wake()

    def give_back(self, size_bytes: int) -> None:
        """Return bytes that were taken."""
        self._free += size_bytes
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)
