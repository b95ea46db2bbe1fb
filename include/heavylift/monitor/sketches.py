"""Sketches of distributions: exact counts over buckets that become coarser by halving, and that merge.

A value becomes a key of 64 bits: a float by its bits, so that the order of keys is that of numbers; a text by
its digest. A sketch counts ``key >> level`` and raises the level only when more than :data:`MOST_BUCKETS`
differ. The level of a whole is the lowest at which its buckets fit, so it never is below that of a part:
merging parts, in any order, gives the very sketch of the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MOST_BUCKETS = 8192
TOP_LEVEL = 63
_SIGN = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_WIDEST = 1 << 18

Keys = NDArray[np.int64]


def keys_of_numbers(values: NDArray[np.float64]) -> Keys:
    """Return the keys of finite numbers; -0 is 0."""
    bits = (values + 0.0).view(np.int64)
    return bits ^ ((bits >> 63) & _SIGN)


def numbers_of_keys(keys: Keys) -> NDArray[np.float64]:
    """Return the numbers that have these keys."""
    return (keys ^ ((keys >> 63) & _SIGN)).view(np.float64)


def keys_of_texts(values: Iterable[bytes]) -> Keys:
    """Return the keys of texts: the first 8 bytes of their SHA-256, so that no sketch holds a text."""
    digests = b"".join(hashlib.sha256(value).digest()[:8] for value in values)
    return np.frombuffer(digests, dtype=">i8").astype(np.int64)


def _none() -> Keys:
    return np.empty(0, dtype=np.int64)


@dataclass
class Sketch:
    """Counts by bucket, ascending; ``level`` bits of each key are dropped."""

    level: int = 0
    buckets: Keys = field(default_factory=_none)
    counts: Keys = field(default_factory=_none)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def add(self, keys: Keys, counts: Keys | None = None) -> None:
        """Count keys, each once or as often as ``counts`` says."""
        if keys.size:
            self._take(*_counted(keys >> self.level, counts))

    def merge(self, other: Sketch) -> None:
        """Count all that another sketch counted."""
        level = max(self.level, other.level)
        self._raise_to(level)
        self._take(*_folded(other.buckets >> (level - other.level), other.counts))

    def at_level(self, level: int) -> Sketch:
        """Return the same counts at this level or a higher one."""
        made = Sketch(self.level, self.buckets, self.counts)
        made._raise_to(max(level, self.level))
        return made

    def _take(self, buckets: Keys, counts: Keys) -> None:
        if self.buckets.size:
            joined, both = np.concatenate((self.buckets, buckets)), np.concatenate((self.counts, counts))
            order = np.argsort(joined, kind="stable")
            buckets, counts = _folded(joined[order], both[order])
        self.buckets, self.counts = buckets, counts
        if buckets.size > MOST_BUCKETS:
            self._raise_to(self.level + _levels_needed(buckets))

    def _raise_to(self, level: int) -> None:
        if level > self.level and self.buckets.size:
            self.buckets, self.counts = _folded(self.buckets >> (level - self.level), self.counts)
        self.level = max(level, self.level)


def _levels_needed(buckets: Keys) -> int:
    low, high = 1, TOP_LEVEL
    while low < high:
        middle = (low + high) // 2
        if 1 + np.count_nonzero(np.diff(buckets >> middle)) > MOST_BUCKETS:
            low = middle + 1
        else:
            high = middle
    return low


def _folded(buckets: Keys, counts: Keys) -> tuple[Keys, Keys]:
    """Add up the counts of equal buckets that stand side by side."""
    if not buckets.size:
        return buckets, counts
    starts = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
    return buckets[starts], np.add.reduceat(counts, starts)


def _counted(buckets: Keys, counts: Keys | None) -> tuple[Keys, Keys]:
    """Count buckets in any order: through an array where they lie close together, else by sorting."""
    low = int(buckets.min())
    span = int(buckets.max()) - low
    if counts is None and span < _WIDEST:
        found = np.bincount(buckets - low)
        seen = np.flatnonzero(found)
        return seen + low, found[seen].astype(np.int64)
    if counts is None:
        values, times = np.unique(buckets, return_counts=True)
        return values, times.astype(np.int64)
    order = np.argsort(buckets, kind="stable")
    return _folded(buckets[order], counts[order])


def together(first: Sketch, second: Sketch) -> tuple[Keys, Keys, Keys, int]:
    """Return the buckets of both at one level, the counts of each, and the level."""
    level = max(first.level, second.level)
    one, other = first.at_level(level), second.at_level(level)
    buckets = np.union1d(one.buckets, other.buckets)
    made = []
    for each in (one, other):
        counts = np.zeros(buckets.size, dtype=np.int64)
        counts[np.searchsorted(buckets, each.buckets)] = each.counts
        made.append(counts)
    return buckets, made[0], made[1], level


def middles(buckets: Keys, level: int) -> NDArray[np.float64]:
    """Return the number in the middle of each bucket of numbers; exact at level 0."""
    half = np.int64((1 << level) >> 1)
    found = numbers_of_keys((buckets << level) + half)
    # The highest bucket may reach beyond the largest float.
    return np.nan_to_num(found, nan=np.finfo(np.float64).max)
