"""Doing one thing for many items, a bounded number at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Call ``work`` for each item, ``at_once`` at most at the same time; the first error stops all.

    Items are drawn one by one, so that a long iterable is never held in memory.
    """
    queue = iter(items)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(_drain(queue, work))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _drain(queue: Iterator[T], work: Callable[[T], Awaitable[None]]) -> None:
    for item in queue:
        await work(item)
