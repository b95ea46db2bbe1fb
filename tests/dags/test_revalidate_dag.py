"""The DAG of the revalidate phase: every model on its own way, one gate, one last word."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from heavylift.spec import Phase, load_specs
from heavylift_airflow.phases.revalidate import revalidate_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

MODELS = [
    {
        "name": "fraud",
        "source": "s3://models/fraud/v{version}/",
        "target": "gs://models/fraud/v{version}/",
        "versions": ["3", "4"],
    },
    {"name": "churn", "source": "s3://models/churn/", "target": "gs://models/churn/"},
]


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    [loaded] = load_specs(write(tmp_path, "some", models=MODELS).parent).valid
    made = revalidate_dag(loaded)
    assert made is not None
    return made


def test_a_spec_without_models_has_none(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some").parent).valid
    assert revalidate_dag(loaded) is None


def test_the_tasks_are_these_and_each_has_its_section(dag: DAG) -> None:
    assert dag.dag_id == "some.revalidate"
    assert dag.tags == {"migration:some", "phase:revalidate"}
    assert set(dag.task_ids) == {
        "begin_run", "model.check_model", "model.revalidate_model", "gate_models-revalidated.evaluate",
        "gate_models-revalidated.wait", "publish_result", "build_report", "summarise_run",
    }  # fmt: skip
    for task in dag.tasks:
        section = read_runbook(Phase.REVALIDATE).task(task.task_id.rpartition(".")[2])
        assert "*To do:*" in section
        assert task.doc_md == section
        assert task.owner == "team-a"
        assert task.retry_policy


def test_what_is_to_be_converted_is_so_after_its_proof(tmp_path: Path) -> None:
    registry = {"name": "history", "source": {"connection": "old"}, "target": {"connection": "new"}}
    models = [
        {**MODELS[1], "convert_to": ["onnx"], "converted": "gs://models/onnx/"},
        {"name": "card", "registry": "history", "versions": ["3"]},
    ]
    spec = write(tmp_path, "some", models=models, registries=[registry])
    [loaded] = load_specs(spec.parent).valid
    dag = revalidate_dag(loaded)
    assert dag is not None
    convert = dag.get_task("model.convert_model")
    assert convert.upstream_task_ids == {"model.revalidate_model"}
    assert convert.trigger_rule == "all_success"
    assert "*To do:*" in (convert.doc_md or "")
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert "| card | `card` in registry `history` | `card` in registry `history` |" in (dag.doc_md or "")


def test_every_version_goes_its_own_way_and_the_summary_is_the_only_leaf(dag: DAG) -> None:
    check, revalidate = (dag.get_task(f"model.{name}") for name in ("check_model", "revalidate_model"))
    group = check.get_closest_mapped_task_group()
    assert group is not None
    assert group is revalidate.get_closest_mapped_task_group()
    assert [item["version"] for item in group._expand_input.value["item"]] == ["3", "4", ""]
    assert revalidate.upstream_task_ids == {"model.check_model"}
    assert revalidate.trigger_rule == "none_failed"
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert dag.get_task("summarise_run").trigger_rule == "all_done"
    assert dag.get_task("gate_models-revalidated.evaluate").trigger_rule == "all_done"
    assert [asset.name for asset in dag.get_task("publish_result").outlets] == ["some.revalidated"]


def test_the_page_names_the_models_and_is_the_runbook(dag: DAG) -> None:
    text = dag.doc_md or ""
    assert "| fraud | `s3://models/fraud/v{version}/` | `gs://models/fraud/v{version}/` |" in text
    assert "Gate **models-revalidated**: models_compatible, models_agree" in text
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in text
