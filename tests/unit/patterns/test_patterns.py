"""Which keys a pattern selects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import SpecError
from heavylift.patterns import compile_pattern, literal_folder, selector


@pytest.mark.parametrize(
    ("pattern", "key", "selected"),
    [
        ("*.tmp", "a.tmp", True),
        ("*.tmp", "deep/er/a.tmp", True),
        ("*.tmp", "a.tmp/b", False),
        ("/*.tmp", "deep/a.tmp", False),
        ("logs/*", "logs/a", True),
        ("logs/*", "logs/a/b", False),
        ("logs/**", "logs/a/b", True),
        ("**/part-?.parquet", "part-1.parquet", True),
        ("**/part-?.parquet", "x/y/part-1.parquet", True),
        ("**/part-?.parquet", "x/part-10.parquet", False),
        ("day=[0-9]", "day=7", True),
        ("day=[!0-9]", "day=7", False),
        ("a+b(c).txt", "a+b(c).txt", True),
        ("a.c", "abc", False),
        ("[", "[", True),
        ("line\nbreak", "line\nbreak", True),
        ("*", "line\nbreak", True),
    ],
)
def test_patterns(pattern: str, key: str, selected: bool) -> None:
    assert selector([pattern], [])(key) is selected
    assert selector([], [pattern])(key) is not selected


def test_without_patterns_every_key_is_selected() -> None:
    assert selector([], [])("anything/at all")


def test_exclude_wins() -> None:
    select = selector(["a/**"], ["*.tmp"])
    assert (select("a/x"), select("a/x.tmp"), select("b/x")) == (True, False, False)


def test_a_pattern_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SpecError, match=r"\[z-a\]"):
        selector(["[z-a]"], [])


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
    try:
        compiled = compile_pattern(pattern)
    except SpecError:
        return  # a set with nothing in it; told apart above
    if compiled.fullmatch(key):
        assert key.startswith(literal_folder(pattern))
