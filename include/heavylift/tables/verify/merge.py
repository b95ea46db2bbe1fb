"""Telling apart what is missing, extra and different, from two ordered streams of rows.

Memory is that of the rows whose keys share one digest: one, as good as always.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    ours, theirs = _Stream(source), _Stream(target)
    while ours.row is not None or theirs.row is not None:
        if ours.row == theirs.row:
            # One of each may go, whatever else has this place: what is left differs as before.
            ours.advance()
            theirs.advance()
            continue
        place = min(row.place for row in (ours.row, theirs.row) if row is not None)
        yield from _told(ours.take(place), theirs.take(place), keyed=keyed)


class _Stream:
    """Rows one by one, with the next one in sight."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.row = next(self._rows, None)

    def advance(self) -> None:
        self.row = next(self._rows, None)

    def take(self, place: int) -> list[Row]:
        """Return all rows of one place, perhaps none."""
        taken = []
        while self.row is not None and self.row.place == place:
            taken.append(self.row)
            self.advance()
        return taken


def _told(source: list[Row], target: list[Row], *, keyed: bool) -> Iterator[Found]:
    ours, theirs = _by_key(source), _by_key(target)
    for key in {**ours, **theirs}:
        yield from classify(key, ours.get(key, Counter()), theirs.get(key, Counter()), keyed=keyed)


def _by_key(rows: list[Row]) -> dict[Key, Counter[int]]:
    keys: dict[Key, Counter[int]] = defaultdict(Counter)
    for row in rows:
        keys[row.key][row.digest] += row.copies
    return keys


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
