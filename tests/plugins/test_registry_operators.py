"""Registries as Airflow moves them. Stores and servers are stand-ins: real ones belong to other layers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError, IntegrityError, TransientError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryMoveRecord, RegistryPreflightRecord
from heavylift.mirror import followed
from heavylift.registry import api
from heavylift.registry.requests import RegistryRequest
from heavylift.registry.settling import Judgement
from heavylift.registry.ways import Proofs, Way
from heavylift.registry.work import RegistryProgress, Work
from heavylift_airflow.operators.closing import PublishPhaseOperator, SummariseRunOperator
from heavylift_airflow.operators.gates import EvaluateGateOperator
from heavylift_airflow.operators.registries import (
    CopyRegistryOperator,
    PreflightRegistryOperator,
    RegistryReporter,
    VerifyRegistryOperator,
)
from heavylift_airflow.operators.registries_following import SyncRegistryOperator
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from tests.plugins.world import World, context_of
from tests.unit.gates import registry_builder

ASSET = Asset("small.registered", uri="x-heavylift://small/registered")
BLOCKER = Finding(
    rule="target-occupied", severity=Severity.BLOCKER, subject="runs", detail="occupied", remedy="empty it"
)


@dataclass
class StandIn:
    """Two stores and two servers that do nothing and say what they are told to say."""

    copied: bool = False
    blocked: bool = False
    equal: bool = True
    killed: bool = False
    waits: bool = False
    acts: list[str] = field(default_factory=list)
    requests: list[RegistryRequest] = field(default_factory=list)

    def common(self, request: RegistryRequest) -> dict[str, Any]:
        self.requests.append(request)
        return {"run": request.run, "registry": request.registry}

    def preflight(self, request: RegistryRequest) -> RegistryPreflightRecord:
        findings = (BLOCKER,) if self.blocked else ()
        return registry_builder.preflight(
            **self.common(request), copied=self.copied, findings=findings, passed=not self.blocked
        )

    def move(self, request: RegistryRequest, work: Work, act: str) -> RegistryMoveRecord:
        self.acts.append(act)
        work.tell(RegistryProgress("copying", 3, 62, 9, 100, 200))
        if self.waits:
            work.stop.wait(60)
            raise TransientError("copying", got="a stop", expected="time", code="6112")
        if self.killed:
            # As if the process had ended here: what is on the target is there, and nobody tells.
            self.killed, self.copied = False, True
            raise TransientError("copying", got="no answer", expected="one", code="6112")
        written = 0 if act == "sync" and "copy" in self.acts else 9
        self.copied = True
        return registry_builder.move(act, written, **self.common(request))

    def prove(self, request: RegistryRequest) -> Proofs:
        self.requests.append(request)
        return registry_builder.verification().tables

    def follow(self, request: RegistryRequest, work: Work) -> tuple[RegistryMoveRecord, Proofs]:
        return self.move(request, work, "sync"), self.prove(request)

    async def compare(self, request: RegistryRequest, _work: Work, found: Judgement) -> Judgement:
        self.acts.append("compare")
        target = {"r1": {"name": b"1"}} if self.equal else {"r1": {"name": b"2"}}
        found.compare("run", {"r1": {"name": b"1"}}, target)
        return found


@pytest.fixture
def stand_in(world: World, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    sides = {
        side: {
            "connection": f"mlflow_{side}",
            "store_connection": f"{side}_db",
            "artifacts": folder.as_uri(),
        }
        for side, folder in (("source", world.source), ("target", world.target))
    }
    world.save(registries=[{"name": "history", **sides}], gates=[])
    for name in ("mlflow_source", "mlflow_target", "source_db", "target_db"):
        kind = "postgres" if name.endswith("db") else "mlflow"
        value = {"conn_type": kind, "host": "http://127.0.0.1:9"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(value))
    made = StandIn()
    way = Way(made.preflight, made.move, made.compare, made.prove, made.follow, lambda _request: made.copied)
    monkeypatch.setattr(api, "way_of", lambda _request: way)

    async def not_followed(_request: RegistryRequest) -> bool:
        return False

    monkeypatch.setattr(followed, "is_followed", not_followed)
    return made


def execute(kind: type, world: World, context: dict[str, Any] | None = None, **more: Any) -> Any:
    named = {"registry": "history"} if "Registry" in kind.__name__ else {}
    task = kind(task_id="act", spec_path=world.spec_path, phase="registry", **named, **more)
    return task.execute(context_of(task, **context or {}))


def test_a_run_from_the_preflight_to_the_last_word(world: World, stand_in: StandIn) -> None:
    assert execute(PreflightRegistryOperator, world)["passed"] is True
    assert execute(CopyRegistryOperator, world)["written"] == 9
    assert execute(SyncRegistryOperator, world)["written"] == 0
    objects = {"dataset": "history-artifacts"}
    shards = execute(PlanTransferOperator, world, **objects)
    moved = [execute(CopyObjectsOperator, world, **objects, shard=shard)["moved"] for shard in shards]
    assert sum(moved) == 5
    execute(VerifyObjectsOperator, world, **objects)
    figures = execute(VerifyRegistryOperator, world)
    assert (figures["passed"], figures["equal"], figures["tables"]) == (True, 1, 1)
    assert execute(EvaluateGateOperator, world, gate="registry-verified")["passed"] is True
    events: Any = {ASSET: type("Event", (), {})()}
    task = PublishPhaseOperator(
        task_id="publish", spec_path=world.spec_path, phase="registry", outlets=[ASSET]
    )
    assert task.execute({**context_of(task), "outlet_events": events})["migration"] == "small"
    counts = execute(SummariseRunOperator, world)
    assert (counts["moved"], counts["registries"]) == (5, 1)
    assert world.actions() == [
        "registry.checked", "registry.copied", "registry.synced",
        "plan.written", *["shard.copied"] * len(shards), "dataset.verified",
        "registry.verified", "gate.evaluated", "run.finished",
    ]  # fmt: skip
    folder = world.run_folder("registry") / "~registries" / "history"
    assert {"preflight-1.json", "copy-1.json", "sync-1.json", "registry-verification-1.json"} == {
        path.name for path in folder.iterdir()
    }


def test_what_is_copied_already_is_only_synced(world: World, stand_in: StandIn) -> None:
    stand_in.copied = True
    with pytest.raises(AirflowSkipException, match="a complete copy is there"):
        execute(CopyRegistryOperator, world)
    assert execute(SyncRegistryOperator, world)["written"] == 9
    assert stand_in.acts == ["sync"]


def test_a_worker_that_was_lost_costs_a_retry_and_nothing_is_copied_twice(
    world: World, stand_in: StandIn
) -> None:
    stand_in.killed = True
    with pytest.raises(TransientError):
        execute(CopyRegistryOperator, world)
    # All had arrived when it was lost: the retry has nothing to copy, and the sync goes on from there.
    with pytest.raises(AirflowSkipException):
        execute(CopyRegistryOperator, world, {"attempt": 2})
    stand_in.killed = True
    with pytest.raises(TransientError):
        execute(SyncRegistryOperator, world)
    execute(SyncRegistryOperator, world, {"attempt": 2})
    stand_in.killed = True
    with pytest.raises(TransientError):
        execute(VerifyRegistryOperator, world)
    assert execute(VerifyRegistryOperator, world, {"attempt": 2})["passed"] is True
    assert execute(EvaluateGateOperator, world, gate="registry-verified")["passed"] is True


def test_a_blocker_fails_before_anything_moves_in_a_dry_run_too(world: World, stand_in: StandIn) -> None:
    stand_in.blocked = True
    for dry_run in (True, False):
        with pytest.raises(ConflictError, match=r"occupied.*empty it.*HL-7111"):
            execute(PreflightRegistryOperator, world, {"dry_run": dry_run})
    assert world.actions() == ["registry.checked"] * 2


def test_a_dry_run_looks_and_plans(world: World, stand_in: StandIn) -> None:
    dry = {"dry_run": True}
    execute(PreflightRegistryOperator, world, dry)
    for kind in (CopyRegistryOperator, SyncRegistryOperator, VerifyRegistryOperator):
        with pytest.raises(AirflowSkipException):
            execute(kind, world, dry)
    execute(PlanTransferOperator, world, dry, dataset="history-artifacts")
    assert stand_in.acts == []
    assert execute(SummariseRunOperator, world, dry)["moved"] == 0


def test_a_source_in_use_is_followed_and_a_frozen_one_is_not(world: World, stand_in: StandIn) -> None:
    execute(VerifyRegistryOperator, world)
    assert stand_in.acts == ["sync", "compare"]
    stand_in.acts.clear()
    execute(VerifyRegistryOperator, world, frozen=True)
    assert stand_in.acts == ["compare"]
    assert not stand_in.requests[-1].options.live
    assert not stand_in.requests[-1].options.artifacts, "the mover of objects proves their bytes"


def test_a_difference_is_looked_at_twice_then_named(world: World, stand_in: StandIn) -> None:
    stand_in.equal = False
    with pytest.raises(IntegrityError, match=r"1 thing differs.*\(different run r1\).*HL-8220"):
        execute(VerifyRegistryOperator, world)
    assert stand_in.acts == ["sync", "compare"] * 2
    assert world.actions() == ["registry.verified"]


def test_a_stop_ends_the_work(world: World, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    task = CopyRegistryOperator(
        task_id="act", spec_path=world.spec_path, phase="registry", registry="history"
    )
    stand_in.waits = True
    monkeypatch.setattr(task, "reporter", lambda *_: lambda _progress: task.on_kill())
    with pytest.raises(TransientError, match="HL-8003"):
        task.execute(context_of(task))


def test_progress_is_logged_now_and_then() -> None:
    class Log:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def info(self, event: str, *args: object) -> None:
            self.lines.append(event % args)

    log, kept = Log(), dict[str, Any]()
    report = RegistryReporter(log, {"registry": "history"}, store=kept.__setitem__, every_seconds=0.0)
    report(RegistryProgress("runs", 3, 62, 9, 100, 200))
    assert log.lines == ["runs 3 of 62 tables, 100 of 200 bytes"]
    assert kept["progress"]["tables_done"] == 3


def test_looking_again_tells_the_same_and_moves_nothing(world: World, stand_in: StandIn) -> None:
    assert execute(PreflightRegistryOperator, world) == execute(PreflightRegistryOperator, world)
    assert stand_in.acts == []
