"""A small migration between folders, and a task context as the task runner would give it."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import AuditEntry
from heavylift.evidence.store import open_evidence
from heavylift_airflow.context import run_key

RUN_ID = "manual__2026-11-22T10:00:00+00:00"
NAME = "small"


@dataclass
class World:
    """Two folders, an evidence store and a spec that moves ``data`` between them."""

    root: Path
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.source, self.target, self.evidence):
            folder.mkdir(parents=True)
        self.spec = {
            "apiVersion": "heavylift/v1",
            "migration": NAME,
            "owner": "team",
            "source": {"platform": "kubernetes", "connection": "here"},
            "target": {"platform": "kubernetes", "connection": "there"},
            "defaults": {"limits": {"shard_objects": 2}},
            "datasets": [{"name": "data", "source": self.source.as_uri(), "target": self.target.as_uri()}],
            "gates": [gate("proved", approval=True)],
        }
        self.save()

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def target(self) -> Path:
        return self.root / "target"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence"

    @property
    def spec_path(self) -> str:
        return str(self.root / "specs" / f"{NAME}.yaml")

    def save(self, **changes: Any) -> None:
        """Write the spec, with some keys changed."""
        self.spec |= changes
        Path(self.spec_path).parent.mkdir(exist_ok=True)
        Path(self.spec_path).write_text(yaml.safe_dump(self.spec))

    def fill(self, count: int = 5) -> None:
        """Put objects into the source."""
        for number in range(count):
            (self.source / f"object-{number}.txt").write_text(f"content of {number}")

    @property
    def connections(self) -> dict[str, str]:
        """The environment that the hooks read."""
        store = {"conn_type": "file", "extra": {"path": str(self.evidence)}}
        return {"AIRFLOW_CONN_EVIDENCE": json.dumps(store)}

    def trail(self) -> list[AuditEntry]:
        """Return the audit trail."""

        async def read() -> list[AuditEntry]:
            async with open_evidence(self.evidence.as_uri()) as store:
                return [entry async for entry in AuditTrail(store, NAME).entries()]

        return asyncio.run(read())

    def actions(self) -> list[str]:
        """Return what the audit trail says was done, in order."""
        return [entry.action for entry in self.trail()]

    def run_folder(self, phase: str = "transfer", run_id: str = RUN_ID) -> Path:
        """Return where the evidence of a run lies."""
        return self.evidence / run_key(NAME, phase, run_id).folder


class FakeTaskInstance:
    """What an operator uses of the running task instance.

    :param running: number of running runs by DAG id.
    """

    def __init__(self, task_id: str, attempt: int = 1, running: dict[str, int] | None = None) -> None:
        self.dag_id = f"{NAME}.transfer"
        self.task_id = task_id
        self.run_id = RUN_ID
        self.map_index = -1
        self.try_number = attempt
        self.id = uuid.uuid4()
        self.pushed: dict[str, Any] = {}
        self._running = running or {}

    def xcom_push(self, key: str, value: Any) -> None:
        json.dumps(value)  # what cannot travel must fail here too
        self.pushed[key] = value

    def get_dr_count(self, *, dag_id: str, states: list[str]) -> int:
        return self._running.get(dag_id, 0) if "running" in states else 0


def context_of(
    task: Any,
    *,
    attempt: int = 1,
    user: str | None = "eva",
    running: dict[str, int] | None = None,
    run_id: str = RUN_ID,
    **params: Any,
) -> Any:
    """Return the context of one attempt at ``task``."""
    ti = FakeTaskInstance(task.task_id, attempt, running)
    return {
        "ti": ti,
        "task_instance": ti,
        "task": task,
        "run_id": run_id,
        "params": {"dry_run": False, "bandwidth_limit": None, "shard_objects": None, **params},
        "dag_run": SimpleNamespace(triggering_user_name=user, run_type="manual"),
    }


def gate(name: str, *, approval: bool, **changes: Any) -> dict[str, Any]:
    """Return a gate of the transfer phase for a spec."""
    return {
        "name": name,
        "phase": "transfer",
        "checks": ["counts_equal", "checksums_equal"],
        "approval": {"required": approval},
        **changes,
    }
