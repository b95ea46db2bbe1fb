"""The DAG of a dataset that a transfer service moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.spec import Phase, load_files
from heavylift_airflow.operators.services.azcopy import RunAzCopyOperator
from heavylift_airflow.operators.services.run import RunServiceOperator
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write


@pytest.mark.parametrize("phase", [Phase.TRANSFER, Phase.SYNC])
def test_the_service_works_beside_our_workers_and_both_are_verified(tmp_path: Path, phase: Phase) -> None:
    through = {
        "name": "through",
        "source": "s3://bucket/data/",
        "target": "gs://bucket/data/",
        "via": "storage-transfer-service",
    }
    own = {"name": "own", "source": "s3://bucket/more/", "target": "gs://bucket/more/"}
    file = write(tmp_path, "services", datasets=[through, own])
    [loaded] = load_files([file]).valid
    dag = movement_dag(loaded, phase)
    assert dag is not None
    task = dag.get_task("through.run_service")
    assert isinstance(task, RunServiceOperator)
    assert task.upstream_task_ids == {"through.plan"}
    assert dag.get_task("through.copy").upstream_task_ids == {"through.plan"}
    verify = dag.get_task("through.verify")
    assert verify.upstream_task_ids == {"through.copy", "through.run_service"}
    assert verify.trigger_rule == "none_failed"
    assert task.doc_md == read_runbook(phase).task("run_service")
    assert "*To do:*" in str(task.doc_md)
    assert "own.run_service" not in dag.task_ids
    assert [leaf.task_id for leaf in dag.leaves] == ["summarise_run"]


def test_azcopy_has_an_operator_of_its_own(tmp_path: Path) -> None:
    target = {"platform": "azure", "connection": "azure_target"}
    dataset = {
        "name": "data",
        "source": "s3://bucket/data/",
        "target": "az://container/data/",
        "via": "azcopy",
    }
    file = write(tmp_path, "azcopy", target=target, datasets=[dataset])
    [loaded] = load_files([file]).valid
    dag = movement_dag(loaded, Phase.TRANSFER)
    assert dag is not None
    assert isinstance(dag.get_task("data.run_service"), RunAzCopyOperator)
