"""Looks for URIs of the source that are left on the target, in every column that holds text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import sql

    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.store.catalog import StoreCatalog, StoreTable
    from heavylift.registry.uris import UriMap


@dataclass(frozen=True)
class Leftover:
    """Rows of one column in which a prefix of the source still stands."""

    table: str
    column: str
    prefix: str
    rows: int


def leftovers(
    session: Session, catalog: StoreCatalog, tables: Iterable[StoreTable], uris: UriMap
) -> tuple[Leftover, ...]:
    """Return where prefixes that should be gone are still found; one scan of each table."""
    from psycopg import sql

    found: list[Leftover] = []
    for table in tables:
        looked = [
            (column.name, source, _holds(column.name, source, target))
            for column in table.columns
            if column.is_text
            for source, target in uris.changing
        ]
        if not looked:
            continue
        counts = sql.SQL(", ").join(
            sql.SQL("count(*) FILTER (WHERE {})").format(each) for _, _, each in looked
        )
        row = session.execute(
            sql.SQL("SELECT {} FROM {} t").format(counts, catalog.relation(table.name))
        ).fetchone()
        found += [
            Leftover(table.name, column, prefix, int(count))
            for (column, prefix, _), count in zip(looked, row or (), strict=True)
            if count
        ]
    return tuple(found)


def _holds(column: str, source: str, target: str) -> sql.Composable:
    """Return the condition: the prefix stands in the text, and not as a part of the target's."""
    from psycopg import sql

    name = sql.Identifier("t", column)
    text = sql.SQL("replace({}::text, {}, '')").format(name, sql.Literal(target))
    # The first look is cheap, and the only one that most rows get.
    return sql.SQL(
        "(strpos({5}::text, {4}) > 0 AND"
        " (strpos({0}, {1}) > 0 OR strpos({0}, {2}) > 0 OR right({0}, {3}) = {4}))"
    ).format(
        text,
        sql.Literal(f"{source}/"),
        sql.Literal(f'{source}"'),
        sql.Literal(len(source)),
        sql.Literal(source),
        name,
    )
