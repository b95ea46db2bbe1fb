"""What tables a server has: their columns, keys and partitions, read from its catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.tables.model import Column, ReplicaIdentity, Table, TableName, is_chosen

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

NOT_SYSTEM = (
    "left(n.nspname, 3) <> 'pg_' AND n.nspname NOT IN ('information_schema', 'heavylift')"
    " AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid"
    " AND e.deptype = 'e')"
)
"""The condition that leaves out the server's own relations, ours, and members of extensions."""

_TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relreplident, c.reltuples::bigint, pg_table_size(c.oid), c.relkind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relispartition = %s AND c.relpersistence = 'p' AND {NOT_SYSTEM}
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""  # noqa: S608 - a constant

_COLUMNS = """
SELECT attrelid, attname, atttypid, atttypmod, format_type(atttypid, atttypmod), NOT attnotnull,
    attgenerated <> '', attidentity
FROM pg_attribute WHERE attrelid = ANY(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum
"""

# A deferrable index can name no row for the log, nor be the arbiter of an upsert; and the log tells nothing
# of a generated column.
_KEYS = """
SELECT i.indrelid, i.indexrelid, i.indisprimary, i.indisreplident,
    array_agg(a.attname::text ORDER BY k.ord), bool_and(a.attnotnull)
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, ord)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = ANY(%s) AND i.indisunique AND i.indimmediate AND i.indisvalid
    AND i.indpred IS NULL AND i.indexprs IS NULL AND k.ord <= i.indnkeyatts
GROUP BY i.indrelid, i.indexrelid, i.indisprimary, i.indisreplident
HAVING NOT bool_or(a.attgenerated <> '')
ORDER BY i.indrelid, i.indisprimary DESC, count(*), i.indexrelid
"""

_LEAVES = """
SELECT r.oid, n.nspname, c.relname, c.reltuples::bigint, pg_table_size(c.oid)
FROM unnest(%s::oid[]) r(oid)
CROSS JOIN LATERAL pg_partition_tree(r.oid::regclass) t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND c.relkind = 'r'
ORDER BY r.oid, n.nspname COLLATE "C", c.relname COLLATE "C"
"""

_STORAGE = """
SELECT n.nspname, c.relname, coalesce(pg_relation_filenode(c.oid), 0), pg_relation_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN unnest(%s::text[], %s::text[]) w(schema, name) ON w.schema = n.nspname AND w.name = c.relname
"""

_INDEX_TREE = """
SELECT n.nspname, t.relname, x.relname
FROM unnest(%s::oid[]) k(oid)
CROSS JOIN LATERAL (SELECT k.oid UNION SELECT relid FROM pg_partition_tree(k.oid::regclass)) m(oid)
JOIN pg_class x ON x.oid = m.oid JOIN pg_namespace n ON n.oid = x.relnamespace
JOIN pg_index i ON i.indexrelid = x.oid JOIN pg_class t ON t.oid = i.indrelid
"""


@dataclass(frozen=True)
class Index:
    """A unique index that could name rows."""

    oid: int
    primary: bool
    identity: bool
    columns: tuple[str, ...]
    not_null: bool


@dataclass(frozen=True)
class Leaf:
    """A relation that holds rows: a plain table, or a partition.

    :param filenode: what its file is called; a rewrite gives it another name.
    """

    name: TableName
    filenode: int
    size_bytes: int


def read_catalog(session: Session, include: Iterable[str], exclude: Iterable[str] = ()) -> tuple[Table, ...]:
    """Return the chosen tables that can be moved, in order of name; partitions belong to their root.

    Unlogged, temporary and foreign tables are none of them: their changes are in no log.
    """
    include, exclude = tuple(include), tuple(exclude)
    return _read(session, lambda name: is_chosen(name, include, exclude), parts=False)


def read_parts(session: Session, names: Iterable[TableName]) -> tuple[Table, ...]:
    """Return partitions, each as a table by itself."""
    wanted = set(names)
    return _read(session, wanted.__contains__, parts=True) if wanted else ()


def _read(session: Session, wanted: Callable[[TableName], bool], *, parts: bool) -> tuple[Table, ...]:
    rows = session.execute(_TABLES, [parts]).fetchall()
    found = [row for row in rows if wanted(TableName(row[1], row[2]))]
    oids = [row[0] for row in found]
    columns = _columns(session, oids)
    indexes = _indexes(session, oids)
    leaves = _leaves(session, [row[0] for row in found if row[6] == "p"])
    return tuple(_table(row, columns.get(row[0], ()), indexes.get(row[0], ()), leaves) for row in found)


def key_index(identity: ReplicaIdentity, indexes: Sequence[Index]) -> Index | None:
    """Return the index whose columns name a row, both in the source's log and on the target."""
    if identity is ReplicaIdentity.INDEX:
        return next((index for index in indexes if index.identity), None)
    if identity is ReplicaIdentity.DEFAULT:
        return next((index for index in indexes if index.primary), None)
    if identity is ReplicaIdentity.FULL:
        return next((index for index in indexes if index.not_null), None)
    return None


def key_index_names(session: Session, tables: Iterable[Table]) -> set[tuple[str, str, str]]:
    """Return schema, table and name of the indexes behind the tables' keys, those of partitions too."""
    keyed = [table for table in tables if table.key]
    indexes = _indexes(session, [table.oid for table in keyed])
    chosen = [key_index(table.identity, indexes.get(table.oid, ())) for table in keyed]
    rows = session.execute(_INDEX_TREE, [[index.oid for index in chosen if index]]).fetchall()
    return {(schema, table, index) for schema, table, index in rows}


def holders(table: Table) -> tuple[TableName, ...]:
    """Return the relations that hold a table's rows: its partitions, if there are any, or itself."""
    return table.leaves if table.partitioned else (table.name,)


def read_leaves(session: Session, tables: Iterable[Table]) -> dict[TableName, Leaf]:
    """Return files and sizes of the relations that hold the tables' rows.

    ``pg_relation_filenode`` answers from the server's cache, so even within an old snapshot it tells
    what is true now.
    """
    names = [name for table in tables for name in holders(table)]
    rows = session.execute(_STORAGE, [[n.schema for n in names], [n.name for n in names]]).fetchall()
    return {TableName(r[0], r[1]): Leaf(TableName(r[0], r[1]), r[2], r[3]) for r in rows}


def _table(
    row: Any,
    columns: tuple[Column, ...],
    indexes: Sequence[Index],
    leaves: dict[int, list[tuple[TableName, int, int]]],
) -> Table:
    oid, schema, name, identity, estimate, size, kind = row
    own = leaves.get(oid, [])
    replica_identity = ReplicaIdentity(identity)
    key = key_index(replica_identity, indexes)
    known = [rows for _, rows, _ in own if rows >= 0]
    return Table(
        name=TableName(schema, name),
        oid=oid,
        columns=columns,
        key=key.columns if key else (),
        identity=replica_identity,
        leaves=tuple(leaf for leaf, _, _ in own),
        row_estimate=(sum(known) if known else -1) if own else estimate,
        size_bytes=sum(leaf_size for _, _, leaf_size in own) if own else size,
        partitioned=kind == "p",
    )


def _columns(session: Session, oids: list[int]) -> dict[int, tuple[Column, ...]]:
    found: dict[int, tuple[Column, ...]] = {}
    for row in session.execute(_COLUMNS, [oids]).fetchall():
        found[row[0]] = (*found.get(row[0], ()), Column(*row[1:]))
    return found


def _indexes(session: Session, oids: list[int]) -> dict[int, list[Index]]:
    found: dict[int, list[Index]] = {}
    for row in session.execute(_KEYS, [oids]).fetchall():
        index = Index(row[1], row[2], row[3], tuple(row[4]), row[5])
        found.setdefault(row[0], []).append(index)
    return found


def _leaves(session: Session, oids: list[int]) -> dict[int, list[tuple[TableName, int, int]]]:
    found: dict[int, list[tuple[TableName, int, int]]] = {}
    for row in session.execute(_LEAVES, [oids]).fetchall():
        found.setdefault(row[0], []).append((TableName(row[1], row[2]), row[3], row[4]))
    return found
