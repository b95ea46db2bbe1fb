"""Which tables a stream is about, in either direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.tables.mysql.catalog import SourceTable, read_source
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.mysql.target import Product, Target
    from heavylift.tables.requests import TablesRequest


def database_of(request: TablesRequest) -> str | None:
    """Return the one database that is moved, or None where the patterns choose.

    The connection of the migration's source names it; the other one's need not, for names are kept.
    """
    side = request.source if request.direction is Direction.FORWARD else request.target
    return side.connection.schema


def chosen_tables(
    request: TablesRequest, product: Product, source: Session, target: Target
) -> tuple[SourceTable, ...]:
    """Return the chosen tables as the stream's source has them now.

    On the way back the patterns may choose tables that were never moved: they are none of ours.
    """
    options = request.options
    found = read_source(
        source,
        product.policy(request.source.connection),
        options.tables,
        options.exclude,
        database=database_of(request),
    )
    apart = target.left_out(request.stream)
    return tuple(table for table in found if table.name not in apart)
