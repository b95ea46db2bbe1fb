"""Log-linear histograms of durations, as HdrHistogram's: any range, a stated relative error, and they merge.

Values are whole microseconds. Below 512 each has a bucket of its own; above, every doubling is cut into 256,
so that a value read back is at most 1/512 (0.2 %) from the one that was put in. Buckets are the same in every
histogram: merging adds counts and loses nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SUB_BITS = 8
RELATIVE_ERROR = 1 / (1 << (SUB_BITS + 1))
_PER_OCTAVE = 1 << SUB_BITS


def bucket_of(microseconds: int) -> int:
    """Return the number of the bucket that a value falls into; what is below 0 counts as 0."""
    value = max(0, microseconds)
    shift = max(0, value.bit_length() - SUB_BITS - 1)
    return shift * _PER_OCTAVE + (value >> shift)


def value_of(bucket: int) -> float:
    """Return the middle of a bucket, in microseconds."""
    if bucket < 2 * _PER_OCTAVE:
        return float(bucket)
    shift = bucket // _PER_OCTAVE - 1
    low = (bucket - shift * _PER_OCTAVE) << shift
    return low + ((1 << shift) - 1) / 2


@dataclass
class Histogram:
    """Counts of values by bucket."""

    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Histogram:
        """Return the histogram of durations in seconds."""
        made = cls()
        for each in seconds:
            made.add(each)
        return made

    @classmethod
    def from_counts(cls, counts: Mapping[int, int]) -> Histogram:
        """Return a histogram that was written down."""
        return cls(Counter({int(bucket): int(count) for bucket, count in counts.items()}))

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bucket_of(round(seconds * 1e6))] += 1

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self.counts.total()

    def merged(self, *others: Histogram) -> Histogram:
        """Return the histogram of this one's values and the others'."""
        made = Counter(self.counts)
        for other in others:
            made.update(other.counts)
        return Histogram(made)

    def quantile(self, share: float) -> float | None:
        """Return the value, in seconds, that ``share`` of all do not exceed; None where there is none."""
        return self.ranked(rank_of(share, self.total))

    def ranked(self, rank: int) -> float | None:
        """Return the ``rank``-th smallest value, from 1, in seconds; None where there are not so many."""
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return value_of(bucket) / 1e6
        return None


def rank_of(share: float, total: int) -> int:
    """Return which of so many values, from the smallest, is the quantile."""
    # 0.95 * 20 may come out as a little more than 19.
    return max(1, math.ceil(share * total - 1e-9))
