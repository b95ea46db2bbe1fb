"""Telling apart what is missing, extra and different, from two ordered streams of rows.

Memory is that of the rows whose keys share one digest: one, as good as always.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from heavylift.tables.verify.plan import Key
from heavylift.tables.verify.side import Row


@dataclass(frozen=True)
class Found:
    """A row that is not the same on both sides, ``count`` times."""

    kind: Literal["missing", "extra", "different"]
    key: Key
    count: int = 1


def merge(source: Iterable[Row], target: Iterable[Row], *, keyed: bool) -> Iterator[Found]:
    """Yield how two streams in ascending order of ``place`` differ.

    :param keyed: a key that both sides have is ``different``, not missing here and extra there.
    """
    ours, theirs = _places(source), _places(target)
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None or other is not None:
        if other is None or (mine is not None and mine[0] < other[0]):
            yield from _told(mine, None, keyed=keyed)
            mine = next(ours, None)
        elif mine is None or other[0] < mine[0]:
            yield from _told(None, other, keyed=keyed)
            other = next(theirs, None)
        else:
            yield from _told(mine, other, keyed=keyed)
            mine, other = next(ours, None), next(theirs, None)


_Group = tuple[int, dict[Key, Counter[int]]]


def _places(rows: Iterable[Row]) -> Iterator[_Group]:
    """Group rows of one place: digest by digest, for each of their keys."""
    for place, group in groupby(rows, key=lambda row: row.place):
        keys: dict[Key, Counter[int]] = defaultdict(Counter)
        for row in group:
            keys[row.key][row.digest] += row.count
        yield place, keys


def _told(source: _Group | None, target: _Group | None, *, keyed: bool) -> Iterator[Found]:
    ours = source[1] if source else {}
    theirs = target[1] if target else {}
    for key in {**ours, **theirs}:
        yield from classify(key, ours.get(key, Counter()), theirs.get(key, Counter()), keyed=keyed)


def classify(key: Key, source: Counter[int], target: Counter[int], *, keyed: bool) -> Iterator[Found]:
    """Yield how the rows of one key differ; a key may be there twice where nothing forbids it yet."""
    left, right = (source - target).total(), (target - source).total()
    changed = min(left, right) if keyed else 0
    if changed:
        yield Found("different", key, changed)
    if left > changed:
        yield Found("missing", key, left - changed)
    if right > changed:
        yield Found("extra", key, right - changed)
