"""Databases in the DAGs: a snapshot once, then changes again and again, each proved."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from heavylift.spec import Phase, load_files
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.runbook import read_runbook
from heavylift_airflow.retry import HeavyliftRetryPolicy
from tests.dags.specs import GOOD, write

DATABASES: list[dict[str, Any]] = [
    {"name": "data", "source": {"connection": "db_a"}, "target": {"connection": "db_b"}},
    {"name": "features", "source": {"connection": "db_c"}, "target": {"connection": "db_d"}},
]
TASKS = {
    Phase.TRANSFER: ["preflight_tables", "snapshot_tables", "verify_tables"],
    Phase.SYNC: ["sync_changes", "verify_tables"],
}
every_phase = pytest.mark.parametrize("phase", TASKS, ids=lambda phase: phase.value)


def dag_of(folder: Path, phase: Phase, **changes: Any) -> DAG:
    [loaded] = load_files([write(folder, "some", **{"databases": DATABASES, **changes})]).valid
    dag = movement_dag(loaded, phase)
    assert dag is not None
    return dag


@every_phase
def test_a_database_has_its_chain_beside_the_datasets(tmp_path: Path, phase: Phase) -> None:
    dag = dag_of(tmp_path, phase)
    for database in DATABASES:
        chain = ["begin_run", *(f"database_{database['name']}.{name}" for name in TASKS[phase])]
        for before, after in pairwise(chain):
            assert dag.get_task(after).upstream_task_ids == {before}
    # A dataset may be called like a database.
    assert dag.has_task("data.copy")
    assert dag.has_task("database_data.verify_tables")


@every_phase
def test_a_spec_of_databases_alone_has_its_dags(tmp_path: Path, phase: Phase) -> None:
    dag = dag_of(tmp_path, phase, datasets=[])
    groups = {task.task_id.partition(".")[0] for task in dag.tasks if task.task_id.startswith("database_")}
    assert groups == {"database_data", "database_features"}
    assert not dag.has_task("data.copy")
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert [task.task_id for task in dag.roots] == ["begin_run"]


def test_only_a_transfer_of_databases_can_copy_them_anew(tmp_path: Path) -> None:
    assert dag_of(tmp_path / "a", Phase.TRANSFER).params.dump()["copy_anew"] is False
    assert "copy_anew" not in dag_of(tmp_path / "b", Phase.SYNC).params
    assert "copy_anew" not in dag_of(tmp_path / "c", Phase.TRANSFER, databases=[]).params


def test_the_gate_waits_for_databases_too(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, Phase.TRANSFER)
    waits_for = dag.get_task("gate_transfer-verified.evaluate").upstream_task_ids
    proved = {f"{each['name']}.verify" for each in GOOD["datasets"]}  # type: ignore[attr-defined]
    assert waits_for == proved | {f"database_{each['name']}.verify_tables" for each in DATABASES}


def test_without_a_gate_the_event_waits_for_databases(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, Phase.SYNC, datasets=[])
    waits_for = {"database_data.verify_tables", "database_features.verify_tables"}
    assert dag.get_task("publish_result").upstream_task_ids == waits_for
    # The event is left out as soon as one of them has failed; the report comes after both even so.
    assert dag.get_task("build_report").upstream_task_ids == {"publish_result", *waits_for}


@every_phase
def test_every_task_has_a_runbook_and_retries_by_the_kind_of_error(tmp_path: Path, phase: Phase) -> None:
    dag = dag_of(tmp_path, phase)
    assert "| features | connection `db_c` | connection `db_d` |" in (dag.doc_md or "")
    for name in TASKS[phase]:
        section = read_runbook(phase).task(name)
        assert "*To do" in section, name
        task = dag.get_task(f"database_features.{name}")
        assert task.doc_md == section
        assert isinstance(task.retry_policy, HeavyliftRetryPolicy)
        assert task.on_failure_callback


@every_phase
def test_it_survives_serialisation(tmp_path: Path, phase: Phase) -> None:
    dag = dag_of(tmp_path, phase)
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert set(again.task_ids) == set(dag.task_ids)


@pytest.mark.parametrize("phase", [Phase.TRANSFER, Phase.SYNC], ids=lambda phase: phase.value)
@pytest.mark.parametrize(
    "trouble", ["slot", "lag", "schema", "disk", "network", "another run"], ids=lambda it: it
)
def test_the_runbooks_know_what_goes_wrong_at_three_in_the_morning(phase: Phase, trouble: str) -> None:
    text = read_runbook(phase).text
    assert "## Databases: what can go wrong" in text
    assert trouble in text.partition("## Databases: what can go wrong")[2].lower()
