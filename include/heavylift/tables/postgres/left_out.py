"""Tables that were made on the target after the switch: the way back does not carry them, and says so."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.tables.model import TableName
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.state import names

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


def left_out(request: TablesRequest, source: Session, known: Container[TableName]) -> tuple[Finding, ...]:
    """Return a finding that names the chosen tables whose changes the way back does not carry.

    :param source: a session of the side where changes are read after the switch.
    :param known: the stream's tables.
    """
    chosen = read_catalog(source, request.options.tables, request.options.exclude)
    tables = [table.name for table in chosen if table.name not in known]
    if not tables:
        return ()
    return (
        Finding(
            rule="way-back-left-out",
            severity=Severity.WARNING,
            subject=request.database,
            detail=f"{len(tables)} tables that the patterns choose are not part of the way back: they were"
            f" not there at the switch: {names(tables)}",
            remedy="after a rollback the other side lacks them and their rows: make and fill them by hand,"
            " or exclude them in the spec",
        ),
    )
