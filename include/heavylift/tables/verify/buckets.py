"""Buckets: how many, which of them differ, and how many rows are looked at in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from heavylift.tables.verify.side import Bucket

BUCKET_ROWS = 1_000
"""What one difference costs to find: so many rows of each side are read."""
MOST_BUCKETS = 4_096
CHUNK_ROWS = 1_000_000
"""Rows that the servers sort for one stream."""
MOST_SCANS = 16
"""Where no index leads to a bucket's rows, the whole table is read for each chunk of buckets."""
MOST_FINE_BUCKETS = 262_144
"""Buckets that are held in memory at most, some 50 MiB of them, where those that differ are cut again."""


def wanted_buckets(rows: int) -> int:
    """Return into about how many buckets a table is cut."""
    return max(1, min(MOST_BUCKETS, rows // BUCKET_ROWS))


def slots_for(buckets: int, ranges: int) -> int:
    """Return the power of two by which the ranges are cut to make about so many buckets."""
    needed = -(-buckets // ranges)
    return 1 << max(0, needed - 1).bit_length()


def differing(source: Mapping[int, Bucket], target: Mapping[int, Bucket]) -> list[int]:
    """Return the buckets that are not equal, in order."""
    return sorted(each for each in source.keys() | target.keys() if source.get(each) != target.get(each))


def rows_in(buckets: Sequence[int], *sides: Mapping[int, Bucket]) -> int:
    """Return how many rows some buckets have, on the side that has more."""
    return max(sum(side[each].rows for each in buckets if each in side) for side in sides)


def chunks(
    buckets: Sequence[int], source: Mapping[int, Bucket], target: Mapping[int, Bucket], most_rows: int
) -> Iterator[list[int]]:
    """Yield buckets in groups of at most so many rows on either side; a large one is alone."""
    group: list[int] = []
    rows = 0
    for each in buckets:
        more = rows_in([each], source, target)
        if group and rows + more > most_rows:
            yield group
            group, rows = [], 0
        group.append(each)
        rows += more
    if group:
        yield group


def chunk_rows(total: int, *, indexed: bool) -> int:
    """Return the rows of one chunk: more of them where each chunk reads the whole table."""
    return CHUNK_ROWS if indexed else max(CHUNK_ROWS, total // MOST_SCANS)
