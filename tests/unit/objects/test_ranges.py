"""Listing in ranges: every object once, however the space is cut, and stopped when nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from heavylift.errors import ServerUnavailableError
from heavylift.objects.ranges import list_pages
from heavylift.platforms.listed_pages import ListedPage, page_of
from heavylift.platforms.ports import ListedColumns

PAGE = 1000


@dataclass
class OrderedStore:
    """Lists in byte order, from anywhere, and tells where it may be cut."""

    keys: list[str]
    cuts: list[str] | None = None
    fails_after: int = 1_000_000
    begun: list[str] = field(default_factory=list)
    pages: int = 0
    listing: int = 0
    most_at_once: int = 0

    async def folders(self, prefix: str) -> list[str]:
        if self.cuts is not None:
            return self.cuts
        found = {
            key[: key.index("/", len(prefix)) + 1] for key in self.keys if key.find("/", len(prefix)) > 0
        }
        return sorted(found)[:PAGE]

    async def list_unread(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[ListedPage]:
        self.begun.append(start_after)
        self.listing += 1
        self.most_at_once = max(self.most_at_once, self.listing)
        try:
            found = [key for key in self.keys if key.startswith(prefix) and key > start_after]
            for start in range(0, len(found), PAGE):
                await asyncio.sleep(0)
                self.pages += 1
                if self.pages > self.fails_after:
                    raise ServerUnavailableError("listing", got="nothing")
                part = found[start : start + PAGE]
                yield page_of(ListedColumns(part, ["1"] * len(part), part, ["0"] * len(part), {}))
        finally:
            self.listing -= 1


async def listed(store: OrderedStore, prefix: str = "") -> list[str]:
    return [key async for page in list_pages(store, prefix) for key in page.columns.keys]  # type: ignore[arg-type]


def keys(folders: int, each: int) -> list[str]:
    return sorted(f"d/{folder:03d}/{number:05d}" for folder in range(folders) for number in range(each))


@pytest.mark.parametrize(
    ("folders", "each"), [(1, 5000), (3, 2000), (7, 2000), (1, 9000), (40, 150), (1500, 5)]
)
async def test_every_object_is_listed_once(folders: int, each: int) -> None:
    store = OrderedStore(keys(folders, each))
    found = await listed(store, "d/")
    assert sorted(found) == store.keys
    assert len(set(found)) == len(found)


async def test_a_long_space_is_listed_in_several_ranges_at_once() -> None:
    store = OrderedStore(keys(100, 400))
    await listed(store)
    assert store.most_at_once > 4


@pytest.mark.parametrize(
    "cuts",
    [
        ["d/000/"],
        ["d/001/00005", "d/005/", "d/006/00007", "d/007/"],
        ["zzz"],
        ["a", "b"],
        [],
    ],
)
async def test_cuts_need_not_be_folders_nor_there(cuts: list[str]) -> None:
    """A key that is itself a cut, or a cut before or behind everything, changes nothing."""
    store = OrderedStore(sorted([*keys(8, 900), *cuts]), cuts)
    assert sorted(await listed(store)) == store.keys


async def test_a_few_pages_in_many_folders_cost_what_one_chain_costs() -> None:
    """A request for each folder would cost ten times the pages, and reads most keys twice."""
    store = OrderedStore(keys(50, 90))
    assert await listed(store) == store.keys
    assert (store.begun, store.pages) == ([""], 5)


async def test_what_is_read_beyond_the_ends_of_ranges_is_little() -> None:
    store = OrderedStore(keys(100, 200))
    await listed(store)
    assert len(store.begun) > 3
    assert store.pages < 1.3 * len(store.keys) / PAGE + 1


async def test_a_short_space_costs_one_chain() -> None:
    store = OrderedStore(keys(10, 5))
    assert await listed(store) == store.keys
    assert store.begun == [""]


async def test_nothing_at_all() -> None:
    assert await listed(OrderedStore([])) == []


async def test_a_failing_range_fails_the_listing() -> None:
    store = OrderedStore(keys(50, 100), fails_after=4)
    with pytest.raises(ServerUnavailableError):
        await asyncio.wait_for(listed(store), 10)
    assert store.listing == 0


async def test_who_stops_listening_leaves_no_chain_behind() -> None:
    store = OrderedStore(keys(60, 200))

    async def first() -> None:
        async with aclosing(list_pages(store, "")) as pages:  # type: ignore[arg-type]
            async for _ in pages:
                return

    await asyncio.wait_for(first(), 10)
    assert store.listing == 0
