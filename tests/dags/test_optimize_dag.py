"""The DAG of the phase optimize: three kinds of judgement, a proposal, a gate, one last word."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.optimize import optimize_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

OPTIMIZE = {
    "trials": [
        {
            "name": "scoring",
            "requests": "gs://bucket/requests.jsonl",
            "latency": 50.0,
            "knobs": {"model": ["/models/a"], "workers": [1, 2]},
            "usd_per_hour": 0.4,
        }
    ],
    "rightsizing": [{"name": "scorer", "series": "gs://bucket/use.csv", "instance_type": "g2-standard-8"}],
}
GATE = {"evaluate", "wait", "approve"}


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    [loaded] = load_specs(write(tmp_path, "some", optimize=OPTIMIZE).parent).valid
    made = optimize_dag(loaded)
    assert made is not None
    return made


def test_a_spec_that_optimises_nothing_has_none(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some").parent).valid
    assert optimize_dag(loaded) is None


def test_what_the_spec_names_is_judged_proposed_and_approved(dag: DAG) -> None:
    assert dag.dag_id == "some.optimize"
    assert dag.tags == {"migration:some", "phase:optimize"}
    gate = {f"gate_changes-approved.{name}" for name in GATE}
    closing = {"publish_result", "build_report", "summarise_run"}
    assert set(dag.task_ids) == {"begin_run", "measure_trials", "rightsize", "propose"} | gate | closing
    assert dag.get_task("measure_trials").expand_input.value["item"] == ["scoring"]
    assert dag.get_task("measure_trials").partial_kwargs["max_active_tis_per_dagrun"] == 1
    assert dag.get_task("propose").upstream_task_ids == {"begin_run", "measure_trials", "rightsize"}
    assert dag.get_task("propose").trigger_rule == "none_failed"
    assert [asset.name for asset in dag.get_task("publish_result").outlets] == ["some.optimized"]
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    for task in dag.tasks:
        section = read_runbook(Phase.OPTIMIZE).task(task.task_id.rpartition(".")[2])
        assert "*To do:*" in section
        assert task.owner == "team-a"


def test_the_page_names_what_is_judged_and_is_the_runbook(dag: DAG) -> None:
    text = dag.doc_md or ""
    assert "| scoring (trials) | requests `gs://bucket/requests.jsonl` | model, workers |" in text
    assert "| scorer (rightsizing) | use `gs://bucket/use.csv` | `g2-standard-8` |" in text
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in text
