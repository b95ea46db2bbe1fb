"""The comparison finds what differs, and takes neither compaction nor expiry for a loss."""

from __future__ import annotations

import pytest

from heavylift.streams.comparing import Comparison, Entry, Rules, compare
from heavylift.streams.offset_map import Span


def entries(first: int, texts: str, without: set[int] = frozenset()) -> list[Entry]:  # type: ignore[assignment]
    """Return entries whose key is their letter in lower case and whose content is the letter."""
    return [
        Entry(first + n, text.encode(), text.lower().encode())
        for n, text in enumerate(texts)
        if first + n not in without
    ]


def compared(source: list[Entry], target: list[Entry], spans: list[Span], **rules: bool | int) -> Comparison:
    return compare("t", 0, source, target, spans, Rules(**{"source_first": 0, **rules}))  # type: ignore[arg-type]


def test_equal_sides_have_equal_digests() -> None:
    found = compared(entries(0, "abcd"), entries(7, "abcd"), [Span(0, 7, 2), Span(2, 9, 2)])
    assert (found.equal, found.missing, found.different, found.extra) == (4, 0, 0, 0)
    assert found.source.hexdigest() == found.target.hexdigest()


@pytest.mark.parametrize(
    ("target", "kind", "source_offset", "target_offset"),
    [
        (entries(0, "abXd"), "different", 2, 2),
        (entries(0, "abcd", {1}), "missing", 1, 1),
        ([*entries(0, "abcd"), Entry(4, b"z")], "extra", None, 4),
    ],
)
def test_each_difference_is_named(
    target: list[Entry], kind: str, source_offset: int | None, target_offset: int
) -> None:
    found = compared(entries(0, "abcd"), target, [Span(0, 0, 4)])
    (one,) = found.differences
    assert (one.kind, one.source_offset, one.target_offset) == (kind, source_offset, target_offset)
    assert found.source.hexdigest() != found.target.hexdigest()


def test_a_record_that_was_never_mapped_is_missing() -> None:
    found = compared(entries(0, "abc"), entries(0, "ac"), [Span(0, 0, 1), Span(2, 1, 1)])
    assert (found.missing, found.equal) == (1, 2)
    assert found.differences[0].source_offset == 1


def test_two_records_that_changed_places_are_different() -> None:
    found = compared(entries(0, "ab"), entries(0, "ba"), [Span(0, 0, 2)])
    assert found.different == 2


def test_what_expired_on_the_source_is_no_extra() -> None:
    found = compared(entries(0, "abcd", {0, 1}), entries(0, "abcd"), [Span(0, 0, 4)], source_first=2)
    assert (found.extra, found.gone_from_source, found.equal) == (0, 2, 2)


@pytest.mark.parametrize("side", ["source", "target"])
def test_compaction_explains_a_record_only_where_a_later_one_has_its_key(side: str) -> None:
    whole, compacted = entries(0, "aBbA"), entries(0, "aBbA", {0, 1})
    source, target = (compacted, whole) if side == "source" else (whole, compacted)
    rules = {f"compacted_{side}": True}
    found = compared(source, target, [Span(0, 0, 4)], **rules)
    assert (found.equal, found.missing, found.extra) == (2, 0, 0)
    assert found.gone_from_source + found.compacted_away == 2
    assert found.source.hexdigest() == found.target.hexdigest()
    lost = entries(0, "aBbA", {2, 3})
    source, target = (lost, whole) if side == "source" else (whole, lost)
    found = compared(source, target, [Span(0, 0, 4)], **rules)
    assert found.missing + found.extra == 2


def test_more_differences_than_are_named_are_counted() -> None:
    found = compared(entries(0, "a" * 500), [], [Span(0, 0, 500)])
    assert (found.missing, len(found.differences)) == (500, 100)
