"""The offset map: what was mirrored where, with any gaps on either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import IntegrityError
from heavylift.streams.map_records import (
    GroupPosition,
    MapState,
    TopicClaim,
    group_record,
    lease_record,
    map_records,
    topic_record,
    transactions_record,
)
from heavylift.streams.offset_map import PartitionMap, Span, joined

STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=30)
"""Gaps on both sides, and the length of the span that follows."""


def built(
    steps: list[tuple[int, int, int]], *, tail_only: bool = False
) -> tuple[PartitionMap, dict[int, int]]:
    """Return a map, and what it must say: source offset → target offset."""
    known, pairs, source, target = PartitionMap(5, 7, tail_only=tail_only), {}, 5, 7
    for gap, other, count in steps:
        source, target = source + gap, target + other
        known.add(Span(source, target, count))
        pairs |= {source + n: target + n for n in range(count)}
        source, target = source + count, target + count
    return known, pairs


@given(STEPS)
def test_a_position_is_the_place_of_the_next_record_that_exists(steps: list[tuple[int, int, int]]) -> None:
    known, pairs = built(steps)
    for position in range(known.source_next + 1):
        following = min((source for source in pairs if source >= position), default=None)
        wanted = known.target_next if following is None else pairs[following]
        assert known.translate(position).target == wanted
        assert known.translate(position).exact


@given(STEPS, st.integers(1, 50))
def test_a_position_beyond_the_mirror_is_behind_the_true_one(
    steps: list[tuple[int, int, int]], more: int
) -> None:
    known, _ = built(steps)
    found = known.translate(known.source_next + more)
    assert (found.target, found.exact, found.behind) == (known.target_next, False, more)


@given(STEPS)
def test_the_tail_alone_tells_the_watermark(steps: list[tuple[int, int, int]]) -> None:
    whole, pairs = built(steps)
    tail, _ = built(steps, tail_only=True)
    assert len(tail) == 1
    assert (tail.source_next, tail.target_next, tail.records) == (
        whole.source_next,
        whole.target_next,
        len(pairs),
    )


def test_a_span_grows_and_may_come_again() -> None:
    known = PartitionMap(0, 0)
    for count in (3, 10, 10):
        known.add(Span(0, 0, count))
    known.add(Span(10, 10, 2))
    assert list(known.spans()) == [Span(0, 0, 12)]
    assert known.records == 12


@pytest.mark.parametrize("span", [Span(2, 20, 1), Span(20, 2, 1)])
def test_a_span_before_what_is_mapped_is_a_contradiction(span: Span) -> None:
    known = PartitionMap(0, 0)
    known.add(Span(0, 0, 10))
    with pytest.raises(IntegrityError, match="HL-6501"):
        known.add(span)


def test_an_empty_map_translates_to_where_it_begins() -> None:
    assert PartitionMap(5, 9).translate(5).target == 9
    assert PartitionMap(5, 9).translate(8).behind == 3


@given(STEPS)
def test_what_is_written_is_read_back(steps: list[tuple[int, int, int]]) -> None:
    known, pairs = built(steps)
    state = MapState()
    state.apply(*topic_record("t", TopicClaim("s-id", "t-id", {2: (5, 7)})))
    for pair in map_records("t", 2, list(known.spans())):
        state.apply(*pair)
    again = state.maps["t", 2]
    assert list(again.spans()) == list(known.spans())
    assert again.records == len(pairs)
    assert state.topics["t"].begins == {2: (5, 7)}


def test_the_other_records_are_read_back() -> None:
    state = MapState()
    lease = state.lease.claimed_by("me")
    for pair in (
        lease_record(lease),
        group_record("g", "t", 1, GroupPosition(5, 6)),
        transactions_record(True),
        (b'["probe","x"]', b"{}"),
    ):
        state.apply(*pair)
    assert (state.lease, state.groups["g", "t", 1], state.transactions) == (lease, GroupPosition(5, 6), True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"),
        (b"text", b"{}"),
        (b'["map","unknown",0,0]', b'{"spans":[[0,0,1]]}'),
        (b'["lease"]', b"[]"),
    ],
)
def test_a_record_of_somebody_elses_in_the_map_is_an_error(key: bytes | None, value: bytes) -> None:
    with pytest.raises(IntegrityError, match="HL-6502"):
        MapState().apply(key, value)


def test_neighbours_are_joined() -> None:
    assert joined([Span(0, 5, 1), Span(1, 6, 2), Span(4, 8, 1)]) == [Span(0, 5, 3), Span(4, 8, 1)]
