"""The DAGs that give a source up, bring it back, and test the moved workload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from heavylift.spec import LoadedSpec, Phase, SpecFileError, load_spec, load_specs
from heavylift_airflow.phases.decommission import decommission_dag, restore_dag
from heavylift_airflow.phases.runbook import read_runbook
from heavylift_airflow.phases.workload import workload_dag
from tests.dags.specs import write

CUTOVER = {"runbook_owner": "team-a", "traffic": {"adapter": "envoy", "connection": "traffic"}}
SECTIONS = {"cutover": CUTOVER, "decommission": {"owner": "team-a"}}
PLANNED, DELETION = "gate_decommission-planned", "gate_decommission-deletion"
TESTS = {
    "requests": "s3://bucket/golden.jsonl",
    "connection": "scoring",
    "functional": {"source_connection": "scoring_source"},
    "security": [{"name": "nobody", "kind": "unauthenticated"}],
}


def loaded_of(tmp_path: Path, **changes: object) -> LoadedSpec:
    [loaded] = load_specs(write(tmp_path, "some", **changes).parent).valid
    return loaded


def leaving(tmp_path: Path) -> DAG:
    made = decommission_dag(loaded_of(tmp_path, **SECTIONS))
    assert made is not None
    return made


def test_a_spec_without_the_sections_has_none(tmp_path: Path) -> None:
    loaded = loaded_of(tmp_path)
    assert (decommission_dag(loaded), restore_dag(loaded), workload_dag(loaded)) == (None, None, None)


def test_two_people_answer_before_anything_is_deleted(tmp_path: Path) -> None:
    dag = leaving(tmp_path)
    gates = [f"{gate}.{task}" for gate in (PLANNED, DELETION) for task in ("evaluate", "wait", "approve")]
    assert [task.task_id for task in dag.topological_sort()] == [
        "begin_run", "check_unused", "plan", *gates[:3], "disable", "wait_grace", "check_again", *gates[3:],
        "delete", "certify", "build_report", "summarise_run",
    ]  # fmt: skip
    assert dag.get_task("disable").upstream_task_ids == {f"{PLANNED}.approve"}
    assert dag.get_task("delete").upstream_task_ids == {f"{DELETION}.approve"}
    assert dag.get_task("check_again").meanwhile is True
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]


def test_bringing_back_asks_nobody_and_is_never_paused_at_first(tmp_path: Path) -> None:
    dag = restore_dag(loaded_of(tmp_path, **SECTIONS))
    assert dag is not None
    assert [task.task_id for task in dag.topological_sort()] == ["begin_run", "restore"]
    assert dag.is_paused_upon_creation is False


def test_each_kind_of_test_has_a_task(tmp_path: Path) -> None:
    dag = workload_dag(loaded_of(tmp_path, cutover=CUTOVER, workload_tests=TESTS))
    assert dag is not None
    assert {task.task_id for task in dag.tasks} == {"begin_run", "try_functional", "try_security"}


def test_every_task_is_in_a_runbook(tmp_path: Path) -> None:
    loaded = loaded_of(tmp_path, **SECTIONS, workload_tests=TESTS)
    for dag in (decommission_dag(loaded), restore_dag(loaded), workload_dag(loaded)):
        assert dag is not None
        for task in dag.tasks:
            assert task.doc_md, task.task_id
    assert read_runbook(Phase.DECOMMISSION).task("certify")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"decommission": {"owner": "x"}}, "HL-9302"),
        ({**SECTIONS, "decommission": {"owner": "x", "keep": [
            {"component": "dataset/nobody", "legal_hold": True, "reason": "x"}]}}, "HL-9305"),
        ({**SECTIONS, "decommission": {"owner": "x", "keep": [
            {"component": "everything", "legal_hold": True, "reason": "x"}]}}, "HL-9301"),
        ({**SECTIONS, "gates": [
            {"name": "one", "phase": "decommission", "checks": ["source_unused"]}]}, "HL-9304"),
        ({"gates": [{"name": "one", "phase": "transfer", "checks": ["grace_over"]}]}, "HL-9303"),
        ({"gates": [{"name": "one", "phase": "transfer", "checks": ["workload_tests_passed"]}]}, "HL-9338"),
        ({"workload_tests": {"requests": "s3://bucket/a", "connection": "x"}}, "HL-9338"),
    ],
)  # fmt: skip
def test_what_could_not_be_carried_out_is_refused(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(SpecFileError) as told:
        load_spec(write(tmp_path, "some", **changes))
    assert code in str(told.value)
