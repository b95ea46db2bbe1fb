"""Which keys count as unusual: the one quick look says what the eight careful ones say."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heavylift.objects.naming import KEY_CLASSES, classes_of

KEYS = st.one_of(
    st.text(st.sampled_from("ab0._-=/\\ é\t\x7f"), max_size=12),
    st.lists(st.sampled_from(["a", ".", "..", "", ".a", "a.", "b" * 201, "b" * 256, "é" * 128])).map(
        "/".join
    ),
    st.integers(880, 920).map(lambda size: "k/" * (size // 2)),
    st.integers(880, 920).map(lambda size: ("k" * 99 + "/") * 9 + "k" * (size - 900)),
)


@given(KEYS)
@example("plain/key-1_2=3.bin")
@example("")
def test_the_quick_look_finds_what_the_careful_ones_find(key: str) -> None:
    assert classes_of(key) == [key_class for key_class in KEY_CLASSES if key_class.matches(key)]


@pytest.mark.parametrize("key_class", KEY_CLASSES, ids=lambda key_class: key_class.name)
def test_each_class_knows_its_own_sample(key_class: object) -> None:
    assert key_class in classes_of(key_class.sample("word"))  # type: ignore[attr-defined]
