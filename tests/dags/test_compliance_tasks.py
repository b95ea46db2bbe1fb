"""The tasks of compliance: there with rules, before anything moves, each with its section of the runbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.registry import registry_dag
from tests.dags.specs import write

RULES = {"frameworks": ["gdpr"]}


@pytest.mark.parametrize("phase", [Phase.TRANSFER, Phase.SYNC])
def test_nothing_moves_before_the_rules_are_judged(tmp_path: Path, phase: Phase) -> None:
    [loaded] = load_specs(write(tmp_path, "some", compliance=RULES).parent).valid
    dag = movement_dag(loaded, phase)
    assert dag is not None
    check = dag.get_task("check_compliance")
    scans = {"compliance_data.scan_data", "compliance_more.scan_data"} if phase is Phase.TRANSFER else set()
    assert check.upstream_task_ids == {"begin_run"} | scans
    assert check.trigger_rule == "all_success"
    assert check.downstream_task_ids == {"data.plan", "more.plan"}
    # What the check refuses must not be planned: no trigger rule may override that.
    assert {dag.get_task(f"{name}.plan").trigger_rule for name in ("data", "more")} == {"all_success"}
    for task in [check, *(dag.get_task(name) for name in scans)]:
        assert "*To do:*" in (task.doc_md or "")


def test_without_rules_there_are_no_such_tasks(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some").parent).valid
    dag = movement_dag(loaded, Phase.TRANSFER)
    assert dag is not None
    assert not [task for task in dag.task_ids if "compliance" in task]


def test_registries_wait_for_the_rules_too(tmp_path: Path) -> None:
    mlflow = {"source": {"connection": "mlflow_source"}, "target": {"connection": "mlflow_target"}}
    [loaded] = load_specs(
        write(tmp_path, "some", compliance=RULES, registries=[{"name": "ml", **mlflow}]).parent
    ).valid
    dag = registry_dag(loaded)
    assert dag is not None
    check = dag.get_task("check_compliance")
    assert check.downstream_task_ids == {"registry_ml.preflight_registry"}
    assert "*To do:*" in (check.doc_md or "")
