"""Patterns mean here what they mean to the movers; both packages keep their own reading of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.datasets.patterns import literal_folder, matcher
from heavylift.errors import SpecError
from heavylift.objects.selection import selector

PATTERNS = [
    "*.parquet", "**/*.parquet", "a/*.csv", "a/**", "**", "a?c", "[ab]/x", "[!a]*", "a/**/b",
    "day=*/p.parquet", "a.b", "[", "[]", "[]a]", "a\\b", "**/", "/a/*", "[^a]", "x[a-c].csv", "***",
]  # fmt: skip
KEYS = [
    "a.parquet", "x/a.parquet", "x/y/a.parquet", "a/b.csv", "a/b/c.csv", "a/b", "abc", "a/c", "b/x", "a/x",
    "aXb", "day=1/p.parquet", "x/day=1/p.parquet", "a.b", "axb", "", "[", "]", "[]", "a\\b", "a\nb.parquet",
    "xb.csv", "^",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_selects_what_the_movers_select(pattern: str) -> None:
    here, there = matcher(pattern), selector([pattern], [])
    assert {key for key in KEYS if here(key)} == {key for key in KEYS if there(key)}


# The movers' expressions make Python warn of characters that may get another meaning in sets.
@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(st.text("ab/*?[]!-.&|~\\", max_size=8), st.text("ab/-.]&|~[\\", max_size=8))
def test_any_pattern_selects_what_the_movers_select(pattern: str, key: str) -> None:
    try:
        expected = selector([pattern], [])(key)
    except SpecError:
        with pytest.raises(SpecError, match="HL-4304"):
            matcher(pattern)
    else:
        assert matcher(pattern)(key) == expected


def test_a_set_that_is_none_is_told() -> None:
    with pytest.raises(SpecError, match=r"\[b-a\]"):
        matcher("x[b-a]")


def test_include_and_exclude_narrow_the_table() -> None:
    matches = matcher("**/*.csv", ["a/**", "b/**"], ["*/tmp/*"])
    assert [key for key in ("a/x.csv", "b/tmp/x.csv", "c/x.csv", "a/x.txt") if matches(key)] == ["a/x.csv"]


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("*.csv", ""),
        ("a.csv", ""),
        ("a/b/*.csv", "a/b/"),
        ("a/b*/c/*.csv", "a/"),
        ("a/**", "a/"),
        ("a/b.csv", "a/"),
        ("**/x", ""),
        ("/a/x", "a/"),
    ],
)
def test_listing_starts_at_the_last_certain_folder(pattern: str, folder: str) -> None:
    assert literal_folder(pattern) == folder


@given(st.text("ab/*?[]", max_size=8), st.text("ab/", max_size=8))
def test_every_match_lies_below_that_folder(pattern: str, key: str) -> None:
    if matcher(pattern)(key):
        assert key.startswith(literal_folder(pattern))
