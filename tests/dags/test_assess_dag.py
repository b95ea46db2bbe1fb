"""The DAG of the assess phase: one chain, one gate, one last word."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.assess import assess_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

ASSESS = {"lines": [{"name": "today", "bandwidth": "125MB/s"}], "regions": ["eu-west-1"]}


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    [loaded] = load_specs(write(tmp_path, "some", assess=ASSESS).parent).valid
    made = assess_dag(loaded)
    assert made is not None
    return made


def test_a_spec_without_the_section_has_none(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some").parent).valid
    assert assess_dag(loaded) is None


def test_the_tasks_are_these_and_each_has_its_section(dag: DAG) -> None:
    assert dag.dag_id == "some.assess"
    assert dag.tags == {"migration:some", "phase:assess"}
    assert dag.schedule is None
    gate = "gate_plan-approved"
    assert [task.task_id for task in dag.topological_sort()] == [
        "begin_run", "take_inventory", "make_graph", "make_plan", "build_report", f"{gate}.evaluate",
        f"{gate}.wait", f"{gate}.approve", "publish_result", "build_final_report", "summarise_run",
    ]  # fmt: skip
    for task in dag.tasks:
        section = read_runbook(Phase.ASSESS).task(task.task_id.rpartition(".")[2])
        assert "*To do:*" in section, task.task_id
        assert task.doc_md == section
        assert task.owner == "team-a"
        assert task.retry_policy


def test_the_last_word_is_had_whatever_happens_and_the_asset_waits_for_the_approval(dag: DAG) -> None:
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    for name in ("build_report", "gate_plan-approved.evaluate", "build_final_report", "summarise_run"):
        assert dag.get_task(name).trigger_rule == "all_done"
    publish = dag.get_task("publish_result")
    assert publish.upstream_task_ids == {"gate_plan-approved.approve"}
    assert [asset.name for asset in publish.outlets] == ["some.assessed"]


def test_the_page_says_what_is_looked_at_and_is_the_runbook(dag: DAG) -> None:
    text = dag.doc_md or ""
    assert "| everything | connection `aws_source`, eu-west-1 | gcp |" in text
    assert "Gate **plan-approved**: inventory_complete, references_explained" in text
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in text


def test_what_is_beside_the_source_is_listed_beside_it(tmp_path: Path) -> None:
    also = [
        {"system": "postgresql", "connection": "shop.db"},
        {"system": "mlflow", "connection": "tracking"},
    ]
    [loaded] = load_specs(write(tmp_path, "some", assess={**ASSESS, "also": also}).parent).valid
    made = assess_dag(loaded)
    assert made is not None
    lists = {"take_inventory", "also_1.take_inventory", "also_2.take_inventory"}
    assert made.get_task("make_graph").upstream_task_ids == lists
    assert made.get_task("also_1.take_inventory").beside == "shop.db"
    assert made.task_group_dict["also_1"].group_display_name == "shop.db"
    assert "| beside it | `shop.db` (postgresql), `tracking` (mlflow) | gcp |" in (made.doc_md or "")


def test_live_endpoints_are_measured_one_after_the_other(tmp_path: Path) -> None:
    wanted = [{"connection": name, "requests": "s3://golden/rows.jsonl"} for name in ("a", "b")]
    [loaded] = load_specs(write(tmp_path, "some", assess={**ASSESS, "baselines": wanted}).parent).valid
    made = assess_dag(loaded)
    assert made is not None
    first, second = (made.get_task(f"endpoint_{number}.measure_baseline") for number in (1, 2))
    assert (first.upstream_task_ids, second.upstream_task_ids) == ({"begin_run"}, {first.task_id})
    assert second.trigger_rule == "all_done"
    assert made.get_task("build_report").upstream_task_ids == {"make_plan", first.task_id, second.task_id}
    for task in (first, second):
        assert "*To do:*" in (task.doc_md or "")


def test_use_is_read_once_things_are_listed_and_quotas_before_the_plan(tmp_path: Path) -> None:
    also = [{"system": "aws", "connection": "second"}, {"system": "mlflow", "connection": "tracking"}]
    quotas = [{"platform": "gcp", "region": "europe-west4", "connection": "there"}]
    more = {"also": also, "utilisation": {}, "quotas": quotas}
    [loaded] = load_specs(write(tmp_path, "some", assess={**ASSESS, **more}).parent).valid
    made = assess_dag(loaded)
    assert made is not None
    own, second = made.get_task("use_1.measure_utilisation"), made.get_task("use_2.measure_utilisation")
    assert (own.upstream_task_ids, second.upstream_task_ids) == (
        {"take_inventory"}, {"also_1.take_inventory"},
    )  # fmt: skip
    assert (second.source, made.task_group_dict["use_2"].group_display_name) == ("second", "second")
    read = made.get_task("quotas_1.read_quotas")
    assert (read.region, read.upstream_task_ids) == ("europe-west4", {"begin_run"})
    assert made.get_task("make_plan").upstream_task_ids == {"make_graph", read.task_id}
    assert made.get_task("build_report").upstream_task_ids == {"make_plan", own.task_id, second.task_id}
    for task in (own, read):
        assert "*To do:*" in (task.doc_md or "")
