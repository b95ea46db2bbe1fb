"""Datasets with several targets, and datasets that are written to on both sides, in the phases that move."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

AZURE = {"url": "az://lake/data/", "connection": "azure_target", "platform": "azure"}
DATA = {
    "name": "data",
    "source": "s3://bucket/data/",
    "target": "gs://bucket/data/",
    "deletes": "quarantine",
}


def dag_of(tmp_path: Path, phase: Phase, **dataset: object) -> DAG:
    [loaded] = load_specs(write(tmp_path, "some", datasets=[{**DATA, **dataset}]).parent).valid
    dag = movement_dag(loaded, phase)
    assert dag is not None
    return dag


def groups(dag: DAG) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for task in dag.tasks:
        group, dot, name = task.task_id.rpartition(".")
        if dot and task.dag is dag and not group.startswith("gate_"):
            found.setdefault(group, set()).add(name)
    return found


def test_each_replica_has_the_tasks_of_a_dataset_and_is_waited_for_by_the_gate(tmp_path: Path) -> None:
    replicas = [{"name": "lake", "target": AZURE}]
    transfer = dag_of(tmp_path / "one", Phase.TRANSFER, replicas=replicas)
    moving = {"plan", "copy", "verify"}
    assert groups(transfer) == {"data": moving, "data_lake": moving}
    [gate] = [task for task in transfer.tasks if task.task_id.endswith(".evaluate")]
    assert {"data.verify", "data_lake.verify"} <= gate.upstream_task_ids
    sync = dag_of(tmp_path / "two", Phase.SYNC, replicas=replicas)
    assert groups(sync) == {"data": {*moving, "deletes"}, "data_lake": {*moving, "deletes"}}


def test_only_the_sync_goes_both_ways_and_its_replicas_do_not(tmp_path: Path) -> None:
    more = {"two_way": {"conflicts": "keep-both"}, "replicas": [{"name": "lake", "target": AZURE}]}
    assert "two_way" not in groups(dag_of(tmp_path / "one", Phase.TRANSFER, **more))["data"]
    sync = dag_of(tmp_path / "two", Phase.SYNC, **more)
    found = groups(sync)
    assert found["data"] == {"two_way"}
    assert "two_way" not in found["data_lake"]
    section = read_runbook(Phase.SYNC).task("two_way")
    assert "*To do:*" in section
    assert sync.get_task("data.two_way").doc_md == section
