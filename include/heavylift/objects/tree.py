"""A hash tree over an inventory: one digest for the whole state, and cheap finding of what changed.

Keys are spread over 4,096 leaves by the first 12 bits of their SHA-256. A leaf's digest covers
its rows in the order of their keys: key, size, both versions and CRC32C. Three levels of 16
children each lead to the root, which commits to every row. Two trees are compared from the root
down, so that only the leaves that differ are ever looked at. DuckDB computes the leaves, some
millions of rows at a time, so that memory does not grow with the inventory.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.objects.row_files import INTEGER, TEXT, Columns, read_rows, write_rows

if TYPE_CHECKING:
    import duckdb

FANOUT = 16
DEPTH = 3
LEAVES: int = FANOUT**DEPTH
ROWS_AT_ONCE = 2_000_000

# The leaf of a key, 0 to 4,095, is written out in each query, since values alone can be bound.
_LEAVES = """
SELECT leaf, count(*), sum(size_bytes)::BIGINT, sha256(string_agg(digest, '' ORDER BY rel)) FROM (
  SELECT CAST(concat('0x', left(sha256(rel), 3)) AS INTEGER) AS leaf, rel, size_bytes,
         sha256(concat_ws('|', strlen(rel), rel, size_bytes, strlen(coalesce(source_version, '')),
                          coalesce(source_version, ''), strlen(target_version), target_version,
                          coalesce(crc32c, ''))) AS digest
  FROM read_parquet($path)
  WHERE CAST(concat('0x', left(sha256(rel), 3)) AS INTEGER) * $passes // 4096 = $number
) GROUP BY leaf ORDER BY leaf
"""
_ROWS_OF = """
SELECT rel, size_bytes, source_version, target_version, crc32c FROM read_parquet($path)
WHERE list_contains($leaves, CAST(concat('0x', left(sha256(rel), 3)) AS INTEGER))
ORDER BY rel LIMIT $limit
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a tree.

    :param level: 0 for the root, 3 for a leaf.
    :param index: its place among the nodes of its level.
    """

    level: int
    index: int
    objects: int
    size_bytes: int
    digest: str


def slice_of(rel: str, slices: int) -> int:
    """Return which of ``slices`` slices of the key space ``rel`` lies in."""
    leaf = int(hashlib.sha256(rel.encode()).hexdigest()[:3], 16)
    return leaf * slices // LEAVES


def build_tree(inventory: Path, memory_bytes: int) -> list[Node]:
    """Return the nodes of an inventory's tree, the root first; leaves without a row are left out."""
    import duckdb

    with duckdb.connect(":memory:") as database:
        database.execute("SET memory_limit = ?", [f"{max(memory_bytes, 64 * 2**20) // 2**20}MiB"])
        database.execute("SET threads = 1")
        counted = database.execute("SELECT count(*) FROM read_parquet(?)", [str(inventory)]).fetchone()
        passes = 1 + (int(counted[0]) if counted else 0) // ROWS_AT_ONCE
        leaves = [leaf for number in range(passes) for leaf in _leaves(database, inventory, passes, number)]
    return _with_parents(leaves)


def _leaves(database: duckdb.DuckDBPyConnection, inventory: Path, passes: int, number: int) -> list[Node]:
    values = {"path": str(inventory), "passes": passes, "number": number}
    found = database.execute(_LEAVES, values).fetchall()
    return [Node(DEPTH, *row) for row in found]


def _with_parents(leaves: list[Node]) -> list[Node]:
    levels = [leaves]
    for level in range(DEPTH - 1, -1, -1):
        children: dict[int, list[Node]] = defaultdict(list)
        for node in levels[0]:
            children[node.index // FANOUT].append(node)
        levels.insert(0, [_parent(level, index, below) for index, below in sorted(children.items())])
    if not leaves:
        levels[0] = [_parent(0, 0, [])]
    return [node for level_nodes in levels for node in level_nodes]


def _parent(level: int, index: int, children: list[Node]) -> Node:
    digest = hashlib.sha256()
    for child in children:
        digest.update(f"{child.index % FANOUT}:{child.digest};".encode())
    objects = sum(child.objects for child in children)
    return Node(level, index, objects, sum(child.size_bytes for child in children), digest.hexdigest())


_NODE: Columns = {
    "level": INTEGER,
    "index": INTEGER,
    "objects": INTEGER,
    "size_bytes": INTEGER,
    "digest": TEXT,
}


def write_tree(path: Path, nodes: list[Node]) -> None:
    """Write the nodes as one Parquet file."""
    write_rows(path, _NODE, [[getattr(node, name) for node in nodes] for name in _NODE])


def read_tree(path: Path) -> list[Node]:
    """Read what :func:`write_tree` wrote."""
    return [Node(*row) for row in read_rows(path, _NODE, 'true ORDER BY level, "index"')]


def changed_leaves(one: list[Node], other: list[Node]) -> list[int]:
    """Return the leaves in which two trees differ, by going down only where digests differ."""
    mine = {(node.level, node.index): node.digest for node in one}
    theirs = {(node.level, node.index): node.digest for node in other}
    differing = [0] if mine.get((0, 0)) != theirs.get((0, 0)) else []
    for level in range(1, DEPTH + 1):
        below = [parent * FANOUT + child for parent in differing for child in range(FANOUT)]
        differing = [index for index in below if mine.get((level, index)) != theirs.get((level, index))]
    return differing


def rows_of_leaves(inventory: Path, leaves: list[int], limit: int) -> list[dict[str, object]]:
    """Return the first ``limit`` rows of an inventory that lie in ``leaves``."""
    import duckdb

    with duckdb.connect(":memory:") as database:
        database.execute("SET threads = 2")
        values = {"path": str(inventory), "leaves": leaves, "limit": limit}
        cursor = database.execute(_ROWS_OF, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
