"""In which form a table's rows travel: binary where that is exact between any two servers, else text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.tables.model import Column, Table

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

# Their binary form is the same in every version from 13 on and names no object of the server.
# Left out on purpose: reg* types and composites, and arrays of enums, domains or composites, carry the
# server's own object numbers; xml may carry an encoding; money means something else under another
# lc_monetary; types of extensions promise nothing.
_SAFE = (
    "bool", "bytea", "char", "name", "int8", "int2", "int4", "text", "oid", "json", "point", "lseg", "path",
    "box", "polygon", "line", "cidr", "float4", "float8", "circle", "macaddr8", "macaddr", "inet", "bpchar",
    "varchar", "date", "time", "timestamp", "timestamptz", "interval", "timetz", "bit", "varbit", "numeric",
    "uuid", "pg_lsn", "tsvector", "jsonb", "int4range", "numrange", "tsrange", "tstzrange", "daterange",
    "int8range",
)  # fmt: skip

# A scalar enum travels as its label, a domain as its base type: both are safe outside of arrays.
_QUERY = """
WITH RECURSIVE safe AS (
    SELECT oid, typarray FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typname = ANY(%s)
), base AS (
    SELECT oid AS type, oid, typtype, typbasetype FROM pg_type WHERE oid = ANY(%s)
    UNION ALL
    SELECT b.type, t.oid, t.typtype, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT DISTINCT type FROM base
WHERE typtype = 'e' OR oid IN (SELECT oid FROM safe UNION SELECT typarray FROM safe)
"""


def binary_types(session: Session, tables: Sequence[Table]) -> frozenset[int]:
    """Return those of the tables' column types whose values may travel in binary form."""
    wanted = sorted({column.type_oid for table in tables for column in table.written})
    return frozenset(row[0] for row in session.execute(_QUERY, [list(_SAFE), wanted]).fetchall())


def form_of(table: Table, binary: frozenset[int]) -> sql.SQL:
    """Return the option of COPY for a table's rows."""
    every = all(column.type_oid in binary for column in table.written)
    return sql.SQL("WITH (FORMAT binary)") if every else sql.SQL("WITH (FORMAT text)")


def column_list(columns: Sequence[Column]) -> sql.Composed:
    """Return the columns' names, quoted, with commas between."""
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
