"""A hash tree over an inventory: one digest for the whole state, and cheap finding of what changed.

Keys are spread over 4,096 leaves by the first 12 bits of their SHA-256. A leaf's digest covers
its rows in the order of their keys: key, size, both versions and CRC32C. Three levels of 16
children each lead to the root, which commits to every row. Two trees are compared from the root
down, so that only the leaves that differ are ever looked at. Rows stream past the leaves, so that
memory does not grow with the inventory.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.objects.databases import LEAST_MEMORY, open_database
from heavylift.objects.row_files import INTEGER, TEXT, Columns, read_rows, write_rows

if TYPE_CHECKING:
    import duckdb

FANOUT = 16
DEPTH = 3
LEAVES: int = FANOUT**DEPTH
_ROWS_AT_ONCE = 4096

# The leaf of a key, 0 to 4,095, is written out in each query, since values alone can be bound. Texts
# have their lengths before them: no two rows look alike.
_ROWS = """
SELECT CAST(concat('0x', left(sha256(rel), 3)) AS INTEGER), size_bytes, rel,
       concat_ws('|', strlen(rel), rel, size_bytes, strlen(coalesce(source_version, '')),
                 coalesce(source_version, ''), strlen(target_version), target_version, coalesce(crc32c, ''))
FROM read_parquet($path)
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


class _OutOfOrderError(Exception):
    """A row came before one with a smaller key."""


def build_tree(inventory: Path, memory_bytes: int) -> list[Node]:
    """Return the nodes of an inventory's tree, the root first; leaves without a row are left out.

    :param memory_bytes: most memory for sorting, where the inventory is not sorted by key already.
    """
    with open_database(memory_bytes, work=inventory.parent) as database:
        values = {"path": str(inventory)}
        try:
            leaves = _leaves(database.execute(_ROWS, values))
        except _OutOfOrderError:
            leaves = _leaves(database.execute(f"{_ROWS} ORDER BY rel", values))
    return _with_parents(leaves)


def _leaves(rows: duckdb.DuckDBPyConnection) -> list[Node]:
    digests: list[Any] = [None] * LEAVES
    objects, sizes, last = [0] * LEAVES, [0] * LEAVES, ""
    while some := rows.fetchmany(_ROWS_AT_ONCE):
        for leaf, size_bytes, rel, text in some:
            if rel < last:
                raise _OutOfOrderError(rel)
            last = rel
            if digests[leaf] is None:
                digests[leaf] = hashlib.sha256()
            digests[leaf].update(f"{text}\n".encode())
            objects[leaf] += 1
            sizes[leaf] += size_bytes
    return [
        Node(DEPTH, leaf, objects[leaf], sizes[leaf], digest.hexdigest())
        for leaf, digest in enumerate(digests)
        if digest is not None
    ]


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
    with open_database(LEAST_MEMORY, threads=2, work=inventory.parent) as database:
        values = {"path": str(inventory), "leaves": leaves, "limit": limit}
        cursor = database.execute(_ROWS_OF, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
