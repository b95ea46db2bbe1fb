"""The one look at a key that tells whether any class of unusual keys has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.objects import naming

PIECES = st.sampled_from(
    ["a", "key", ".", "..", "...", "/", "//", "\\", "\t", "\x7f", " ", "~", "[", "é", "k" * 254]
)


@pytest.mark.parametrize("key_class", naming.KEY_CLASSES, ids=lambda found: found.name)
def test_the_sample_of_a_class_is_no_usual_key(key_class: naming.KeyClass) -> None:
    sample = key_class.sample("word")
    assert key_class.matches(sample)
    assert not naming._USUAL.fullmatch(sample)


@given(st.lists(PIECES, min_size=1, max_size=12).map("".join))
def test_a_key_is_usual_only_if_it_is_of_no_class(key: str) -> None:
    classes = [found.name for found in naming.KEY_CLASSES if found.matches(key)]
    usual = naming._USUAL.fullmatch(key) is not None
    assert not (usual and classes)
    assert usual or classes or not key.isascii()


def test_a_line_break_is_not_overlooked() -> None:
    assert not naming._USUAL.fullmatch("a\n")
