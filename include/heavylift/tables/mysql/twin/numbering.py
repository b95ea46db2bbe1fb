"""The counters of AUTO_INCREMENT columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import ask, execute, is_mariadb
from heavylift.tables.mysql.types import SourceColumn
from heavylift.tables.postgres.drain import HEADROOM

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session

_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


def wanted_number(column: SourceColumn, highest: int) -> int | None:
    """Return the number that a column is to get next, some way ahead of the highest that is taken.

    :return: None where its type has no number left.
    """
    bits = _BITS.get(column.data_type, 24)
    limit = (1 << (bits if column.unsigned else bits - 1)) - 1
    if highest >= limit:
        return None
    # Above the limit the server counts as if there were none.
    return min(highest + 1 + HEADROOM, limit) if limit - highest > 2 * HEADROOM else highest + 1


def next_numbers(session: Session, *names: TableName) -> dict[TableName, int]:
    """Return the number that each table gives out next; of some tables, or of all."""
    if not is_mariadb(session):
        # MySQL would rather tell what it knew yesterday.
        execute(session, "SET SESSION information_schema_stats_expiry = 0")
    query = "SELECT table_schema, table_name, auto_increment FROM information_schema.tables"
    rows = (
        ask(session, f"{query} WHERE table_schema = %s AND table_name = %s", [names[0].schema, names[0].name])
        if len(names) == 1
        else ask(session, f"{query} WHERE auto_increment IS NOT NULL")
    )
    return {TableName(row[0], row[1]): int(row[2] or 0) for row in rows}
