"""The tasks of a registry in processes that are killed: a retry goes on, and the end is as if nothing was."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow.entities import Metric, Param

from heavylift.platforms.postgresql.connect import connect
from sandbox.examples.history import mutate
from sandbox.stack import Stack
from tests.support.registry_task import start
from tests.support.stores import ROOTS, TwoStores, connection, empty_store, forget_streams
from tests.support.two_databases import run_sql


def write_spec(folder: Path, **more: Any) -> Path:
    """Write a migration of the sandbox's experiment history."""
    further = {"source": f"{ROOTS[0]}-elsewhere", "target": f"{ROOTS[1]}-elsewhere"}
    sides = {
        side: {"connection": f"mlflow_{side}", "artifacts": root, "artifacts_connection": f"aws_{side}"}
        for side, root in zip(("source", "target"), ROOTS, strict=True)
    }
    spec = {
        "apiVersion": "heavylift/v1",
        "migration": "small",
        "owner": "team",
        "source": {"platform": "aws", "connection": "aws_source"},
        "target": {"platform": "aws", "connection": "aws_target"},
        "registries": [{"name": "history", **sides, "more_artifacts": [further], **more}],
    }
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(spec))
    return file


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Read the process's output up to a line."""
    assert process.stdout is not None
    read = []
    for each in process.stdout:
        read.append(each)
        if each.startswith(line):
            return
    raise AssertionError("".join(read)[-3000:])


def kill_when(process: subprocess.Popen[str], due: Callable[[], bool]) -> None:
    """Kill a process as soon as it is due; it must be at work still."""
    while process.poll() is None and not due():
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it was to be killed"
    process.kill()
    process.communicate()


def finish(process: subprocess.Popen[str]) -> list[Any]:
    """Let a process come to its end and return what its tasks returned."""
    output, _ = process.communicate()
    assert process.returncode == 0, output[-3000:]
    lines = [line for line in output.splitlines() if line.startswith("DONE ")]
    return [json.loads(line.removeprefix("DONE ")) for line in lines]


def let_go(store: Any) -> bool:
    """Tell whether a killed process's session has let go of the registry."""
    held = (
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory'"
    )
    return run_sql(store, f"{held} AND datname = current_database()") == [(0,)]


def when_let_go(store: Any) -> None:
    until = time.monotonic() + 120
    while not let_go(store):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.long
def test_each_task_goes_on_where_a_killed_one_was(servers: Stack, tmp_path: Path) -> None:
    source, target = (connection(servers, f"mlflow_{side}_db") for side in ("source", "target"))
    empty_store(target)
    spec = write_spec(tmp_path)
    env = {
        **servers.env,
        "AIRFLOW_CONN_EVIDENCE": json.dumps(
            {"conn_type": "file", "extra": {"path": str(tmp_path / "evidence")}}
        ),
    }
    stores = TwoStores(source, target)

    def noted() -> int:
        with connect(target, "test") as session:
            if session.execute("SELECT to_regclass('heavylift.registry_table')").fetchone() == (None,):
                return 0
            row = session.execute("SELECT count(*) FROM heavylift.registry_table").fetchone()
        return int((row or (0,))[0])

    process = start(spec, env, "preflight", "copy")
    wait_for(process, "BEGUN copy")
    kill_when(process, lambda: noted() >= 5)
    before = dict(stores.on_target("SELECT table_name, written_at FROM heavylift.registry_table"))  # type: ignore[arg-type]
    when_let_go(target)
    copied, synced = finish(start(spec, env, "copy", "sync"))
    after = dict(stores.on_target("SELECT table_name, written_at FROM heavylift.registry_table"))  # type: ignore[arg-type]
    assert before.items() <= after.items(), "a finished table was written again"
    assert copied["tables"] == len(after)
    assert synced["written"] == 0

    mutate(servers.env)
    epoch = "SELECT epoch FROM heavylift.registry_store"
    ((first,),) = stores.on_target(epoch)
    process = start(spec, env, "sync")
    wait_for(process, "BEGUN sync")
    kill_when(process, lambda: stores.on_target(epoch) != [(first,)])
    when_let_go(target)
    process = start(spec, env, "sync", "verify")
    wait_for(process, "BEGUN verify")
    kill_when(process, lambda: not let_go(target))
    when_let_go(target)
    skipped, figures = finish(start(spec, env, "copy", "verify"))
    assert skipped is None
    assert figures["passed"] is True
    assert figures["tables_unequal"] == 0
    folder = next((tmp_path / "evidence").rglob("~registries/history"))
    names = {path.name.rpartition("-")[0] for path in folder.iterdir()}
    assert names == {"preflight", "copy", "sync", "registry-verification"}


@pytest.mark.long
def test_tasks_follow_a_live_server_switch_and_come_back(servers: Stack, tmp_path: Path) -> None:
    """SyncRegistryOperator and SwitchRegistryOperator, while a client logs through MLflow's own library."""
    source, target = (connection(servers, f"mlflow_{side}_db") for side in ("source", "target"))
    stores = TwoStores(source, target)
    for side in (source, target):
        forget_streams(side)
    empty_store(target)
    spec = write_spec(tmp_path, deletes="propagate")
    places = {"conn_type": "file", "extra": {"path": str(tmp_path / "evidence")}}
    env = {**servers.env, "AIRFLOW_CONN_EVIDENCE": json.dumps(places)}
    try:
        waiting = finish(start(spec, env, 'sync:{"follow": true}'))
        assert waiting[0]["waits"]["stream"].endswith("/forward")
        run = logged(servers, "source")
        process = start(spec, env, 'sync:{"follow": true, "hold_worker": true}')
        wait_for(process, "BEGUN sync")
        second = logged(servers, "source")
        kill_when(process, lambda: second in ended(stores.on_target))
        assert run in ended(stores.on_target)
        when_let_go(target)

        third = logged(servers, "source")
        switched, synced, figures = finish(start(spec, env, "switch", "sync", "verify"))
        assert (switched["to"], switched["already"], synced["direction"]) == ("target", False, "reverse")
        assert (figures["passed"], figures["tables_unequal"]) == (True, 0)
        assert third in ended(stores.on_target)
        with pytest.raises(mlflow.exceptions.MlflowException):
            logged(servers, "source")

        fourth = logged(servers, "target")
        (synced,) = finish(start(spec, env, "sync"))
        assert synced["inserts"] > 20
        assert fourth in ended(stores.on_source)
        back, again = finish(start(spec, env, 'switch:{"to": "source"}', 'switch:{"to": "source"}'))
        assert (back["already"], again["already"]) == (False, True)
        fifth = logged(servers, "source")
        synced, figures = finish(start(spec, env, "sync", "verify"))
        assert (synced["direction"], figures["passed"]) == ("forward", True)
        assert fifth in ended(stores.on_target)
    finally:
        for side in (source, target):
            forget_streams(side)


def logged(servers: Stack, side: str) -> str:
    """Log a run with MLflow's own client; return its id."""
    client = mlflow.MlflowClient(tracking_uri=str(connection(servers, f"mlflow_{side}").host))
    run = client.create_run("10", run_name=f"through the {side}")
    points = [Metric("loss", 1 / (step + 1), step, step) for step in range(20)]
    client.log_batch(run.info.run_id, metrics=points, params=[Param("depth", "3")])
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def ended(ask: Callable[[str], Any]) -> set[str]:
    """Return the runs that one side's database shows as ended."""
    return {row[0] for row in ask("SELECT run_uuid FROM runs WHERE status = 'FINISHED'")}
