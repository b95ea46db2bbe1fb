"""Migrations made of a spec and a handful of records, in a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from heavylift.board.index import BoardIndex
from heavylift.connections import Connection, connection_from_fields
from heavylift.evidence.base import Record
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.paths import approval_path, gate_path, plan_path, safe_segment, summary_path
from heavylift.evidence.records import (
    Approval,
    CheckOutcome,
    EvidenceRef,
    GateResult,
    PhaseSummary,
    PlanRecord,
    RunKey,
    ShardSummary,
    Tally,
)
from heavylift.spec import MigrationSpec, load_spec

AT = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
RUN_ID = "manual__2026-11-29T08:00:00+00:00"


@dataclass
class Place:
    """A folder with specs and evidence."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.specs, self.evidence):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def specs(self) -> Path:
        return self.root / "specs"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence"

    def spec(self, name: str = "small", **changes: Any) -> MigrationSpec:
        """Write the spec of a migration and return it."""
        document = {
            "apiVersion": "heavylift/v1",
            "migration": name,
            "owner": "team",
            "source": {"platform": "kubernetes", "connection": "here"},
            "target": {"platform": "kubernetes", "connection": "there"},
            "datasets": [{"name": "data", "source": "file:///a", "target": "file:///b"}],
            **changes,
        }
        path = self.specs / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        return load_spec(path)

    def run(self, phase: str = "transfer", name: str = "small", run_id: str = RUN_ID) -> RunKey:
        return RunKey(migration=name, phase=phase, run=safe_segment(run_id))

    def write(self, path: str, record: Record) -> EvidenceRef:
        data = canonical_json(record)
        (self.evidence / path).parent.mkdir(parents=True, exist_ok=True)
        (self.evidence / path).write_bytes(data)
        return EvidenceRef(path=path, sha256=sha256_hex(data), size_bytes=len(data))

    def plan(self, run: RunKey, **changes: Any) -> EvidenceRef:
        tally = Tally(objects=10, size_bytes=1000)
        record = PlanRecord(
            run=run, dataset="data", source_url="file:///a", target_url="file:///b", found=tally,
            to_copy=tally, unchanged=Tally(), refused=Tally(), only_on_target=Tally(),
            shards=(ShardSummary(index=0, objects=10, size_bytes=1000),),
        )  # fmt: skip
        return self.write(plan_path(run, "data"), record.model_copy(update=changes))

    def gate(
        self, run: RunKey, *, passed: bool = True, approval: bool = True, number: int = 1
    ) -> EvidenceRef:
        check = CheckOutcome(name="counts_equal", subject="data", passed=passed, detail="10 of 10")
        record = GateResult(
            run=run, gate="proved", checks=(check,), passed=passed, approval_required=approval
        )
        return self.write(gate_path(run, "proved", number), record)

    def answer(self, run: RunKey, result: EvidenceRef, *, approved: bool = True) -> EvidenceRef:
        record = Approval(
            run=run, gate="proved", gate_result=result, approved=approved, approver_id="7",
            approver_name="Ada", responded_at=AT + timedelta(minutes=1),
        )  # fmt: skip
        return self.write(approval_path(run, "proved", 1), record)

    def summary(
        self, run: RunKey, *, passed: bool = True, reasons: tuple[str, ...] = (), dry_run: bool = False
    ) -> EvidenceRef:
        nothing = Tally()
        record = PhaseSummary(
            run=run, passed=passed, dry_run=dry_run, reasons=reasons, found=nothing, moved=nothing,
            unchanged=nothing, refused=nothing, failed=nothing,
        )  # fmt: skip
        return self.write(summary_path(run, 1), record)

    def connection(self, conn_id: str = "evidence") -> Connection:
        raw = {"conn_type": "file", "extra": {"path": str(self.evidence)}}
        return connection_from_fields(conn_id, raw)

    def index(self, look_up: Callable[[str], Connection] | None = None, **settings: Any) -> BoardIndex:
        return BoardIndex(lambda: self.specs, look_up or self.connection, **settings)
