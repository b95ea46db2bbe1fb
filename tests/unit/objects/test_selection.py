"""Which keys belong to a dataset."""

from __future__ import annotations

import pytest

from heavylift.errors import SpecError
from heavylift.objects.selection import selector


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
