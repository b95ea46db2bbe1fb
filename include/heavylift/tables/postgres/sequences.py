"""Sequences: no log carries them, so their values are set, with room for what comes meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import NotFoundError
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import NOT_SYSTEM

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

# Those of the tables' schemas, and those that a column of a table owns or takes its default from.
_SEQUENCES = f"""
SELECT DISTINCT n.nspname, c.relname, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.relpersistence <> 't' AND {NOT_SYSTEM}
  AND (EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY(%(tables)s)
            AND d.deptype IN ('a', 'i'))
    OR EXISTS (
        SELECT FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = c.oid AND f.adrelid = ANY(%(tables)s))
    OR n.nspname = ANY(%(schemas)s) AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
ORDER BY 1, 2
"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class Sequence:
    """A sequence and where it stands.

    :param called: whether ``value`` was handed out; if not it is the next one.
    """

    name: TableName
    increment: int
    least: int
    greatest: int
    cycles: bool
    value: int
    called: bool


def read_sequences(session: Session, tables: Iterable[Table]) -> tuple[Sequence, ...]:
    """Return the tables' sequences, and those of their schemas that no other table owns."""
    tables = tuple(tables)
    rows = session.execute(
        _SEQUENCES,
        {
            "tables": [table.oid for table in tables],
            "schemas": sorted({table.name.schema for table in tables}),
        },
    ).fetchall()
    found = []
    for schema, name, increment, least, greatest, cycles in rows:
        value, called = _stand(session, schema, name)
        found.append(Sequence(TableName(schema, name), increment, least, greatest, cycles, value, called))
    return tuple(found)


def copy_sequences(
    source: Session, target: Session, tables: Iterable[Table], headroom: int
) -> dict[str, int]:
    """Set the target's sequences to the source's values and return them, by name.

    A sequence of the target is never set back: what it gave out stays given out.

    :param headroom: how many values to leave out, for what the source still hands out meanwhile.
    :raises NotFoundError: the target lacks a sequence.
    """
    moved = read_sequences(source, tables)
    found: dict[str, int] = {}
    there = _existing(target, [sequence.name for sequence in moved])
    for sequence in moved:
        if sequence.name not in there:
            raise NotFoundError(
                f"setting sequence {sequence.name}",
                got="no such sequence on the target",
                expected="the schema of the source",
                state=f"{len(found)} of {len(moved)} sequences are set",
                remedy="make it on the target, or run the snapshot again, which makes it",
                code="6130",
            )
        value, called = _stand(target, sequence.name.schema, sequence.name.name)
        wanted = advanced(sequence, headroom)
        if called:
            wanted = farther(wanted, (value, called), sequence.increment)
        target.execute(
            sql.SQL("SELECT setval({}::regclass, {}, {})").format(
                sql.Literal(_regclass(sequence.name)), sql.Literal(wanted[0]), sql.Literal(wanted[1])
            )
        )
        found[str(sequence.name)] = wanted[0]
    return found


def advance_past_rows(session: Session, table: TableName, column: str, at_least: int) -> tuple[str, int]:
    """Set the sequence of a column ahead of its rows, and to ``at_least``; never back.

    :return: the sequence's name, empty where the column has none, and its value.
    """
    name = sql.Identifier(table.schema, table.name)
    found = session.execute("SELECT pg_get_serial_sequence(%s, %s)", [name.as_string(), column]).fetchone()
    sequence = str(found[0]) if found and found[0] else ""
    if not sequence:
        return "", 0
    row = session.execute(
        sql.SQL(
            "SELECT setval({}::regclass, greatest(s.last_value, {}, coalesce((SELECT max({}) FROM {}), 0)))"
            " FROM {} s"
        ).format(
            sql.Literal(sequence),
            sql.Literal(at_least),
            sql.Identifier(column),
            name,
            sql.SQL(sequence),
        )
    ).fetchone()
    return sequence, int(row[0]) if row else 0


def advanced(sequence: Sequence, headroom: int) -> tuple[int, bool]:
    """Return where a sequence stands after ``headroom`` further values, within its bounds."""
    if headroom <= 0:
        return sequence.value, sequence.called
    value = sequence.value + headroom * sequence.increment
    return min(max(value, sequence.least), sequence.greatest), True


def farther(one: tuple[int, bool], other: tuple[int, bool], increment: int) -> tuple[int, bool]:
    """Return the one of two stands that has given out more."""
    sign = 1 if increment > 0 else -1
    return max(one, other, key=lambda stand: (sign * stand[0], stand[1]))


def _stand(session: Session, schema: str, name: str) -> tuple[int, bool]:
    row = session.execute(
        sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
    ).fetchone()
    return (int(row[0]), bool(row[1])) if row else (1, False)


def _existing(session: Session, names: list[TableName]) -> set[TableName]:
    rows = session.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN unnest(%s::text[], %s::text[]) w(schema, name) ON w.schema = n.nspname AND w.name = c.relname"
        " WHERE c.relkind = 'S'",
        [[name.schema for name in names], [name.name for name in names]],
    ).fetchall()
    return {TableName(row[0], row[1]) for row in rows}


def _regclass(name: TableName) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (name.schema, name.name))
