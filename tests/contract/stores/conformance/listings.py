"""Listings by prefix, in order, in pages."""

from __future__ import annotations

import asyncio

from tests.contract.stores.subject import Subject, listed_keys, put


class Listings:
    """Listings by prefix."""

    async def test_an_empty_container_lists_nothing(self, subject: Subject) -> None:
        assert await listed_keys(subject.store) == []
        assert await listed_keys(subject.store, "no/such/prefix/") == []

    async def test_a_prefix_takes_in_just_what_begins_with_it(self, subject: Subject) -> None:
        for key in ("a/1", "a/2", "a/sub/3", "b/4", "ab", "A/5"):
            await put(subject.store, key)
        assert sorted(await listed_keys(subject.store, "a/")) == ["a/1", "a/2", "a/sub/3"]
        assert sorted(await listed_keys(subject.store)) == ["A/5", "a/1", "a/2", "a/sub/3", "ab", "b/4"]

    async def test_start_after_leaves_out_what_comes_before(self, subject: Subject) -> None:
        keys = [f"k{number}" for number in range(9)]
        for key in keys:
            await put(subject.store, key)
        assert await listed_keys(subject.store, start_after="k4") == keys[5:]
        assert await listed_keys(subject.store, "k", start_after="k4x") == keys[5:]
        assert await listed_keys(subject.store, start_after="k8") == []

    async def test_a_listing_can_be_left_early(self, subject: Subject) -> None:
        await put(subject.store, "k")
        pages = subject.store.list_pages()
        async for page in pages:
            assert page
            break
        await pages.aclose()  # type: ignore[attr-defined]


class OrderedListings:
    """For servers that list in the byte order of UTF-8, as S3, GCS and Azure do."""

    async def test_keys_come_in_byte_order(self, subject: Subject) -> None:
        keys = ["a b", "a!b", "a-b", "a.b", "a/b", "a0b", "aB", "ab", "z", "é", "日", "😀", "\uffee"]
        for key in keys:
            await put(subject.store, key)
        assert await listed_keys(subject.store) == sorted(keys, key=str.encode)


class Pages:
    """For subjects with ``page_objects``."""

    async def test_a_long_listing_is_whole_and_paged(self, subject: Subject) -> None:
        keys = [f"many/{number:05}" for number in range(subject.page_objects)]
        gate = asyncio.Semaphore(32)

        async def one(key: str) -> None:
            async with gate:
                await put(subject.store, key, b"")

        await asyncio.gather(*map(one, keys))
        pages = [page async for page in subject.store.list_pages("many/")]
        assert len(pages) > 1
        assert [item.key for page in pages for item in page] == keys
        assert await listed_keys(subject.store, "many/", start_after=keys[500]) == keys[501:]
