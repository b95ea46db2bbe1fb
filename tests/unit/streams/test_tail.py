"""What an interrupted run left on the target is found, whatever has vanished since."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heavylift.streams.tail import Seen, match_tail


def seen(first: int, texts: str) -> list[Seen]:
    return [Seen(first + number, text.encode()) for number, text in enumerate(texts)]


def pairs(tail: object) -> dict[int, int]:
    return {
        span.source_first + n: span.target_first + n
        for span in tail.spans  # type: ignore[attr-defined]
        for n in range(span.count)
    }


@given(st.text("abc", max_size=40), st.integers(0, 40))
def test_a_prefix_that_was_sent_is_found_whole(texts: str, sent: int) -> None:
    source = seen(10, texts)
    target = seen(3, texts[:sent])
    tail = match_tail(source, target, 10, 3)
    assert pairs(tail) == {10 + n: 3 + n for n in range(len(target))}
    assert (tail.foreign, tail.gone) == (None, 0)


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)))
def test_records_that_were_compacted_away_on_either_side_do_not_mislead(
    sent: int, here: set[int], there: set[int]
) -> None:
    every = [str(number).encode() for number in range(60)]
    source = [Seen(n, text) for n, text in enumerate(every) if n not in here]
    target = [Seen(100 + n, text) for n, text in enumerate(every[:sent]) if n not in there]
    tail = match_tail(source, target, 0, 100)
    assert tail.foreign is None
    assert pairs(tail) == {n: 100 + n for n in range(sent) if n not in here | there}


def test_a_record_of_somebody_elses_is_found() -> None:
    tail = match_tail(seen(0, "abcdef"), seen(0, "abx"), 0, 0)
    assert (tail.foreign, tail.records) == (2, 2)


def test_more_on_the_target_than_the_source_ever_had_is_somebody_elses() -> None:
    assert match_tail(seen(0, "ab"), seen(0, "abc"), 0, 0).foreign == 2


def test_offsets_without_records_are_passed_over() -> None:
    tail = match_tail(seen(0, "ab"), [Seen(3, b"a"), Seen(5, b"b")], 0, 2)
    assert pairs(tail) == {0: 3, 1: 5}
