"""The arithmetic of profiles: exact sums, and counts of different values."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from heavylift.datasets.columns import unique_names
from heavylift.datasets.distinct import KEPT, estimate
from heavylift.datasets.float_sums import exact_sum
from heavylift.datasets.frames import from_csv
from heavylift.datasets.profile import full_text, rounded_text
from tests.unit.datasets.tables import Sides, table, value

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def groups(values: Iterable[float]) -> list[tuple[int, bool, int, int]]:
    """Group floats as the engine does."""
    sums: Counter[tuple[int, bool]] = Counter()
    counts: Counter[tuple[int, bool]] = Counter()
    for number in values:
        (bits,) = struct.unpack("<Q", struct.pack("<d", number))
        key = ((bits >> 52) & 2047, bits >> 63 == 1)
        sums[key] += bits & (2**52 - 1)
        counts[key] += 1
    return [(*key, sums[key], counts[key]) for key in counts]


@given(st.lists(FINITE, max_size=30))
def test_grouped_floats_sum_exactly(values: list[float]) -> None:
    assert exact_sum(groups(values)) == sum(map(Fraction, values), Fraction(0))


@given(FINITE)
def test_what_is_shown_of_a_float_tells_it_apart(number: float) -> None:
    assert float(rounded_text(Fraction(number))) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**18), max_value=10**18))
def test_short_decimals_are_shown_in_full(number: object) -> None:
    assert Fraction(full_text(Fraction(str(number)))) == Fraction(str(number))


def test_counts_are_exact_up_to_the_sketch_and_estimated_beyond() -> None:
    assert estimate(KEPT - 1, 5) == estimate(KEPT - 1, 2**64 - 1)
    assert estimate(KEPT - 1, 5).exact
    dense = estimate(KEPT, 2**64 // 100)
    assert not dense.exact
    assert math.isclose(dense.count, 100 * KEPT, rel_tol=0.001)


async def test_many_different_values_are_estimated_within_two_percent(sides: Sides) -> None:
    count = 600_000
    sides.put(
        "a.parquet", pa.table({"id": pa.array(range(count)), "few": pa.array([1, 2, 3] * (count // 3))})
    )
    record = await sides.check(table())
    told = value(record, "id", "distinct")
    assert told.startswith("about ")
    assert math.isclose(int(told.removeprefix("about ")), count, rel_tol=0.02)
    assert value(record, "few", "distinct") == "3"


@given(st.lists(st.sampled_from(["a", "a (2)", "a (3)", "b", ""]), max_size=8))
def test_numbered_names_are_unique(names: list[str]) -> None:
    assert len(set(unique_names(names))) == len(names)


def test_csv_text_becomes_numbers_only_where_all_of_it_is() -> None:
    forms = {
        ("1", "-20", None): pa.int64(),
        ("1", "2.5"): pa.float64(),
        ("1e5",): pa.float64(),
        ("01", "2"): pa.string(),
        ("true", "false"): pa.bool_(),
        ("1", "x"): pa.string(),
        ("", "1"): pa.string(),
        (None, None): pa.string(),
        ("9" * 19,): pa.float64(),
        ("2026-11-22",): pa.string(),
    }
    found = {texts: from_csv(pa.chunked_array([pa.array(texts, pa.string())])).type for texts in forms}
    assert found == forms
