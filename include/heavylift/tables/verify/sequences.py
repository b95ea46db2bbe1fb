"""Sequences that would give out a number twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.model import Table
from heavylift.tables.verify.sessions import Sessions

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_OWNED = """
SELECT n.nspname, c.relname, s.seqincrement
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype IN ('a', 'i')
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY(%(tables)s))
   OR EXISTS (
    SELECT FROM pg_attrdef a JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
    WHERE a.adrelid = ANY(%(tables)s) AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.seqrelid)
ORDER BY 1, 2
"""
"""Sequences that belong to a column of the tables (serial, identity), or that a default asks."""


def sequences_behind(source: Sessions, target: Sessions, tables: Sequence[Table]) -> tuple[str, ...]:
    """Return the sequences of some tables whose next number on the target was given out on the source.

    :param tables: as the source has them.
    :return: ``schema.name``, with what is wrong where the target has no such sequence.
    """
    with source.lend() as ours, target.lend() as theirs:
        wanted = ours.execute(_OWNED, {"tables": [table.oid for table in tables]}).fetchall()
        behind = []
        for schema, name, increment in wanted:
            last, reached = _last(ours, schema, name), _last(theirs, schema, name)
            if reached is None:
                behind.append(f"{schema}.{name} (not on the target)")
            elif last is not None and (last - reached) * (1 if increment > 0 else -1) > 0:
                behind.append(f"{schema}.{name}")
    return tuple(behind)


def _last(session: Session, schema: str, name: str) -> int | None:
    """Return the last number given out, one step short of the start where none was; None: no sequence."""
    row = session.execute(
        "SELECT seqincrement FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid"
        " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s AND relname = %s",
        [schema, name],
    ).fetchone()
    if row is None:
        return None
    found = session.execute(
        sql.SQL("SELECT last_value - CASE WHEN is_called THEN 0 ELSE {} END FROM {}").format(
            sql.Literal(row[0]), sql.Identifier(schema, name)
        )
    ).fetchone()
    return int(found[0]) if found else None
