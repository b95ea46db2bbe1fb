"""Evidence of a registry that was moved well, to be bent by tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.registry_records import (
    RegistryCompared,
    RegistryDifference,
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryTable,
    RegistryTableProof,
    RegistryVerificationRecord,
    registry_path,
)
from heavylift.evidence.store import EvidenceStore
from tests.unit.gates.run_builder import RUN

NAME = "history"
_COMMON: dict[str, Any] = {"run": RUN, "registry": NAME, "source": "old:5000", "target": "new:5000"}
MISSING = RegistryDifference(what="run", id="r9", kind="missing")


def preflight(**changes: Any) -> RegistryPreflightRecord:
    values = {"path": "store", "path_reason": "both databases", "row_estimate": 9, "passed": True}
    return RegistryPreflightRecord(**_COMMON | values | changes)


def move(act: str = "copy", written: int = 9, **changes: Any) -> RegistryMoveRecord:
    action = "copied" if act == "copy" else "changed" if written else "unchanged"
    table = RegistryTable(table="runs", action=action, rows=9, inserted=written, digest="9:a:b")
    values: dict[str, Any] = {
        "act": act, "store_version": "v", "source_moment": utc_now() - timedelta(minutes=5),
        "tables": (table,), "rows": 9, "inserted": written, "updated": 0, "deleted": 0, "kept": 0,
        "written": written, "seconds": 0.5,
    }  # fmt: skip
    return RegistryMoveRecord(**_COMMON | values | changes)


def verification(*, missing: int = 0, **changes: Any) -> RegistryVerificationRecord:
    runs = RegistryCompared(what="run", source=9, target=9 - missing, equal=9 - missing, missing=missing)
    histories = RegistryCompared(what="metric history", source=2, target=2, equal=2)
    values: dict[str, Any] = {
        "compared": (runs, histories), "differences": (MISSING,) * missing, "difference_count": missing,
        "tables": (RegistryTableProof(table="runs", source="9:a:b", target="9:a:b", equal=True),),
        "artifacts_compared": False, "statement": "both servers were read", "passed": not missing,
        "seconds": 1.0,
    }  # fmt: skip
    return RegistryVerificationRecord(**_COMMON | values | changes)


async def write_registry(store: EvidenceStore, *records: Any, name: str = NAME) -> None:
    """Write records of a registry in their order, each as the next of its kind."""
    for record in records:
        kind = _kind(record)
        await write_next(store, lambda number, kind=kind: registry_path(RUN, name, kind, number), record)


def _kind(record: Any) -> str:
    if isinstance(record, RegistryMoveRecord):
        return record.act
    return "preflight" if isinstance(record, RegistryPreflightRecord) else "registry-verification"
