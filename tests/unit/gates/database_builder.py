"""Writes the evidence of a database that moved well; tests then change what they are about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import database_path
from heavylift.evidence.records import Finding, Severity, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.table_records import (
    DrainRecord,
    PreflightRecord,
    SnapshotRecord,
    SyncRecord,
    TableComparison,
    TableCount,
    TableDifference,
    TableVerificationRecord,
)
from tests.unit.gates.run_builder import RUN

NAME = "features"
AGO = timedelta(minutes=10)
_COMMON: dict[str, Any] = {"run": RUN, "database": NAME, "direction": "forward"}
_KINDS = {
    PreflightRecord: "preflight",
    SnapshotRecord: "snapshot",
    SyncRecord: "sync",
    DrainRecord: "drain",
    TableVerificationRecord: "verification",
}


def preflight(*findings: Finding, passed: bool = True) -> PreflightRecord:
    return PreflightRecord(
        **_COMMON, source="source", target="target", source_version="16.1", target_version="17.2",
        engine="changes", engine_reason="", tables=1, row_estimate=10, size_bytes=1000,
        findings=findings, passed=passed,
    )  # fmt: skip


def snapshot(position: str = "0/10", **changes: Any) -> SnapshotRecord:
    values: dict[str, Any] = {
        "engine": "changes", "started_at": utc_now() - AGO, "ended_at": utc_now() - AGO / 2,
        "consistent_position": position, "settled_position": position, "rows": 10, "size_bytes": 1000,
        "tables": (TableCount(table="public.features", rows=10, size_bytes=1000, ranges=1),),
    }  # fmt: skip
    return SnapshotRecord(**_COMMON | values | changes)


def sync(applied: str = "0/20", **changes: Any) -> SyncRecord:
    values: dict[str, Any] = {
        "engine": "changes", "started_at": utc_now() - AGO / 2, "ended_at": utc_now() - AGO / 4,
        "from_position": "0/10", "upto_position": applied, "applied_position": applied, "caught_up": True,
        "updates": 3, "transactions": 1, "lag_seconds": 1.0, "lag_bytes": 100,
    }  # fmt: skip
    return SyncRecord(**_COMMON | values | changes)


def drain(**changes: Any) -> DrainRecord:
    values: dict[str, Any] = {
        "started_at": utc_now(), "upto_position": "0/20", "applied_position": "0/20", "reached": True,
    }  # fmt: skip
    return DrainRecord(**_COMMON | values | changes)


def verification(position: str = "0/20", different: int = 0, **changes: Any) -> TableVerificationRecord:
    table = TableComparison(
        table="public.features", source_rows=10, target_rows=10, equal=10 - different, different=different
    )
    listed = [
        TableDifference(table=table.table, kind="different", key={"id": str(number)})
        for number in range(different)
    ]
    values: dict[str, Any] = {
        "mode": "snapshot", "position": position, "tables": (table,), "difference_count": different,
        "differences": tuple(listed), "statement": "every row was compared", "passed": not different,
    }  # fmt: skip
    return TableVerificationRecord(**_COMMON | values | changes)


def finding(severity: Severity = Severity.WARNING) -> Finding:
    return Finding(rule="collation", severity=severity, subject="public.features", detail="differs")


async def write_database(store: EvidenceStore, *records: Any) -> None:
    """Write records in their order, each as the next of its kind."""
    for record in records:
        kind = _KINDS[type(record)]

        def path_of(number: int, kind: str = kind, record: Any = record) -> str:
            return database_path(record.run, NAME, kind, number)

        await write_next(store, path_of, record)
