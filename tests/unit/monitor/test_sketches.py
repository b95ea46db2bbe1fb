"""Sketches: exact, bounded, equal however their parts are cut, ordered and merged."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.evidence.monitor_records import SketchRecord
from heavylift.monitor.sketches import (
    MOST_BUCKETS,
    Sketch,
    keys_of_numbers,
    keys_of_texts,
    middles,
    numbers_of_keys,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def sketch_of(values: np.ndarray) -> Sketch:
    made = Sketch()
    made.add(keys_of_numbers(values.astype(np.float64)))
    return made


def same(one: Sketch, other: Sketch) -> bool:
    return (
        one.level == other.level
        and np.array_equal(one.buckets, other.buckets)
        and np.array_equal(one.counts, other.counts)
    )


@given(st.lists(FINITE, max_size=50))
def test_keys_are_ordered_as_numbers_and_give_them_back(values: list[float]) -> None:
    given_ = np.array(values, dtype=np.float64)
    keys = keys_of_numbers(given_)
    assert np.array_equal(numbers_of_keys(keys), given_)
    assert np.array_equal(np.sort(given_), given_[np.argsort(keys, kind="stable")])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from(["normal", "few", "wide", "narrow"]))
def test_merging_parts_in_any_order_gives_the_sketch_of_the_whole(seed: int, parts: int, kind: str) -> None:
    generator = np.random.default_rng(seed)
    values = {
        "normal": generator.normal(size=30_000),
        "few": generator.poisson(3, 30_000).astype(float),
        "wide": np.exp(generator.normal(0, 100, 30_000)),
        "narrow": generator.uniform(1.7e9, 1.7e9 + 100, 30_000),
    }[kind]
    cuts = np.sort(generator.integers(0, values.size, parts))
    pieces = [sketch_of(piece) for piece in np.split(generator.permutation(values), cuts)]
    merged = Sketch()
    for piece in pieces:
        merged.merge(piece)
    backwards = Sketch()
    for piece in reversed(pieces):
        backwards.merge(piece)
    whole = sketch_of(values)
    assert same(merged, whole)
    assert same(backwards, whole)
    assert whole.total == values.size
    assert whole.buckets.size <= MOST_BUCKETS


def test_a_sketch_of_many_distinct_values_is_bounded_and_as_fine_as_it_can_be() -> None:
    values = np.random.default_rng(1).normal(size=300_000)
    whole = sketch_of(values)
    assert MOST_BUCKETS / 2 < whole.buckets.size <= MOST_BUCKETS
    keys = keys_of_numbers(values)
    assert np.unique(keys >> whole.level).size == whole.buckets.size
    assert np.unique(keys >> (whole.level - 1)).size > MOST_BUCKETS


def test_few_distinct_values_are_kept_exactly() -> None:
    values = np.array([-0.0, 0.0, 1e308, -1e308, 5e-324, 2**53 + 2.0])
    whole = sketch_of(values)
    assert whole.level == 0
    assert set(middles(whole.buckets, 0)) == set(values)


def test_texts_have_the_same_key_everywhere() -> None:
    # The first 8 bytes of SHA-256: a profile of one machine is compared on another.
    assert keys_of_texts([b"", b"a"]).tolist() == [-2039914840885289964, -3848465438864589366]


def test_a_written_sketch_is_read_back() -> None:
    whole = sketch_of(np.random.default_rng(2).normal(size=50_000))
    record = SketchRecord.of(whole.level, whole.buckets, whole.counts)
    assert same(Sketch(record.level, *record.arrays()), whole)
    extremes = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])
    again = SketchRecord.of(0, extremes, np.array([1, 2])).arrays()
    assert again[0].tolist() == extremes.tolist()
