"""The DAG of the offline path: made where a dataset travels on devices, each device on its own way."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization

from heavylift.spec import Phase, load_files
from heavylift_airflow.phases.appliance import appliance_dag
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.runbook import read_runbook
from heavylift_airflow.retry import HeavyliftRetryPolicy
from tests.dags.specs import GOOD, write

CHAIN = ["order", "deliver", "load", "check", "ship", "ingest", "reconcile"]
APPLIANCE = {"device": "gcp-ta300", "mount": "file:///mnt/devices"}


def datasets(**appliance: object) -> list[dict[str, object]]:
    first, *others = GOOD["datasets"]  # type: ignore[misc]
    return [{**first, "appliance": {**APPLIANCE, **appliance}}, *others]


def dag_from(folder: Path, **appliance: object) -> DAG:
    [loaded] = load_files([write(folder, "offline", datasets=datasets(**appliance))]).valid
    dag = appliance_dag(loaded)
    assert dag is not None
    return dag


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    return dag_from(tmp_path)


def test_a_migration_without_devices_has_no_such_dag(tmp_path: Path) -> None:
    [loaded] = load_files([write(tmp_path, "online")]).valid
    assert appliance_dag(loaded) is None


def test_it_is_found_owned_and_never_runs_twice_at_once(dag: DAG) -> None:
    assert dag.dag_id == "offline.appliance"
    assert dag.tags == {"migration:offline", "phase:appliance"}
    assert (dag.owner, dag.max_active_runs, dag.catchup, dag.schedule) == ("team-a", 1, False, None)
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in (dag.doc_md or "")


def test_each_device_goes_through_the_same_chain_by_itself(dag: DAG) -> None:
    ids = {task.task_id for task in dag.tasks if task.task_id.startswith("data.device.")}
    assert ids == {f"data.device.{name}" for name in CHAIN}
    assert not any(task.task_id.startswith("more") for task in dag.tasks)
    for before, after in pairwise(CHAIN):
        task = dag.get_task(f"data.device.{after}")
        assert f"data.device.{before}" in task.upstream_task_ids
        assert task.trigger_rule == "all_success"
        assert [group.group_id for group in task.iter_mapped_task_groups()] == ["data.device"]


def test_people_are_asked_for_what_only_people_can_do(tmp_path: Path) -> None:
    provider, copy = dag_from(tmp_path / "one"), dag_from(tmp_path / "two", ingest="copy")
    kinds = {name: provider.get_task(f"data.device.{name}").task_type for name in CHAIN}
    asked = [name for name, kind in kinds.items() if kind == "DeviceStepOperator"]
    assert asked == ["order", "deliver", "ship", "ingest"]
    assert copy.get_task("data.device.ingest").task_type == "IngestDeviceOperator"


def test_the_event_waits_for_all_devices_and_the_summary_is_the_only_leaf(dag: DAG) -> None:
    publish = dag.get_task("publish_result")
    assert publish.upstream_task_ids == {"data.device.reconcile", "data.plan_devices"}
    assert publish.trigger_rule == "none_failed"
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    summarise = dag.get_task("summarise_run")
    assert summarise.trigger_rule == "all_done"
    assert summarise.upstream_task_ids == {"publish_result", "data.device.reconcile"}
    assert [task.task_id for task in dag.roots] == ["begin_run"]


def test_every_task_has_a_runbook_and_retries_by_the_kind_of_error(dag: DAG) -> None:
    for task in dag.tasks:
        section = read_runbook(Phase.APPLIANCE).task(task.task_id.rpartition(".")[2])
        assert "*To do:*" in section, task.task_id
        assert task.doc_md == section
        assert isinstance(task.retry_policy, HeavyliftRetryPolicy)
        assert task.retries == 3
        assert task.on_failure_callback


def test_the_transfer_begins_when_the_devices_are_reconciled(tmp_path: Path, dag: DAG) -> None:
    [event] = dag.get_task("publish_result").outlets
    [loaded] = load_files([write(tmp_path / "again", "offline", datasets=datasets())]).valid
    transfer = movement_dag(loaded, Phase.TRANSFER)
    assert transfer is not None
    [asset] = transfer.schedule
    assert isinstance(asset, Asset)
    assert asset.name == event.name == "offline.reconciled"


def test_it_survives_serialisation(dag: DAG) -> None:
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert set(again.task_ids) == set(dag.task_ids)
    assert again.get_task("data.device.ship").is_mapped is False
