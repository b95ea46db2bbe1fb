"""The operators on two real databases, one of them written to all the time; run twice, and stopped midway."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from heavylift.connections import Connection
from heavylift.errors import IntegrityError, TransientError
from heavylift.tables.postgres.connect import connect
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
from heavylift_airflow.operators.tables_changes import (
    DrainChangesOperator,
    EndStreamOperator,
    ReverseSyncOperator,
    SyncChangesOperator,
)
from heavylift_airflow.sensors.replication import ReplicationCaughtUpSensor
from tests.plugins.tables_world import DATABASE, execute, task_of, with_database
from tests.plugins.world import World, context_of, gate
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.two_databases import TwoDatabases, run_sql

ROWS = "INSERT INTO account SELECT i, 'o' || i, i, md5(i::text) FROM generate_series(1, 3000) i"

BEFORE_SLOT = "SELECT 1 FROM pg_replication_slots WHERE database = current_database()"
BEFORE_ROWS = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'public.account'::regclass"
HOLD = {
    # A new slot waits for every transaction that may write; rows wait for a lock of their table.
    BEFORE_SLOT: "SELECT pg_current_xact_id()",
    BEFORE_ROWS: "LOCK TABLE public.account IN SHARE MODE",
}


@pytest.fixture
def world(databases: TwoDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a migration of the ledger between the two databases."""
    made = World(tmp_path / "world")
    for name, value in made.connections.items():
        monkeypatch.setenv(name, value)
    for conn_id, side in (("features_source", databases.source), ("features_target", databases.target)):
        fields = ("conn_type", "host", "port", "schema", "login", "password")
        text = json.dumps({name: getattr(side, name) for name in fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)
    with_database(made, tables=["public.*"])
    checks = ["counts_equal", "checksums_equal", "tables_equal"]
    made.save(gates=[gate("proved", approval=False, checks=checks)])
    databases.on_source(LEDGER)
    databases.on_source(ROWS)
    return made


def task_at_the_end(kind: Any, world: World, phase: str, **arguments: Any) -> Any:
    return kind(task_id="closing", spec_path=world.spec_path, phase=phase, **arguments)


def transfer(world: World, run_id: str) -> dict[str, Any]:
    """Run the tasks of a transfer; return what each gave."""
    steps = {
        "preflight": task_of(PreflightTablesOperator, world),
        "snapshot": task_of(SnapshotTablesOperator, world),
        "verify": task_of(VerifyTablesOperator, world),
        "gate": task_at_the_end(EvaluateGateOperator, world, "transfer", gate="proved"),
        "publish": task_at_the_end(PublishPhaseOperator, world, "transfer"),
        "report": task_at_the_end(BuildReportOperator, world, "transfer"),
        "summary": task_at_the_end(SummariseRunOperator, world, "transfer"),
    }
    return {
        name: task.execute({**context_of(task, run_id=run_id), "outlet_events": {}})
        for name, task in steps.items()
    }


def assert_equal(databases: TwoDatabases) -> None:
    for table in TABLES:
        databases.assert_equal(table)


@pytest.mark.long
def test_a_migration_runs_through_its_phases_under_a_live_writer(
    databases: TwoDatabases, world: World
) -> None:
    with LiveWriter(databases.source, seed=21) as writer:
        writer.wait_for(100)
        first = transfer(world, "manual__one")
        assert first["snapshot"]["rows"] >= 3000
        assert first["gate"]["passed"] is True
        writer.wait_for(writer.commits + 200)
        again = transfer(world, "manual__two")
        assert again["snapshot"]["already_complete"] is True
        assert again["summary"]["databases"] == 1
        writer.wait_for(writer.commits + 200)
        sync = task_of(SyncChangesOperator, world, "sync")
        context = context_of(sync)
        assert sync.execute(context)["caught_up"] is True
        assert context["ti"].pushed["lag"]["state"] == "streaming"
        assert execute(task_of(VerifyTablesOperator, world, "sync"))["passed"] is True
        assert execute(task_at_the_end(SummariseRunOperator, world, "sync"))["databases"] == 1
    drain = execute(task_of(DrainChangesOperator, world, "sync", within_seconds=60.0))
    assert drain["reached"] is True
    assert execute(task_of(VerifyTablesOperator, world, "sync", frozen=True))["sequences_behind"] == 0
    assert_equal(databases)
    execute(task_of(ReverseSyncOperator, world, "sync", act="prepare"))
    databases.on_target("DELETE FROM account WHERE id % 7 = 0")
    assert execute(task_of(ReverseSyncOperator, world, "sync"))["deletes"] > 100
    assert_equal(databases)
    for direction in ("forward", "reverse", "reverse"):
        execute(task_of(EndStreamOperator, world, "sync", direction=direction))


@pytest.mark.long
def test_a_snapshot_and_a_sync_that_are_stopped_go_on(databases: TwoDatabases, world: World) -> None:
    databases.on_source(
        "INSERT INTO account SELECT i, 'o' || i, i, repeat(md5(i::text), 30)"
        " FROM generate_series(3001, 40000) i"
    )
    snapshot = task_of(SnapshotTablesOperator, world)
    stopped_while_it_waits(databases.source, BEFORE_SLOT, snapshot, attempt=1)
    snapshot = task_of(SnapshotTablesOperator, world)
    stopped_while_it_waits(databases.target, BEFORE_ROWS, snapshot, attempt=2)
    execute(task_of(SnapshotTablesOperator, world), attempt=3)
    databases.on_source("UPDATE account SET balance = balance + 1")
    databases.on_source("DELETE FROM account WHERE id % 3 = 0")
    sync = task_of(SyncChangesOperator, world, "sync")
    stopped_while_it_waits(databases.target, BEFORE_ROWS, sync, attempt=1)
    execute(task_of(SyncChangesOperator, world, "sync"), attempt=2)
    assert_equal(databases)


def stopped_while_it_waits(side: Connection, waiting: str, task: Any, *, attempt: int) -> None:
    """Run a task until it waits for a transaction of ours, tell it to stop, and only then end that one."""
    with closing(connect(side, "holder", autocommit=False)) as holder:
        holder.execute(HOLD[waiting].encode())

        def stop() -> None:
            while not run_sql(side, waiting):
                pass
            task.on_kill()
            holder.rollback()

        killer = threading.Thread(target=stop)
        killer.start()
        try:
            with pytest.raises(TransientError):
                execute(task, attempt=attempt)
        finally:
            killer.join()


def test_following_and_waiting_are_woken_by_the_servers_themselves(
    databases: TwoDatabases, world: World
) -> None:
    execute(task_of(SnapshotTablesOperator, world))
    follow = task_of(SyncChangesOperator, world, "sync", follow=True, poll_seconds=0.2)
    with pytest.raises(TaskDeferred) as waiting:
        execute(follow)
    databases.on_source("UPDATE account SET balance = -1 WHERE id = 5")
    event = asyncio.run(asyncio.wait_for(_first(waiting.value.trigger), 60))
    with pytest.raises(TaskDeferred):
        follow.resume(context_of(follow), event, **waiting.value.kwargs)
    assert databases.on_target("SELECT balance FROM account WHERE id = 5")[0][0] == -1
    databases.on_source(
        "INSERT INTO event SELECT 'k', jsonb_build_object('n', i) FROM generate_series(1, 5000) i"
    )
    sensor = task_of(ReplicationCaughtUpSensor, world, "sync", max_lag_seconds=0.0, poke_interval=0.2)
    with pytest.raises(TaskDeferred) as held:
        execute(sensor)
    event = asyncio.run(_first_while_syncing(held.value.trigger, world))
    assert event["stream"] == f"small/{DATABASE}/forward"
    assert databases.rows("SELECT count(*) FROM event")[0] == databases.rows("SELECT count(*) FROM event")[1]


async def _first_while_syncing(trigger: Any, world: World) -> dict[str, Any]:
    """Sync again and again: what a server writes by itself after a run is lag, too, until the next one."""
    waiting = asyncio.create_task(_first(trigger))
    async with asyncio.timeout(60):
        while not waiting.done():
            await asyncio.to_thread(execute, task_of(SyncChangesOperator, world, "sync"))
            await asyncio.wait([waiting], timeout=0.5)
    return waiting.result()


async def _first(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("it ended without an event")


def test_a_row_that_somebody_changed_on_the_target_shuts_the_gate(
    databases: TwoDatabases, world: World
) -> None:
    execute(task_of(PreflightTablesOperator, world))
    execute(task_of(SnapshotTablesOperator, world))
    databases.on_target("UPDATE account SET note = 'not ours' WHERE id IN (3, 4)")
    with pytest.raises(IntegrityError, match=r"2 different, in public.account.*HL-8211") as caught:
        execute(task_of(VerifyTablesOperator, world))
    assert "not ours" not in str(caught.value)
    assert not any("not ours" in file.read_text() for file in world.evidence.rglob("*.json"))
