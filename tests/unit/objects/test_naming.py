"""Which keys count as unusual: the one quick look says what the eight careful ones say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heavylift.objects.diff import Difference
from heavylift.objects.listing import list_to_file
from heavylift.objects.naming import KEY_CLASSES, TOO_LARGE, classes_of, refuse_too_large
from tests.unit.objects.fakes import TRAITS, FakeStore

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


async def test_an_object_above_the_targets_largest_is_refused_before_anything_moves(tmp_path: Path) -> None:
    source, target = FakeStore(), FakeStore(traits=replace(TRAITS, max_object_bytes=10))
    for key, size in (("fits", 10), ("large", 11), ("there", 11)):
        source.fill(key, b"x" * size)
    target.fill("there", b"x" * 11)
    one = await list_to_file(source, "", lambda key: True, tmp_path / "s.parquet")
    other = await list_to_file(target, "", lambda key: True, tmp_path / "t.parquet")
    difference = Difference(tmp_path, 2**26)
    difference.compare(one, other)
    refuse_too_large(difference, target)
    refused, _ = difference.refusals(10)
    difference.close()
    assert [(item.rel, item.rule) for item in refused] == [("large", TOO_LARGE)]
    assert "11 B" in refused[0].reason
    assert "10 B" in refused[0].reason
