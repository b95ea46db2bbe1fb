"""Listing a long key space as several ranges at once.

A listing is a chain: each page begins where the last one ended, so that one after the other a
billion keys take a day. Where a store lists in the order of bytes and can begin anywhere, the
space is cut at its folders into ranges, and each range is a chain of its own. A range holds the
keys after its first bound up to and including its last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from math import ceil
from typing import TypeVar

from heavylift.platforms.listed_pages import ListedPage, ListsPages, page_of
from heavylift.platforms.ports import ListedColumns, ListedObject, ListsRanges, ObjectStore

_T = TypeVar("_T")

CHAINS = 8
"""Ranges listed at once."""
ALONE = 5
"""Pages of keys that are listed one after the other before a space counts as long.

A cut costs requests, and a store that begins in the middle may still go over everything before it: for few
pages both cost more than they save.
"""
_RANGES = 32
"""More ranges than chains, because nobody knows beforehand which of them are long."""
_WORTH = 4
"""Pages that a range should have: the last one of each is read beyond its end."""
_LONG = 1000
_WAITING_PAGES = 8
_FIRST, _LAST = "", "\U0010ffff" * 1024


async def list_pages(store: ObjectStore, prefix: str) -> AsyncGenerator[ListedPage]:
    """Yield all objects under ``prefix``, in no order where there are many; memory holds a few pages."""
    if not isinstance(store, ListsRanges):
        async with aclosing(_chain(store, prefix, _FIRST)) as pages:
            async for page in pages:
                yield page
        return
    bounds: list[str] = []
    seen = 0
    async with aclosing(_chain(store, prefix, _FIRST)) as pages:
        async for page in pages:
            yield page
            if bounds:
                continue  # it cannot be cut, and rows that nobody needs are not read
            keys = page.columns.keys
            seen += len(keys)
            if seen >= ALONE * _LONG:
                bounds = [keys[-1], *await _cuts(store, prefix, keys[-1], seen)]
                if len(bounds) > 1:
                    break
        else:
            return
    async with aclosing(_together(store, prefix, bounds)) as pages:
        async for page in pages:
            yield page


async def _cuts(store: ListsRanges, prefix: str, after: str, seen: int) -> list[str]:
    """Return places to cut at behind ``after``, in order: folders, and folders of these where they are few.

    :param seen: so many keys lie before; as many to a folder are expected behind.
    """
    found = await store.folders(prefix)
    if 0 < len(found) < CHAINS:
        deeper = await asyncio.gather(*map(store.folders, found))
        found = sorted({*found, *(folder for folders in deeper for folder in folders)})
    left = sorted(folder for folder in found if folder > after)
    passed = max(1, len(found) - len(left))
    step = max(1, len(left) // _RANGES, ceil(_WORTH * _LONG * passed / seen))
    return left[step - 1 :: step]


async def _together(store: ObjectStore, prefix: str, bounds: list[str]) -> AsyncGenerator[ListedPage]:
    ranges = deque(pairwise([*bounds, _LAST]))
    pages: asyncio.Queue[ListedPage | None] = asyncio.Queue(_WAITING_PAGES)

    listening = True

    async def work() -> None:
        while ranges:
            begin, end = ranges.popleft()
            async with aclosing(_until(_chain(store, prefix, begin), end)) as chain:
                async for page in chain:
                    await pages.put(page)

    async def all_work() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(CHAINS, len(ranges))):
                    group.create_task(work())
        finally:
            if listening:
                await pages.put(None)

    task = asyncio.create_task(all_work())
    try:
        while (page := await pages.get()) is not None:
            yield page
        await task
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        listening = False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(chain: AsyncIterator[ListedPage], end: str) -> AsyncGenerator[ListedPage]:
    async for page in chain:
        part, goes_on = (page, True) if end == _LAST else page.until(end)
        if part is not None:
            yield part
        if not goes_on:
            return


async def _chain(store: ObjectStore, prefix: str, start_after: str) -> AsyncGenerator[ListedPage]:
    if isinstance(store, ListsPages):
        async with _closing(store.list_unread(prefix, start_after=start_after)) as pages:
            async for unread in pages:
                yield unread
        return
    async with _closing(store.list_pages(prefix, start_after=start_after)) as listed:
        async for page in listed:
            yield page_of(_turned(page))


@asynccontextmanager
async def _closing(pages: AsyncIterator[_T]) -> AsyncGenerator[AsyncIterator[_T]]:
    """End a listing with the block: left to the collector, its next request would go on."""
    try:
        yield pages
    finally:
        close = getattr(pages, "aclose", None)
        if close is not None:
            await close()


def _turned(page: list[ListedObject]) -> ListedColumns:
    told = dict.fromkeys(algorithm for item in page for algorithm in item.checksums)
    return ListedColumns(
        keys=[item.key for item in page],
        sizes=[str(item.size_bytes) for item in page],
        versions=[item.version for item in page],
        modified=[str(item.modified_us) for item in page],
        checksums={algorithm: [item.checksums.get(algorithm) for item in page] for algorithm in told},
        storage_classes=[item.storage_class for item in page],
    )
