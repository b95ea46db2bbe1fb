"""Running asynchronous work from synchronous callers: operators and the command line."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
P = TypeVar("P")
_COLLECT_AFTER = 20_000
"""Objects between two collections; Python's 700 costs a copy of small objects several per cent."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end in a fresh event loop, uvloop's where it is installed.

    An interrupt cancels the work, so that it can note what is done before it leaves.
    """
    # What has been imported by now stays; the collector need not go through it again and again.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(work)
    finally:
        gc.unfreeze()


async def in_thread(act: Callable[[threading.Event, Callable[[P], None]], T], tell: Callable[[P], None]) -> T:
    """Run ``act`` in a thread of its own; when cancelled, ask it to stop and wait until it has left.

    :param act: takes the event that asks it to stop, and what takes its progress.
    :param tell: takes progress on the event loop.
    """
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def relay(progress: P) -> None:
        loop.call_soon_threadsafe(tell, progress)

    running = asyncio.ensure_future(asyncio.to_thread(act, stop, relay))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({running})
        raise


def loop_factory() -> Any:
    """Return what makes an event loop: uvloop, imported here, or None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
