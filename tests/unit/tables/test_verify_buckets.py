"""How many buckets, which of them differ, and how many rows are read at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.evidence.table_records import TableComparison
from heavylift.tables.verify.buckets import (
    MOST_BUCKETS,
    chunk_rows,
    chunks,
    differing,
    slots_for,
    wanted_buckets,
)
from heavylift.tables.verify.postgres_side import runs
from heavylift.tables.verify.sampling import SampleChoice
from heavylift.tables.verify.side import Bucket
from heavylift.tables.verify.wording import statement


@pytest.mark.parametrize(
    ("rows", "buckets"), [(0, 1), (999, 1), (2_000, 2), (1_000_000, 1_000), (10**12, MOST_BUCKETS)]
)
def test_buckets_grow_with_the_table_up_to_a_bound(rows: int, buckets: int) -> None:
    assert wanted_buckets(rows) == buckets


@settings(deadline=None)
@given(buckets=st.integers(1, MOST_BUCKETS), ranges=st.integers(1, MOST_BUCKETS))
def test_slots_are_a_power_of_two_that_suffices(buckets: int, ranges: int) -> None:
    slots = slots_for(buckets, ranges)
    assert slots & (slots - 1) == 0
    assert slots * ranges >= buckets
    assert slots == 1 or (slots // 2) * ranges < buckets


def test_a_bucket_differs_by_rows_by_digest_or_by_being_there() -> None:
    ours = {0: Bucket(1, 5), 1: Bucket(1, 5), 2: Bucket(2, 5), 3: Bucket(1, 1)}
    theirs = {0: Bucket(1, 5), 1: Bucket(1, 6), 2: Bucket(1, 5), 4: Bucket(1, 1)}
    assert differing(ours, theirs) == [1, 2, 3, 4]


@settings(deadline=None)
@given(rows=st.dictionaries(st.integers(0, 50), st.integers(1, 30), min_size=1), most=st.integers(1, 60))
def test_chunks_hold_every_bucket_once_and_no_more_rows_than_they_may(
    rows: dict[int, int], most: int
) -> None:
    side = {bucket: Bucket(count, 0) for bucket, count in rows.items()}
    found = list(chunks(sorted(side), side, {}, most))
    assert [bucket for chunk in found for bucket in chunk] == sorted(side)
    assert all(sum(rows[each] for each in chunk) <= most or len(chunk) == 1 for chunk in found)


def test_without_an_index_few_chunks_read_the_whole_table() -> None:
    assert chunk_rows(10**9, indexed=True) == 1_000_000
    assert chunk_rows(1_600_000_000, indexed=False) == 100_000_000


def test_adjacent_ranges_are_read_as_one() -> None:
    assert runs({1, 2, 3, 7, 9, 10}) == [(1, 3), (7, 7), (9, 10)]
    assert runs(set()) == []


def test_a_sample_is_repeatable_and_a_small_table_is_no_sample() -> None:
    choice = SampleChoice(buckets=10, seed=5)
    assert choice.draw(1000) == choice.draw(1000)
    assert len(set(choice.draw(1000))) == 10
    assert choice.draw(7) == list(range(7))
    assert choice.statement(10) == "every row was compared"
    assert SampleChoice(buckets=299).bound(10_000) == pytest.approx(0.00997, abs=1e-4)


def compared(table: str = "s.t", **given: object) -> TableComparison:
    rows = {"source_rows": 1000, "target_rows": 1000, "equal": 1000}
    return TableComparison.model_validate({"table": table, **rows, **given})


def test_a_statement_claims_no_more_than_was_compared() -> None:
    assert statement([compared()], "frozen") == (
        "1 table with 1,000 rows compared while nobody wrote to them: every row is on both sides with the"
        " same values in all columns"
    )
    assert "as both were at position 0/5A" in statement([compared()], "snapshot", "0/5A")
    partly = statement([compared(equal=100, not_compared=900)], "frozen")
    assert "100 of them compared in ranges drawn at random" in partly
    assert "every row" not in partly
    unequal = statement([compared(), compared("s.u", unsettled=1)], "settled")
    assert unequal == "1 table of 2 not equal: s.u"


def test_what_is_not_equal_is_told_in_words() -> None:
    found = compared(missing=1200, extra=1, other_differences=("column a is not on the target",))
    assert not found.is_equal
    assert found.in_words == "1,200 missing, 1 extra, column a is not on the target"
    assert compared().in_words == "equal"
