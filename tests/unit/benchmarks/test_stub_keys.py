"""The stub store's listing must page as S3 does, or a benchmark measures a tool's confusion."""

from __future__ import annotations

import pytest

from tests.benchmarks.stub.keys import Keys, after_prefix, is_plain, seed

KEYS = [
    "a",
    "a b",
    "a!b",
    "a-b",
    "a.b",
    "a/b",
    "a/c/d",
    "a/c/e",
    "b/1",
    "b/2",
    "\u00e9",
    "\ue000",
    "\U0001f600",
]


def walk(keys: Keys, prefix: str = "", delimiter: str = "", limit: int = 2) -> tuple[list[str], list[str]]:
    found: list[str] = []
    groups: list[str] = []
    first: str | None = ""
    while first is not None:
        page = keys.page(prefix, delimiter, limit, first=first)
        assert 0 < len(page.keys) + len(page.prefixes) <= limit
        found += page.keys
        groups += page.prefixes
        first = page.next_key
    return found, groups


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_give_every_key_once_in_byte_order(limit: int) -> None:
    found, groups = walk(Keys(reversed(KEYS)), limit=limit)
    assert found == sorted(KEYS, key=str.encode)
    assert groups == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_prefix_bounds_the_listing_on_both_sides(limit: int) -> None:
    assert walk(Keys(KEYS), "a/", limit=limit) == (["a/b", "a/c/d", "a/c/e"], [])


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_delimiter_groups_and_each_group_is_told_once(limit: int) -> None:
    found, groups = walk(Keys(KEYS), "", "/", limit)
    assert groups == ["a/", "b/"]
    assert found == [key for key in sorted(KEYS, key=str.encode) if "/" not in key]
    assert walk(Keys(KEYS), "a/", "/", limit) == (["a/b"], ["a/c/"])


def test_start_after_leaves_that_key_out() -> None:
    assert Keys(KEYS).page("", "", 2, start_after="a.b").keys == ["a/b", "a/c/d"]
    assert Keys(KEYS).page("b/", "", 2, start_after="a.b").keys == ["b/1", "b/2"]
    assert Keys(KEYS).page("a", "", 9, start_after="zzz").keys == []


def test_what_was_put_is_listed_once_and_gone_when_removed() -> None:
    keys = Keys()
    assert keys.page("", "", 10).keys == []
    for key in ("b", "a", "b"):
        keys.add(key)
    assert keys.page("", "", 10).keys == ["a", "b"]
    keys.add("0")
    keys.remove("a")
    keys.remove("never there")
    assert keys.page("", "", 10).keys == ["0", "b"]
    assert len(keys) == 2
    assert "a" not in keys


@pytest.mark.parametrize("objects", [0, 1, 99, 100, 1234])
def test_the_seed_is_sorted_plain_and_spread_over_prefixes(objects: int) -> None:
    keys = seed(objects)
    assert len(set(keys)) == objects
    assert keys == sorted(keys, key=str.encode)
    assert len({key.rpartition("/")[0] for key in keys}) <= 100
    assert all(map(is_plain, keys))


def test_plain_ends_with_the_first_key_that_needs_escaping() -> None:
    keys = Keys(["a/b-c.d_e"])
    assert keys.plain
    keys.add("a&b")
    assert not keys.plain


def test_the_end_of_a_prefix_is_never_a_surrogate() -> None:
    assert after_prefix("a/") == "a0"
    assert after_prefix("\ud7ff") == "\ue000"
