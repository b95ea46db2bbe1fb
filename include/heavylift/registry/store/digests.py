"""Digests of tables, computed inside of each database: equal ones mean equal rows.

A row's text form is hashed to 64 bits with two seeds, and both are added up over all rows: a sum does not
depend on an order. Both sessions have the same settings, so that equal values have equal texts. The hash is
the one that PostgreSQL puts rows into hash partitions with, so it is the same in all versions; it is
made against accidents, and takes a quarter of the time of MD5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.registry.store.catalog import StoreCatalog, StoreTable, selected

if TYPE_CHECKING:
    from psycopg import sql

    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.uris import UriMap

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

    query = sql.SQL("SELECT {} FROM (SELECT {} AS d FROM {} t OFFSET 0) r").format(
        _sums(), row_text(table, uris), catalog.relation(table.name)
    )
    return _digest(session.execute(query).fetchone() or (0, None, None))


def bucket_digests(
    session: Session, catalog: StoreCatalog, table: StoreTable, buckets: int, uris: UriMap | None = None
) -> dict[int, TableDigest]:
    """Return the digests of a table's rows by bucket, into which their keys' digests put them."""
    from psycopg import sql

    query = sql.SQL("SELECT b, {} FROM (SELECT {} AS b, {} AS d FROM {} t OFFSET 0) r GROUP BY b").format(
        _sums(), bucket(table, buckets), row_text(table, uris), catalog.relation(table.name)
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


def _sums() -> sql.Composable:
    from psycopg import sql

    # OFFSET 0 around it keeps the planner from making each row's text twice.
    return sql.SQL("count(*), sum(hashtextextended(d, 0)), sum(hashtextextended(d, 7))")


def _digest(row: tuple[object, ...]) -> TableDigest:
    rows, first, second = row
    return TableDigest(int(str(rows)), int(str(first or 0)), int(str(second or 0)))
