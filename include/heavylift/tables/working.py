"""Runs an engine, which blocks, beside the event loop, so that it can be stopped and watched."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from heavylift.tables.engine import TablesProgress, Tell, Work

T = TypeVar("T")


async def in_thread(act: Callable[[Work], T], tell: Tell, *, late: Callable[[T], None] | None = None) -> T:
    """Run ``act`` in a thread and return what it returns.

    Cancelled, it asks the thread to stop and waits until it has left: whoever comes next finds
    nobody at work any more.

    :param tell: is called on the event loop, never from the thread.
    :param late: takes what the thread returned although it had been asked to stop: that was done, too.
    """
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def relay(progress: TablesProgress) -> None:
        loop.call_soon_threadsafe(tell, progress)

    running = asyncio.ensure_future(asyncio.to_thread(act, Work(stop, relay)))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await _until_left(running)
        if late is not None and not running.cancelled() and running.exception() is None:
            late(running.result())
        raise


async def _until_left(running: asyncio.Future[T]) -> None:
    """Wait for a thread that has been asked to stop, however often the waiting is cancelled, too."""
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            continue
    # Looked at, so that asyncio does not complain of an error that nobody wanted to know.
    if not running.cancelled():
        running.exception()
