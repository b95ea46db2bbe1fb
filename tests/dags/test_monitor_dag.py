"""The DAG of the phase monitor: one look for each watched thing and side, one last word."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.monitor import monitor_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

MONITOR = {
    "drift": [
        {"name": "features", "source": {"url": "s3://bucket/f/"}, "target": {"url": "gs://bucket/f/"}},
    ],
    "gaps": [{"name": "log", "source": {"url": "s3://bucket/log/"}}],
}


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    spec = write(tmp_path, "some", monitor=MONITOR, schedule={"monitor": "*/10 * * * *"})
    [loaded] = load_specs(spec.parent).valid
    made = monitor_dag(loaded)
    assert made is not None
    return made


def test_a_spec_that_watches_nothing_has_none(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some").parent).valid
    assert monitor_dag(loaded) is None


def test_it_looks_at_each_side_on_the_schedule_and_the_summary_is_the_only_leaf(dag: DAG) -> None:
    assert dag.dag_id == "some.monitor"
    assert dag.tags == {"migration:some", "phase:monitor"}
    assert dag.timetable.expression == "*/10 * * * *"
    assert dag.max_active_runs == 1
    assert set(dag.task_ids) == {"begin_run", "look", "summarise_run"}
    assert dag.get_task("look").expand_input.value["item"] == [
        {"watch": "features", "side": "source"},
        {"watch": "features", "side": "target"},
        {"watch": "log", "side": ""},
    ]
    assert dag.get_task("look").upstream_task_ids == {"begin_run"}
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert dag.get_task("summarise_run").trigger_rule == "all_done"
    for task in dag.tasks:
        section = read_runbook(Phase.MONITOR).task(task.task_id)
        assert "*To do:*" in section
        assert task.owner == "team-a"
        assert task.retry_policy


def test_the_page_names_what_is_watched_and_is_the_runbook(dag: DAG) -> None:
    text = dag.doc_md or ""
    assert "| features (drift) | `s3://bucket/f/` | `gs://bucket/f/` |" in text
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in text
