"""Doing one thing for many items, a bounded number at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

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
