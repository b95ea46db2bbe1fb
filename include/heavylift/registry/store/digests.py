"""Digests of tables, computed inside of each database: equal ones mean equal rows.

A row is hashed to 64 bits; two hashes of that are added up over all rows: a sum does not depend on an
order, and two do not cancel out alike. The hash is the one that PostgreSQL puts rows into hash partitions
with, so it is the same in all versions; it is made against accidents, and takes a quarter of the time of MD5.

The hash of a record is a sum of its columns' hashes, so that it is hashed once more: otherwise the sum over
all rows would not notice values that two rows have exchanged. Values go in by their bits, and as text where
a type's own hash takes different ones for equal (0 and -0, 1.0 and 1.00). Servers before 14 cannot hash
records; there rows are hashed as texts, which costs more than twice as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.registry.store.catalog import StoreCatalog, StoreTable, selected

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.uris import UriMap

_HASHED_BY_BITS = frozenset({"smallint", "integer", "bigint", "boolean", "bytea", "uuid"})
"""Types whose own hash takes only equal bits for equal."""
MOST_BUCKETS = 4096
_ROWS_A_BUCKET = 256


@dataclass(frozen=True)
class TableDigest:
    """Rows and the sums of both halves of their digests."""

    rows: int = 0
    first: int = 0
    second: int = 0

    def __str__(self) -> str:
        return f"{self.rows}:{self.first:x}:{self.second:x}"


def table_digest(
    session: Session, catalog: StoreCatalog, table: StoreTable, uris: UriMap | None = None
) -> TableDigest:
    """Return a table's digest.

    :param uris: digest the rows as they will be on the target.
    """
    from psycopg import sql

    query = sql.SQL("SELECT count(*), sum(f), sum(s) FROM ({}) r").format(_hashed(catalog, table, uris))
    return _digest(session.execute(query).fetchone() or (0, None, None))


def bucket_digests(
    session: Session, catalog: StoreCatalog, table: StoreTable, buckets: int, uris: UriMap | None = None
) -> dict[int, TableDigest]:
    """Return the digests of a table's rows by bucket, into which their keys' digests put them."""
    from psycopg import sql

    query = sql.SQL("SELECT b, count(*), sum(f), sum(s) FROM ({}) r GROUP BY b").format(
        _hashed(catalog, table, uris, sql.SQL(", {} AS b").format(bucket(table, buckets)))
    )
    return {int(row[0]): _digest(row[1:]) for row in session.execute(query).fetchall()}


def buckets_for(rows: int) -> int:
    """Return into how many buckets so many rows are put: a power of two."""
    count = 1
    while count < MOST_BUCKETS and count * _ROWS_A_BUCKET < rows:
        count *= 2
    return count


def bucket(table: StoreTable, buckets: int) -> sql.Composable:
    """Return the expression for the bucket of a row."""
    from psycopg import sql

    return sql.SQL("(hashtextextended({}, 0) & {})").format(key_text(table), sql.Literal(buckets - 1))


def key_text(table: StoreTable) -> sql.Composable:
    """Return the expression for a row's key as one text; different keys have different texts."""
    from psycopg import sql

    return sql.SQL("ROW({})::text").format(
        sql.SQL(", ").join(sql.Identifier("t", name) for name in table.key)
    )


def row_text(table: StoreTable, uris: UriMap | None) -> sql.Composable:
    """Return the expression for a whole row as one text."""
    from psycopg import sql

    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(selected(table, uris)))


def _hashed(
    catalog: StoreCatalog, table: StoreTable, uris: UriMap | None, more: sql.Composable | None = None
) -> sql.Composable:
    """Return the query for both hashes of each row, ``f`` and ``s``."""
    from psycopg import sql

    more, relation = more or sql.SQL(""), catalog.relation(table.name)
    if catalog.hashes_texts:
        # OFFSET 0 keeps the planner from making each row's text twice.
        return sql.SQL(
            "SELECT hashtextextended(d, 0) AS f, hashtextextended(d, 7) AS s {} FROM"
            " (SELECT t.*, {} AS d FROM {} t OFFSET 0) t"
        ).format(more, row_text(table, uris), relation)
    record = sql.SQL("ROW({})").format(sql.SQL(", ").join(_by_bits(table, uris)))
    # OFFSET 0 keeps the planner from hashing each record twice.
    return sql.SQL(
        "SELECT hashint8extended(d, 0) AS f, hashint8extended(d, 7) AS s, h.* FROM"
        " (SELECT hash_record_extended({}, 0) AS d {} FROM {} t OFFSET 0) h"
    ).format(record, more, relation)


def _by_bits(table: StoreTable, uris: UriMap | None) -> Iterator[sql.Composable]:
    """Yield a row's values so that equal hashes mean equal bits."""
    from psycopg import sql

    for column, value in zip(table.written, selected(table, uris), strict=True):
        kind = column.type_name.partition("(")[0]
        if kind == "double precision":
            yield sql.SQL("float8send({})").format(value)
        elif kind in _HASHED_BY_BITS:
            yield value
        else:
            yield sql.SQL('{}::text COLLATE "C"').format(value)


def _digest(row: tuple[object, ...]) -> TableDigest:
    rows, first, second = row
    return TableDigest(int(str(rows)), int(str(first or 0)), int(str(second or 0)))
