"""Registries in their DAG: preflight, copy once, sync, their artifacts, then the proof."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization

from heavylift.spec import Phase, load_files
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.registry import registry_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

HISTORY: dict[str, Any] = {
    "name": "history",
    "source": {"connection": "mlflow_a", "store_connection": "db_a", "artifacts": "s3://old/artifacts"},
    "target": {"connection": "mlflow_b", "store_connection": "db_b", "artifacts": "gs://new/artifacts"},
}
BARE = {"name": "bare", "source": {"connection": "mlflow_c"}, "target": {"connection": "mlflow_d"}}
CHAIN = ["preflight_registry", "copy_registry", "sync_registry"]


def dag_of(folder: Path, **changes: Any) -> DAG:
    [loaded] = load_files([write(folder, "some", **{"registries": [HISTORY, BARE], **changes})]).valid
    dag = registry_dag(loaded)
    assert dag is not None
    return dag


def test_each_registry_has_its_chain_and_its_artifacts_come_after_what_names_them(tmp_path: Path) -> None:
    dag = dag_of(tmp_path)
    for name in ("history", "bare"):
        group = [f"registry_{name}.{task}" for task in CHAIN]
        for before, after in pairwise(["begin_run", *group]):
            assert dag.get_task(after).upstream_task_ids == {before}
    assert dag.get_task("history-artifacts.plan").upstream_task_ids == {"registry_history.sync_registry"}
    proof = dag.get_task("registry_history.verify_registry")
    assert proof.upstream_task_ids == {"history-artifacts.verify"}
    assert dag.get_task("registry_bare.verify_registry").upstream_task_ids == {"registry_bare.sync_registry"}
    gate = dag.get_task("gate_registry-verified.evaluate")
    assert gate.upstream_task_ids == {f"registry_{name}.verify_registry" for name in ("history", "bare")}
    assert not dag.has_task("data.copy"), "datasets have phases of their own"


def test_a_copy_that_is_skipped_skips_nothing_else(tmp_path: Path) -> None:
    dag = dag_of(tmp_path)
    for task_id in (
        "registry_history.sync_registry",
        "history-artifacts.plan",
        "registry_bare.verify_registry",
    ):
        assert dag.get_task(task_id).trigger_rule == "none_failed", task_id


def test_it_runs_on_its_schedule_once_somebody_switches_it_on(tmp_path: Path) -> None:
    assert dag_of(tmp_path / "a").schedule is None
    scheduled = dag_of(tmp_path / "b", schedule={"registry": "*/10 * * * *"})
    assert isinstance(scheduled.timetable, CronTriggerTimetable)
    assert scheduled.timetable.expression == "*/10 * * * *"
    assert scheduled.is_paused_upon_creation is True


def test_a_spec_without_registries_has_none_and_one_of_registries_alone_has_no_other(tmp_path: Path) -> None:
    [without] = load_files([write(tmp_path / "a", "some")]).valid
    assert registry_dag(without) is None
    [alone] = load_files([write(tmp_path / "b", "some", registries=[BARE], datasets=[])]).valid
    assert registry_dag(alone) is not None
    assert [movement_dag(alone, phase) for phase in (Phase.TRANSFER, Phase.SYNC)] == [None, None]


def test_a_gate_with_an_approval_asks_a_person(tmp_path: Path) -> None:
    gate = {
        "name": "agreed",
        "phase": "registry",
        "checks": ["registries_equal", "checksums_equal"],
        "approval": {"required": True},
    }
    dag = dag_of(tmp_path, gates=[gate])
    assert dag.get_task("publish_result").upstream_task_ids == {"gate_agreed.approve"}


def test_the_documentation_names_the_servers_and_places(tmp_path: Path) -> None:
    text = dag_of(tmp_path).doc_md or ""
    assert "| history | server `mlflow_a` | server `mlflow_b` |" in text
    assert "| history-artifacts | `s3://old/artifacts` | `gs://new/artifacts` |" in text
    assert "Gate **registry-verified**: registries_equal." in text


def test_it_survives_serialisation(tmp_path: Path) -> None:
    dag = dag_of(tmp_path)
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert set(again.task_ids) == set(dag.task_ids)


@pytest.mark.parametrize(
    "trouble", ["HL-7104", "HL-7111", "HL-7112", "HL-7120", "HL-7130", "HL-7142", "HL-8220", "HL-8014"]
)
def test_the_runbook_knows_what_goes_wrong(trouble: str) -> None:
    assert trouble in read_runbook(Phase.REGISTRY).text


def test_feature_stores_have_their_chain_and_a_gate(tmp_path: Path) -> None:
    store = {
        "name": "drivers",
        "source": {"connection": "feast_a"},
        "target": {"connection": "feast_b"},
        "history": [{"source": "s3://old/features", "target": "s3://new/features"}],
    }
    dag = dag_of(tmp_path / "a", registries=[], datasets=[], feature_stores=[store])
    chain = ["begin_run", *(f"features_drivers.{act}_features" for act in ("preflight", "copy", "verify"))]
    for before, after in pairwise(chain):
        assert dag.get_task(after).upstream_task_ids == {before}
    gate = dag.get_task("gate_registry-verified.evaluate")
    assert gate.upstream_task_ids == {"features_drivers.verify_features"}
    assert "Gate **registry-verified**: features_equal." in (dag.doc_md or "")
    both = dag_of(tmp_path / "b", feature_stores=[store])
    assert both.has_task("features_drivers.verify_features")
    assert both.has_task("registry_history.verify_registry")
    assert "feature store `feast_a`" in (both.doc_md or "")
    assert "Gate **registry-verified**: registries_equal, features_equal." in (both.doc_md or "")
