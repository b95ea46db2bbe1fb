"""What the apply must know of a table on the target: types to stage values in, and usable unique keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.tables.model import TableName

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

# A domain's values are staged as its base type, because staged rows may lack values that it demands.
_COLUMNS = """
WITH RECURSIVE base (attnum, type, modifier) AS (
    SELECT a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
    WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
    SELECT b.attnum, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.type
    WHERE t.typtype = 'd'
)
SELECT a.attname, format_type(b.type, b.modifier), a.attgenerated <> '', a.attidentity = 'a'
FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
JOIN pg_attribute a ON a.attrelid = %(oid)s AND a.attnum = b.attnum
ORDER BY a.attnum
"""

_KEYS = """
SELECT ARRAY(SELECT a.attname FROM unnest(i.indkey) k JOIN pg_attribute a
             ON a.attrelid = i.indrelid AND a.attnum = k)::text[]
FROM pg_index i
WHERE i.indrelid = %s AND i.indisunique AND i.indimmediate AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
"""


@dataclass(frozen=True)
class TargetColumn:
    """One column on the target.

    :param staged_type: its type, or its base type where it is a domain.
    :param always: an identity column that takes no value in an UPDATE.
    """

    name: str
    staged_type: str
    generated: bool
    always: bool


@dataclass(frozen=True)
class TargetTable:
    """A table as the target has it now.

    :param unique: sets of columns that a unique index can find a conflict by.
    :param spreads: it is partitioned, so that its rows lie in other tables.
    """

    name: TableName
    columns: dict[str, TargetColumn]
    unique: frozenset[frozenset[str]]
    spreads: bool

    def upserts_by(self, key: tuple[str, ...]) -> bool:
        """Tell whether ``INSERT … ON CONFLICT`` can name the key."""
        return frozenset(key) in self.unique


def read_target_table(session: Session, name: TableName) -> TargetTable:
    """Read one table from the target's catalog.

    :raises NotFoundError: the target has no such table.
    """
    found = session.execute(
        "SELECT c.oid, c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')",
        [name.schema, name.name],
    ).fetchone()
    if found is None:
        raise NotFoundError(
            f"applying changes of {name}",
            got="no such table on the target",
            expected="the table, as the snapshot made it",
            state="nothing of this batch was applied; the position stays",
            remedy="create the table on the target as on the source, or exclude it, then run this again",
            code="6035",
        )
    oid, spreads = found
    columns = session.execute(_COLUMNS, {"oid": oid}).fetchall()
    keys = session.execute(_KEYS, [oid]).fetchall()
    return TargetTable(
        name,
        {row[0]: TargetColumn(*row) for row in columns},
        frozenset(frozenset(row[0]) for row in keys),
        spreads,
    )
