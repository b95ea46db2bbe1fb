"""References between staged tables: by them rows are moved in order, and what refers to nothing is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from heavylift.registry.store.unfit import NAMED, Unfit, key_text

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.store.catalog import StoreTable

_DEFINITIONS = """
SELECT c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' AND n.nspname = %s ORDER BY 1, k.conname
"""
_PAIRS = """
SELECT c.relname, p.relname, array_agg(a.attname::text ORDER BY u.place),
    array_agg(b.attname::text ORDER BY u.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY u (here, there, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.here
JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = u.there
WHERE k.contype = 'f' AND n.nspname = %s
GROUP BY k.oid, c.relname, p.relname ORDER BY 1, 2
"""


def refer(session: Session, schema: str, staged: str, wanted: Mapping[str, StoreTable]) -> None:
    """Give the staged tables the references that those of ``schema`` have; rows are not checked."""
    from psycopg import sql

    path = sql.SQL("SET LOCAL search_path = {}, pg_catalog")
    session.execute(path.format(sql.Identifier(schema)))
    found = session.execute(_DEFINITIONS, [schema]).fetchall()
    session.execute(path.format(sql.Identifier(staged)))
    for table, definition in found:
        if table in wanted:
            # The server's own words for the constraint.
            session.execute(
                sql.SQL("ALTER TABLE {} ADD {} NOT VALID").format(
                    sql.Identifier(staged, table), sql.SQL(definition)
                )
            )


def without_parents(session: Session, staged: str, wanted: Mapping[str, StoreTable]) -> Iterator[Unfit]:
    """Yield staged rows that refer to what is not there, letter by letter."""
    from psycopg import sql

    for table, parent, columns, others in session.execute(_PAIRS, [staged]).fetchall():
        match = sql.SQL(" AND ").join(
            sql.SQL("p.{} = c.{}").format(sql.Identifier(there), sql.Identifier(here))
            for here, there in zip(columns, others, strict=True)
        )
        given = sql.SQL(" AND ").join(
            sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(here)) for here in columns
        )
        lost = sql.SQL("FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})").format(
            sql.Identifier(staged, table), given, sql.Identifier(staged, parent), match
        )
        (count,) = session.execute(sql.SQL("SELECT count(*) {}").format(lost)).fetchone() or (0,)
        if count:
            keys = sql.SQL(", ").join(sql.Identifier("c", name) for name in wanted[table].key)
            found = session.execute(
                sql.SQL("SELECT {} {} ORDER BY {} LIMIT {}").format(keys, lost, keys, sql.Literal(NAMED))
            ).fetchall()
            examples = tuple(key_text(wanted[table], list(key)) for key in found)
            problem = f"refers to rows of {parent} that are not there, or are spelled otherwise there"
            yield Unfit(table, ", ".join(columns), problem, int(count), examples)
