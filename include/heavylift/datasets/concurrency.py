"""Doing one thing for many items at once, and work in threads that ends before its files do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def map_bounded(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], at_once: int
) -> list[Result]:
    """Return the results in the order of ``items``; the first error stops all and comes out."""
    gate = asyncio.Semaphore(at_once)

    async def held(item: Item) -> Result:
        async with gate:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(held(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def in_thread(
    work: Callable[..., Result], *args: Any, interrupt: Callable[[], None] | None = None
) -> Result:
    """Run ``work`` in a thread and return its result; when cancelled, wait until the thread has ended.

    A plain thread would go on writing files into a folder that is being removed.

    :param interrupt: makes ``work`` end early; called again and again until it has.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            if interrupt is not None:
                interrupt()
            await asyncio.wait([task], timeout=0.1)
        # Its error, mostly that it was interrupted, is of no interest any more.
        task.exception()
        raise
