"""Asynchronous work of a task that can be told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from heavylift.aio import run
from heavylift.errors import TransientError

T = TypeVar("T")


class StoppableWork:
    """Runs one coroutine at a time; :meth:`stop` may be called by a signal handler.

    Stopping cancels the coroutine, which then notes what is done and leaves within seconds.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False

    def run(self, work: Coroutine[Any, Any, T], what: str) -> T:
        """Run ``work`` to its end.

        :param what: the act, for the error message.
        :raises TransientError: it was stopped.
        """
        try:
            return run(self._watch(work))
        except asyncio.CancelledError as error:
            raise _interrupted(what) from error

    @property
    def stopped(self) -> bool:
        """Somebody has asked to stop."""
        return self._stopped

    def stop(self) -> None:
        """End the running work soon; without any, the next work ends as it begins."""
        self._stopped = True
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def _watch(self, work: Coroutine[Any, Any, T]) -> T:
        if self._stopped:
            work.close()
            raise asyncio.CancelledError
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        return await work


def _interrupted(what: str) -> TransientError:
    return TransientError(
        what,
        got="a request to stop",
        expected="to run to its end",
        state="what is finished is on the target and stays there; nothing unfinished is visible",
        remedy="clear the task, or let its retry run: it goes on with what is left",
        code="8003",
    )
