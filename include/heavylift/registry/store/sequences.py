"""The counters that make ids: on the target never behind the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.store.catalog import StoreCatalog


def sequences_behind(
    source: Session, target: Session, ours: StoreCatalog, theirs: StoreCatalog
) -> dict[str, int]:
    """Return the sequences of the target that would give an id out again, and what they must be set to.

    A sequence is no part of a snapshot: its value is the source's of now, which is as good or better.
    """
    here = {name for name, _, _ in ours.sequences}
    found = {}
    for name, table, column in theirs.sequences:
        # A staged store has none: what is in the tables is all that is known.
        given = _last(source, ours, name) if name in here else 0
        wanted = max(given, _highest(target, theirs, table, column))
        if wanted > _last(target, theirs, name):
            found[name] = wanted
    return found


def set_sequences(target: Session, catalog: StoreCatalog, wanted: dict[str, int]) -> None:
    """Set sequences of the target so that the next id is a new one."""
    for name, value in wanted.items():
        relation = catalog.relation(name).as_string(target)
        target.execute("SELECT setval(%s::regclass, %s)", [relation, value])


def _last(session: Session, catalog: StoreCatalog, name: str) -> int:
    from psycopg import sql

    query = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}")
    row = session.execute(query.format(catalog.relation(name))).fetchone()
    return int((row or (0,))[0])


def _highest(session: Session, catalog: StoreCatalog, table: str, column: str) -> int:
    from psycopg import sql

    query = sql.SQL("SELECT coalesce(max({}), 0) FROM {}").format(
        sql.Identifier(column), catalog.relation(table)
    )
    row = session.execute(query).fetchone()
    return int((row or (0,))[0])
