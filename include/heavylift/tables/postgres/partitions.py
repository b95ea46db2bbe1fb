"""Partitions that come, go, are attached and detached on the source while the stream flows.

The log names each partition by itself. Which ones the stream knows is written on the source: each is a
member of the stream's publication by its own name. One that is not is new, or another one of the same name,
and is brought in with a snapshot of its own: it may have been filled before it was attached, when the log
said nothing of it to us.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import ConflictError
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import read_catalog, read_parts
from heavylift.tables.postgres.state import names, read_stream, read_tables

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.state import TableState
    from heavylift.tables.requests import TablesRequest

_UNPUBLISHED = """
SELECT n.nspname, c.relname, c.relkind = 'r' AND c.relpersistence = 'p'
FROM unnest(%s::oid[]) r(oid)
CROSS JOIN LATERAL pg_partition_tree(r.oid::regclass) t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND c.relkind <> 'p' AND NOT EXISTS (
    SELECT FROM pg_publication p JOIN pg_publication_rel m ON m.prpubid = p.oid
    WHERE p.pubname = %s AND m.prrelid = c.oid)
ORDER BY 1, 2
"""


def new_parts(request: TablesRequest, *, source: Session, target: Session) -> tuple[Table, ...]:
    """Return the partitions of the stream's tables that the source has got since.

    :raises ConflictError: one of them is in no log, or the target has another one of its name.
    """
    stream = read_stream(target, request.stream)
    known = read_tables(target, request.stream)
    roots = [table for table in read_catalog(source, ("*.*",)) if table.partitioned and table.name in known]
    if stream is None or not roots:
        return ()
    rows = source.execute(_UNPUBLISHED, [[root.oid for root in roots], stream.publication]).fetchall()
    unlogged = [TableName(row[0], row[1]) for row in rows if not row[2]]
    if unlogged:
        raise _in_no_log(unlogged)
    found = read_parts(source, [TableName(row[0], row[1]) for row in rows])
    taken = [part.name for part in found if part.name not in known and _has_rows(target, part.name)]
    if taken:
        raise _another(taken)
    return found


def roots_of(tables: Iterable[Table]) -> dict[TableName, TableName]:
    """Return for each partition the table that it is a part of."""
    return {leaf: table.name for table in tables for leaf in table.leaves}


def unattached(
    known: Mapping[TableName, object], source: Iterable[Table], target: Iterable[Table]
) -> list[TableName]:
    """Return partitions of the stream's tables that the target holds as tables of their own."""
    ours, theirs = roots_of(source), list(target)
    alone = {table.name for table in theirs}
    return sorted(leaf for leaf, root in ours.items() if root in known and leaf in alone)


def detached(
    known: Mapping[TableName, object], source: Iterable[Table], target: Iterable[Table]
) -> list[TableName]:
    """Return partitions of the stream's tables that the source no longer has as such, but the target has."""
    ours, theirs = roots_of(source), roots_of(target)
    return sorted(leaf for leaf, root in theirs.items() if root in known and ours.get(leaf) != root)


def passed_parts(
    known: Mapping[TableName, TableState], parts: Container[TableName], applied: int
) -> list[TableName]:
    """Return the noted partitions whose own snapshot the stream has passed."""
    return [
        name
        for name, state in known.items()
        if name in parts and state.settled is not None and state.settled <= applied
    ]


def demand_same_parts(gone: list[TableName]) -> None:
    """Refuse to call both sides equal while the target has partitions that the source gave away.

    :raises ConflictError: there are such partitions.
    """
    if gone:
        raise ConflictError(
            "following the source's schema",
            got=f"partitions that the source dropped, detached or renamed: {names(gone)}",
            expected="the same partitions on both sides",
            state="all changes are applied up to now; the target keeps these partitions and their rows",
            remedy="DROP TABLE them on the target, then run this again: what the source has detached or"
            " renamed and still wants to move is copied anew",
            code="6148",
        )


def _has_rows(session: Session, name: TableName) -> bool:
    there = session.execute("SELECT to_regclass(%s)", [sql.Identifier(*_parts(name)).as_string()]).fetchone()
    if not (there and there[0]):
        return False
    query = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(sql.Identifier(*_parts(name)))
    row = session.execute(query).fetchone()
    return bool(row and row[0])


def _parts(name: TableName) -> tuple[str, str]:
    return name.schema, name.name


def _another(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "following the source's schema",
        got=f"partitions that were attached with rows, or dropped and made again: {names(tables)}",
        expected="no rows in partitions of these names on the target",
        state="no change was applied by this run; the slot keeps them",
        remedy="DROP or TRUNCATE them on the target, then run this again: they are copied anew",
        code="6149",
    )


def _in_no_log(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "following the source's schema",
        got=f"new partitions that are foreign or unlogged tables: {names(tables)}",
        expected="partitions whose changes are in the log",
        state="no change was applied by this run; the slot keeps them",
        remedy="ALTER TABLE … SET LOGGED, or detach them on the source; then run this again",
        code="6150",
    )
