"""The hash tree over an inventory: it commits to every row, and finds what changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.objects.tree import (
    LEAVES,
    build_tree,
    changed_leaves,
    read_tree,
    rows_of_leaves,
    slice_of,
    write_tree,
)
from tests.support.isolated import run_python

ROWS = [(f"day={n % 7}/f{n} é", n, f"s{n}", f"t{n}", "0a0b0c0d" if n % 3 else None) for n in range(3000)]
NAMES = ("rel", "size_bytes", "source_version", "target_version", "crc32c")


def inventory(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    kinds = [pa.string(), pa.int64(), pa.string(), pa.string(), pa.string()]
    columns = [pa.array([row[n] for row in rows], kind) for n, kind in enumerate(kinds)]
    pq.write_table(pa.table(columns, names=list(NAMES)), path)
    return path


def test_the_root_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    one = build_tree(inventory(tmp_path / "a", ROWS), 2**26)
    other = build_tree(inventory(tmp_path / "b", ROWS[::-1]), 2**26)
    assert one == other
    assert (one[0].level, one[0].objects, one[0].size_bytes) == (0, 3000, sum(range(3000)))


def test_memory_does_not_grow_with_an_inventory_that_is_sorted(tmp_path: Path) -> None:
    """400,000 rows of 220 bytes (84 MiB), by a process that takes less than 40 MiB for them."""
    objects, grown_mib = run_python(LARGE, str(tmp_path / "large"))
    assert objects == 400_000
    assert grown_mib < 40


LARGE = """
import resource, sys
from pathlib import Path
from heavylift.objects.databases import open_database
from heavylift.objects.tree import build_tree

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
path = Path(sys.argv[1])
with open_database(2**26) as db:
    db.execute(
        "COPY (SELECT format('{:09d}', range) || repeat('k', 91) AS rel, range AS size_bytes,"
        " 's' AS source_version, md5(range::VARCHAR) AS target_version, NULL::VARCHAR AS crc32c"
        " FROM range(400000)) TO ? (FORMAT parquet, ROW_GROUP_SIZE 20480)", [str(path)]
    )
before = peak()
answer((build_tree(path, 2**26)[0].objects, peak() - before))
"""


@pytest.mark.parametrize("column", range(5))
def test_every_column_of_every_row_counts(tmp_path: Path, column: int) -> None:
    changed = list(ROWS)
    row = list(ROWS[1234])
    row[column] = 7 if column == 1 else f"{row[column]}x"
    changed[1234] = tuple(row)
    before, after = inventory(tmp_path / "a", ROWS), inventory(tmp_path / "b", changed)
    one, other = build_tree(before, 2**26), build_tree(after, 2**26)
    assert one[0].digest != other[0].digest
    leaves = changed_leaves(one, other)
    assert len(leaves) == (2 if column == 0 else 1)
    assert ROWS[1234][0] in {found["rel"] for found in rows_of_leaves(before, leaves, 100)}
    assert len(rows_of_leaves(after, leaves, 1000)) < 20


def test_texts_that_only_differ_in_where_they_end_are_told_apart(tmp_path: Path) -> None:
    one = build_tree(inventory(tmp_path / "a", [("k", 1, "ab", "c", None)]), 2**26)
    other = build_tree(inventory(tmp_path / "b", [("k", 1, "a", "bc", None)]), 2**26)
    assert one[0].digest != other[0].digest


def test_what_appears_and_disappears_is_found(tmp_path: Path) -> None:
    before = build_tree(inventory(tmp_path / "a", ROWS[1:]), 2**26)
    after = build_tree(inventory(tmp_path / "b", ROWS[:-1]), 2**26)
    assert len(changed_leaves(before, after)) == 2
    assert changed_leaves(before, before) == []


def test_an_empty_inventory_has_a_root(tmp_path: Path) -> None:
    [root] = build_tree(inventory(tmp_path / "a", []), 2**26)
    assert (root.objects, len(root.digest)) == (0, 64)


def test_a_tree_can_be_kept(tmp_path: Path) -> None:
    nodes = build_tree(inventory(tmp_path / "a", ROWS), 2**26)
    write_tree(tmp_path / "tree", nodes)
    assert read_tree(tmp_path / "tree") == nodes


@pytest.mark.parametrize("slices", [1, 3, 16, LEAVES])
def test_slices_share_out_all_keys_evenly(slices: int) -> None:
    counts = [0] * slices
    for row in ROWS:
        counts[slice_of(row[0], slices)] += 1
    assert sum(counts) == len(ROWS)
    if slices <= 16:
        assert min(counts) > 0.6 * len(ROWS) / slices
