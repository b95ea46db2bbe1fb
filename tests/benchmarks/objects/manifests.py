"""Two listings to compare, of which it is known how they differ.

Every 1,000th row is missing from the second, every 1,000th changed, and after every 999th there
is one that the first does not have: unequal numbers show a comparison the wrong way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_EACH, _EACH_EXTRA = 1000, 999
_MISSING, _CHANGED, _EXTRA = 1, 2, 3


@dataclass(frozen=True)
class Known:
    """How the second listing differs from the first."""

    equal: int
    missing: int
    extra: int
    changed: int


def known(rows: int) -> Known:
    """Return what a comparison has to find, the first listing having ``rows`` rows."""
    missing, changed = _count(rows, _EACH, _MISSING), _count(rows, _EACH, _CHANGED)
    return Known(rows - missing - changed, missing, _count(rows, _EACH_EXTRA, _EXTRA), changed)


def _count(rows: int, each: int, rest: int) -> int:
    """Return how many numbers below ``rows`` leave ``rest``."""
    return max(0, -(-(rows - rest) // each))


def write(rows: int, old: Path, new: Path) -> None:
    """Write both files, sorted by their keys."""
    import duckdb

    # Number j of 2 * rows: the key of row j // 2, then the one that stands just after it.
    every = (
        f"SELECT j // 2 AS i, j % 2 AS added, printf('data/%02d/object-%010d', i * 100 // {rows}, i) AS key,"
        f" md5(i::VARCHAR) AS tag FROM range({2 * rows}) t(j)"
    )
    rest = "(i * 7919) % 1000000 AS size_bytes, {} AS version, 1767225600000000 + i AS modified_us"
    changed = f"CASE WHEN i % {_EACH} = {_CHANGED} THEN md5(tag) ELSE tag END"
    first = f"SELECT key AS rel, {rest.format('tag')} FROM ({every}) WHERE added = 0"
    second = (
        f"SELECT CASE added WHEN 1 THEN key || '~' ELSE key END AS rel, {rest.format(changed)} FROM ({every})"
        f" WHERE CASE added WHEN 1 THEN i % {_EACH_EXTRA} = {_EXTRA} ELSE i % {_EACH} <> {_MISSING} END"
    )
    with duckdb.connect(config={"memory_limit": "2GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        for query, file in ((first, old), (second, new)):
            connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
