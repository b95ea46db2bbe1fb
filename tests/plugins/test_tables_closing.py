"""A run of databases is proved, published and reported by its evidence, like one of objects."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset

from heavylift.errors import ConflictError, IncompleteError
from heavylift.tables import wiring
from heavylift.tables.fences import acts
from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator
from heavylift_airflow.operators.tables import (
    PreflightTablesOperator,
    SnapshotTablesOperator,
    VerifyTablesOperator,
)
from heavylift_airflow.operators.tables_changes import SyncChangesOperator
from tests.plugins.tables_world import connection, execute, task_of, with_database
from tests.plugins.world import World, context_of, gate
from tests.support.fake_tables import FakeEngine

ASSET = Asset("small.transferred", uri="x-heavylift://small/transferred")
CHECKS = ["counts_equal", "checksums_equal", "no_findings", "tables_equal"]


@pytest.fixture
def engine(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    monkeypatch.setattr(acts, "demand_direction", lambda _request: None)
    for name in ("features_source", "features_target"):
        monkeypatch.setenv(*connection(name))
    with_database(world)
    world.save(gates=[gate("proved", approval=False, checks=CHECKS)])
    return fake


def closing(kind: Any, world: World, phase: str = "transfer", **arguments: Any) -> Any:
    return kind(task_id="closing", spec_path=world.spec_path, phase=phase, **arguments)


def evaluate(world: World, phase: str = "transfer", name: str = "proved") -> Any:
    return execute(closing(EvaluateGateOperator, world, phase, gate=name))


def transferred(world: World) -> None:
    for kind in (PreflightTablesOperator, SnapshotTablesOperator, VerifyTablesOperator):
        execute(task_of(kind, world))


def test_a_proved_database_opens_the_gate_and_the_run_is_green(world: World, engine: FakeEngine) -> None:
    transferred(world)
    assert evaluate(world) == {"gate": "proved", "passed": True, "checks": 5, "failed": 0}
    publish = closing(PublishPhaseOperator, world, outlets=[ASSET])
    events: Any = {ASSET: type("Event", (), {})()}
    publish.execute({**context_of(publish), "outlet_events": events})
    assert events[ASSET].extra["migration"] == "small"
    report = execute(closing(BuildReportOperator, world))["report"]
    assert 'id="databases"' in (world.evidence / report).read_text()
    assert execute(closing(SummariseRunOperator, world))["databases"] == 1


def test_what_is_not_verified_is_red_however_green_its_tasks(world: World, engine: FakeEngine) -> None:
    execute(task_of(SnapshotTablesOperator, world))
    with pytest.raises(IncompleteError, match=r"tables_equal of features: there is no verification"):
        evaluate(world)
    with pytest.raises(IncompleteError, match=r"features: it was not verified"):
        execute(closing(SummariseRunOperator, world))


def test_changes_after_the_verification_shut_the_gate(world: World, engine: FakeEngine) -> None:
    transferred(world)
    engine.write(1, "late")
    execute(task_of(SyncChangesOperator, world))
    with pytest.raises(IncompleteError, match="changes were applied after the verification"):
        evaluate(world)


def test_a_sync_is_judged_by_the_lag_that_the_spec_allows(world: World, engine: FakeEngine) -> None:
    transferred(world)
    both = gate("near", approval=False, phase="sync", checks=["tables_equal", "replication_caught_up"])
    world.save(gates=[both])
    engine.write(1, "changed")
    execute(task_of(SyncChangesOperator, world, "sync"))
    execute(task_of(VerifyTablesOperator, world, "sync"))
    assert evaluate(world, "sync", "near")["passed"] is True
    assert execute(closing(SummariseRunOperator, world, "sync"))["databases"] == 1


def test_a_dry_run_is_green_only_if_every_database_could_move(world: World, engine: FakeEngine) -> None:
    with pytest.raises(IncompleteError, match="features: there is no preflight"):
        execute(closing(SummariseRunOperator, world), dry_run=True)
    execute(task_of(PreflightTablesOperator, world), dry_run=True)
    execute(closing(SummariseRunOperator, world), dry_run=True)
    engine.blockers = ("no slot is free",)
    with pytest.raises(ConflictError):
        execute(task_of(PreflightTablesOperator, world), dry_run=True)
    with pytest.raises(IncompleteError, match="its preflight found what stands in the way"):
        execute(closing(SummariseRunOperator, world), dry_run=True)
    assert engine.target == {}
