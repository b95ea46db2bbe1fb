"""Two ordered streams of rows, and what is told of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.tables.verify.both import begun
from heavylift.tables.verify.merge import Found, merge
from heavylift.tables.verify.side import Row

# Few places, keys and digests, so that all kinds of meetings happen.
ROWS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(0, 2)), max_size=12)


def stream(rows: list[tuple[int, str, int]]) -> list[Row]:
    return [Row(place, (f"{key}{place}",), digest) for place, key, digest in sorted(rows, key=lambda r: r[0])]


def told(rows: list[Found]) -> Counter[tuple[str, str | None]]:
    found: Counter[tuple[str, str | None]] = Counter()
    for row in rows:
        found[row.kind, row.key[0]] += row.count
    return found


@settings(deadline=None, max_examples=500)
@given(source=ROWS, target=ROWS)
def test_a_merge_tells_what_multisets_tell(
    source: list[tuple[int, str, int]], target: list[tuple[int, str, int]]
) -> None:
    wanted: Counter[tuple[str, str | None]] = Counter()
    keys = {(place, key) for place, key, _ in source + target}
    for place, key in keys:
        ours = Counter(digest for p, k, digest in source if (p, k) == (place, key))
        theirs = Counter(digest for p, k, digest in target if (p, k) == (place, key))
        left, right = (ours - theirs).total(), (theirs - ours).total()
        name = f"{key}{place}"
        counts = {"different": min(left, right), "missing": left - right, "extra": right - left}
        wanted.update({(kind, name): count for kind, count in counts.items() if count > 0})
    assert told(list(merge(stream(source), stream(target), keyed=True))) == wanted


def test_without_a_key_nothing_is_different() -> None:
    ours, theirs = [Row(1, ("1",), 1, 3), Row(2, ("2",), 2, 1)], [Row(1, ("1",), 1, 1), Row(3, ("3",), 3, 2)]
    assert list(merge(ours, theirs, keyed=False)) == [
        Found("missing", ("1",), 2), Found("missing", ("2",), 1), Found("extra", ("3",), 2),
    ]  # fmt: skip


def test_streams_that_were_begun_lose_no_row() -> None:
    rows = stream([(place, "a", 0) for place in range(5)])
    source, target = begun(iter(rows), iter([]), lambda: None)
    assert (list(source), list(target)) == (rows, [])
