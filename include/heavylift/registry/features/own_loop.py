"""An event loop of its own for an adapter, whose callers may themselves be within one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from heavylift.aio import loop_factory

T = TypeVar("T")


class OwnLoop:
    """Runs work in a thread that is started when it is first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work to its end."""
        if self._loop is None:
            self._loop = (loop_factory() or asyncio.new_event_loop)()
            self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run the last work, and end the thread; where none was ever run, nothing is."""
        if self._loop is None or self._thread is None:
            last.close()
            return
        self.run(last)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None
