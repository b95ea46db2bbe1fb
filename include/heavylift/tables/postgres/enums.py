"""New labels of enums: the log carries a row that uses one, but not that it was added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

_LABELS = """
SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
GROUP BY 1, 2
"""


def add_labels(source: Session, target: Session) -> list[str]:
    """Add to the target's enums the labels that the source's have got, in their order.

    :param target: in autocommit mode: a new label can be used once it is committed.
    :return: the statements that were run; empty where the enums are the same.
    """
    there = {(schema, name): labels for schema, name, labels in target.execute(_LABELS).fetchall()}
    done = []
    for schema, name, labels in source.execute(_LABELS).fetchall():
        known = list(there.get((schema, name), ()))
        if not known:
            continue
        for at, label in enumerate(labels):
            if label in known:
                continue
            place = sql.SQL(" BEFORE {}").format(sql.Literal(known[0]))
            if at:
                place = sql.SQL(" AFTER {}").format(sql.Literal(labels[at - 1]))
            statement = sql.SQL("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}").format(
                sql.Identifier(schema, name), sql.Literal(label)
            )
            target.execute(statement + place)
            done.append((statement + place).as_string(target))
            known.append(label)
    return done
