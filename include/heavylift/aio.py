"""Running asynchronous work from synchronous callers: operators and the command line."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
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


def loop_factory() -> Any:
    """Return what makes an event loop: uvloop, imported here, or None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
