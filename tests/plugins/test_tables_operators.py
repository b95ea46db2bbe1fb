"""Operators on databases as Airflow runs them: what they return, note, refuse, and do when run twice."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import (
    ConflictError,
    IncompleteError,
    IntegrityError,
    NotFoundError,
    ServerUnavailableError,
    TransientError,
)
from heavylift.evidence.records import Finding, Severity
from heavylift.tables import wiring
from heavylift.tables.fences import acts
from heavylift_airflow.operators.tables import (
    PreflightTablesOperator,
    SnapshotTablesOperator,
    VerifyTablesOperator,
)
from heavylift_airflow.operators.tables_changes import (
    DrainChangesOperator,
    EndStreamOperator,
    ReverseSyncOperator,
    SyncChangesOperator,
)
from tests.plugins.tables_world import PASSWORD, connection, execute, task_of, with_database
from tests.plugins.world import World, context_of
from tests.support.fake_tables import FakeEngine, wait_until


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    monkeypatch.setattr(acts, "demand_direction", lambda _request: None)
    for name in ("features_source", "features_target"):
        monkeypatch.setenv(*connection(name))
    return fake


@pytest.fixture
def moved(world: World, engine: FakeEngine) -> World:
    """Return a world whose database has been copied."""
    execute(task_of(SnapshotTablesOperator, with_database(world)))
    return world


def test_a_preflight_tells_what_it_found(world: World, engine: FakeEngine) -> None:
    engine.warnings = ("another collation",)
    figures = execute(task_of(PreflightTablesOperator, with_database(world)))
    assert figures["passed"] is True
    assert (figures["blockers"], figures["warnings"], figures["tables"]) == (0, 1, 1)
    assert world.actions() == ["database.checked"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_preflight_refuses_with_every_remedy_also_in_a_dry_run(
    world: World, engine: FakeEngine, dry_run: bool
) -> None:
    engine.blockers = ("wal_level is replica",)
    with pytest.raises(ConflictError, match=r"wal_level is replica.*To fix: mend it.*HL-8210"):
        execute(task_of(PreflightTablesOperator, with_database(world)), dry_run=True)
    assert world.actions() == ["database.checked"]
    assert engine.target == {}


def test_a_snapshot_is_copied_once_and_noted(world: World, engine: FakeEngine) -> None:
    task = task_of(SnapshotTablesOperator, with_database(world))
    figures = execute(task)
    assert (figures["rows"], figures["already_complete"]) == (10, False)
    assert engine.target == engine.source
    entry = world.trail()[-1]
    assert (entry.action, entry.subject, entry.details["direction"]) == (
        "database.copied", "features", "forward",
    )  # fmt: skip
    assert [ref.path for ref in entry.evidence] == [task.evidence_path]
    assert execute(task_of(SnapshotTablesOperator, world), attempt=2)["already_complete"] is True


def test_a_sync_applies_what_came_and_shows_the_lag(moved: World, engine: FakeEngine) -> None:
    engine.write(3, "changed")
    engine.write(11, "new")
    task = task_of(SyncChangesOperator, moved, "sync")
    context = context_of(task)
    figures = task.execute(context)
    assert (figures["changes"], figures["caught_up"]) == (2, True)
    assert engine.target == engine.source
    lag = context["ti"].pushed["lag"]
    assert (lag["lag_bytes"], lag["lag_rows"], lag["lag_seconds"]) == (0, 0, 0)
    assert execute(task_of(SyncChangesOperator, moved, "sync"), attempt=2)["changes"] == 0


def test_the_lag_is_measured_and_kept_beside_the_task(
    moved: World, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.observability import stats

    gauges: dict[str, Any] = {}
    monkeypatch.setattr(stats, "gauge", lambda name, value, tags: gauges.update({name: (value, tags)}))
    kept: dict[str, Any] = {}
    store = type("Store", (), {"set": lambda _self, key, value: kept.update({key: value})})()
    task = task_of(SyncChangesOperator, moved, "sync")
    task.execute({**context_of(task), "task_state_store": store})
    tags = {"migration": "small", "database": "features", "direction": "forward"}
    for name in ("lag_bytes", "lag_rows", "lag_seconds", "retained_bytes"):
        assert gauges[f"heavylift.tables.{name}"][1] == tags
    assert json.loads(json.dumps(kept["lag"]))["state"] == "streaming"


def test_a_lag_that_nobody_can_tell_fails_no_sync(
    moved: World, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_request: object) -> None:
        raise ServerUnavailableError("asking", got="nothing", code="6012")

    monkeypatch.setattr(engine, "status", away)
    engine.write(1, "x")
    assert execute(task_of(SyncChangesOperator, moved, "sync"))["changes"] == 1


def test_a_sync_without_a_snapshot_is_refused(world: World, engine: FakeEngine) -> None:
    with pytest.raises(NotFoundError):
        execute(task_of(SyncChangesOperator, with_database(world), "sync"))


def test_a_dry_run_of_a_sync_tells_the_lag_and_applies_nothing(moved: World, engine: FakeEngine) -> None:
    engine.write(3, "changed")
    assert execute(task_of(SyncChangesOperator, moved, "sync"), dry_run=True)["lag_rows"] == 1
    assert engine.target[3] != "changed"


def test_a_verification_passes_on_equal_tables_while_changes_flow(moved: World, engine: FakeEngine) -> None:
    engine.write(3, "changed")
    task = task_of(VerifyTablesOperator, moved)
    context = context_of(task)
    assert task.execute(context)["passed"] is True
    assert context["ti"].pushed["verification"]["rows_equal"] == 10
    assert "database.verified" in moved.actions()


def test_rows_that_differ_are_counted_in_the_log_and_named_only_in_the_evidence(
    moved: World, engine: FakeEngine
) -> None:
    engine.target[424242] = "somebody else's"
    task = task_of(VerifyTablesOperator, moved, frozen=True)
    with pytest.raises(IntegrityError, match=r"1 extra, in public.features.*HL-8211") as caught:
        execute(task)
    assert "424242" not in str(caught.value)
    record = json.loads((moved.evidence / task.evidence_path).read_text())
    assert record["differences"] == [{"table": "public.features", "kind": "extra", "key": {"id": "424242"}}]
    assert moved.trail()[-1].details["passed"] is False


def test_a_drain_that_does_not_arrive_says_so(moved: World, engine: FakeEngine) -> None:
    assert execute(task_of(DrainChangesOperator, moved, "sync", within_seconds=5))["reached"] is True
    engine.drains = False
    with pytest.raises(IncompleteError, match=r"after 5 s.*HL-8212"):
        execute(task_of(DrainChangesOperator, moved, "sync", within_seconds=5))
    assert [entry.details["reached"] for entry in moved.trail()[-2:]] == [True, False]


def test_a_drain_of_a_source_that_is_still_written_fails(moved: World, engine: FakeEngine) -> None:
    engine.drain_findings = (
        Finding(rule="still-written", severity=Severity.BLOCKER, subject="features", detail="3 changes"),
    )
    with pytest.raises(IncompleteError, match=r"3 changes.*nobody writes.*HL-8214"):
        execute(task_of(DrainChangesOperator, moved, "sync", within_seconds=5))


def test_the_way_back_is_prepared_first_then_flows_then_ends(moved: World, engine: FakeEngine) -> None:
    with pytest.raises(NotFoundError):
        execute(task_of(ReverseSyncOperator, moved, "sync"))
    prepare = task_of(ReverseSyncOperator, moved, "sync", act="prepare")
    assert execute(prepare)["act"] == "prepared"
    assert execute(task_of(ReverseSyncOperator, moved, "sync"))["caught_up"] is True
    assert execute(task_of(EndStreamOperator, moved, "sync", direction="reverse"))["state"] == "ended"
    assert engine.calls[-3:] == ["forward.prepare_reverse", "reverse.sync", "reverse.end"]
    assert [entry.action for entry in moved.trail()][-3:] == [
        "database.reverse_prepared", "database.synced", "database.stream_ended",
    ]  # fmt: skip
    assert moved.trail()[-1].details["direction"] == "reverse"


MOVING: dict[Any, dict[str, Any]] = {
    SnapshotTablesOperator: {},
    VerifyTablesOperator: {},
    DrainChangesOperator: {},
    EndStreamOperator: {},
}


@pytest.mark.parametrize("kind", MOVING, ids=lambda kind: kind.__name__)
def test_nothing_moves_in_a_dry_run(world: World, engine: FakeEngine, kind: Any) -> None:
    with pytest.raises(AirflowSkipException):
        execute(task_of(kind, with_database(world), **MOVING[kind]), dry_run=True)
    assert engine.calls == []


def killed(task: Any, engine: FakeEngine, stop_at: int, **params: Any) -> None:
    """Run a task that is stopped in the middle of its work, as ``on_kill`` does."""
    engine.stop_at = stop_at

    def kill() -> None:
        wait_until(lambda: engine.stop_at is None)
        task.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(TransientError, match="HL-8003"):
            execute(task, **params)
    finally:
        killer.join()


def test_a_snapshot_that_is_killed_goes_on_where_it_was(world: World, engine: FakeEngine) -> None:
    task = task_of(SnapshotTablesOperator, with_database(world))
    killed(task, engine, stop_at=4)
    assert len(engine.target) == 4
    figures = execute(task_of(SnapshotTablesOperator, world), attempt=2)
    assert (figures["rows"], figures["ranges_reused"]) == (10, 1)
    assert execute(task_of(VerifyTablesOperator, world, frozen=True))["passed"] is True


def test_a_database_is_copied_anew_once_however_often_the_task_is_tried(
    moved: World, engine: FakeEngine
) -> None:
    engine.target[99] = "left by an earlier stream"
    killed(task_of(SnapshotTablesOperator, moved), engine, stop_at=4, copy_anew=True)
    assert len(engine.target) == 4
    task = task_of(SnapshotTablesOperator, moved)
    assert execute(task, attempt=2, copy_anew=True)["ranges_reused"] == 1
    assert engine.target == engine.source
    assert execute(task, attempt=3, copy_anew=True)["already_complete"] is True


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (SyncChangesOperator, {}),
        (DrainChangesOperator, {}),
        (VerifyTablesOperator, {}),
        (SyncChangesOperator, {"follow": True, "follow_seconds": 0.0}),
    ],
    ids=["sync", "drain", "verify", "follow"],
)
def test_applying_that_is_killed_goes_on_where_it_was(
    moved: World, engine: FakeEngine, kind: Any, arguments: dict[str, Any]
) -> None:
    for number in range(6):
        engine.write(number, f"changed {number}")
    killed(task_of(kind, moved, "sync", **arguments), engine, stop_at=3)
    assert engine.applied == 3
    execute(task_of(kind, moved, "sync", **arguments), attempt=2)
    assert engine.applied == 6
    assert engine.target == engine.source


def test_a_reverse_sync_that_is_killed_goes_on_where_it_was(moved: World, engine: FakeEngine) -> None:
    execute(task_of(ReverseSyncOperator, moved, "sync", act="prepare"))
    for number in range(4):
        engine.write(number, "back")
    killed(task_of(ReverseSyncOperator, moved, "sync"), engine, stop_at=2)
    assert execute(task_of(ReverseSyncOperator, moved, "sync"), attempt=2)["changes"] == 2


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (PreflightTablesOperator, {}),
        (ReverseSyncOperator, {"act": "prepare"}),
        (EndStreamOperator, {}),
    ],
    ids=["preflight", "prepare", "end"],
)
def test_what_is_cut_short_may_be_done_again(
    moved: World, engine: FakeEngine, kind: Any, arguments: dict[str, Any]
) -> None:
    engine.fail = [ServerUnavailableError("asking", got="a closed connection", code="6012")]
    with pytest.raises(ServerUnavailableError):
        execute(task_of(kind, moved, **arguments))
    for attempt in (2, 3):
        execute(task_of(kind, moved, **arguments), attempt=attempt)


def test_no_secret_gets_into_evidence(moved: World, engine: FakeEngine) -> None:
    execute(task_of(VerifyTablesOperator, moved))
    texts = [file.read_text() for file in moved.evidence.rglob("*.json")]
    assert texts
    assert not any(PASSWORD in text for text in texts)
