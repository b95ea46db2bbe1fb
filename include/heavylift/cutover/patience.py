"""Trying again for a while what a server did not answer, where giving up would keep writes paused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from heavylift.errors import TransientError

ResultT = TypeVar("ResultT")

PATIENCE_SECONDS = 60.0
"""A server that starts again, or a leader that is elected, answers within that."""
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0


async def patiently(act: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do ``act``, which must be idempotent, again and again while it fails for a time.

    :raises TransientError: it has failed for :data:`PATIENCE_SECONDS`.
    """
    loop = asyncio.get_running_loop()
    end, wait = loop.time() + PATIENCE_SECONDS, _FIRST_WAIT
    while True:
        try:
            return await act()
        except TransientError:
            if loop.time() + wait > end:
                raise
        await asyncio.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT)
