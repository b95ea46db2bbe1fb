"""Finds which rows of a table differ between a moment of the source and the target, with bounded memory."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.registry.store.catalog import StoreCatalog, StoreTable
from heavylift.registry.store.digests import bucket, bucket_digests, buckets_for, key_text, row_text

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.store.loading import Sides
    from heavylift.registry.uris import UriMap

_FETCHED = 2000

Key = tuple[str, ...]


@dataclass(frozen=True)
class RowDifference:
    """One row that is not equal.

    :param kind: ``missing`` on the target, ``different``, or ``extra`` there.
    """

    kind: str
    key: Key


def differing_rows(
    table: StoreTable, sides: Sides, uris: UriMap, rows: int, *, source: Session, target: Session
) -> Iterator[RowDifference]:
    """Yield the rows that differ, in order of their keys' texts.

    :param rows: about how many there are.
    :param source: within a transaction, and so is ``target``: both are read through cursors.
    """
    buckets = buckets_for(rows)
    ours = bucket_digests(source, sides.source, table, buckets, uris)
    theirs = bucket_digests(target, sides.target, table, buckets)
    wrong = sorted(number for number in {*ours, *theirs} if ours.get(number) != theirs.get(number))
    if not wrong:
        return
    left = _rows(source, sides.source, table, buckets, wrong, uris)
    right = _rows(target, sides.target, table, buckets, wrong, None)
    with closing(left), closing(right):
        yield from _merged(left, right)


_Row = tuple[bytes, str, Key]


def _rows(
    session: Session,
    catalog: StoreCatalog,
    table: StoreTable,
    buckets: int,
    wrong: list[int],
    uris: UriMap | None,
) -> Generator[_Row]:
    from psycopg import sql

    query = sql.SQL(
        "SELECT k, d, v FROM (SELECT {} AS k, md5({}) AS d, ARRAY[{}] AS v FROM {} t WHERE {} = ANY({})) r"
        ' ORDER BY k COLLATE "C"'
    ).format(
        key_text(table),
        row_text(table, uris),
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", name)) for name in table.key),
        catalog.relation(table.name),
        bucket(table, buckets),
        sql.Literal(wrong),
    )
    with session.cursor(f"heavylift_{secrets.token_hex(4)}") as cursor:
        cursor.itersize = _FETCHED
        for key, digest, values in cursor.execute(query):
            # Compared as bytes: so does the collation C.
            yield str(key).encode(), str(digest), tuple(values)


def _merged(left: Iterator[_Row], right: Iterator[_Row]) -> Iterator[RowDifference]:
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and ours[0] < theirs[0]):
            yield RowDifference("missing", ours[2])  # type: ignore[index]
            ours = next(left, None)
        elif ours is None or theirs[0] < ours[0]:
            yield RowDifference("extra", theirs[2])
            theirs = next(right, None)
        else:
            if ours[1] != theirs[1]:
                yield RowDifference("different", ours[2])
            ours, theirs = next(left, None), next(right, None)
