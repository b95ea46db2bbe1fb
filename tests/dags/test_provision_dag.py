"""The DAG of the provision phase: two stages, each planned, judged, approved and applied."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID as PARSED

from heavylift.spec import Phase, SpecFileError, load_spec, load_specs
from heavylift_airflow.phases.drift import drift_dag
from heavylift_airflow.phases.provision import provision_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write
from tests.support.handed_over import ACCESS, ALERTS, AUTOSCALING, MANIFESTS, PIPELINES, TRAINING

INFRA = {"state": "gs://states/heavylift"}
GATE = "gate_infrastructure-approved"


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    [loaded] = load_specs(write(tmp_path, "some", infrastructure=INFRA).parent).valid
    made = provision_dag(loaded)
    assert made is not None
    return made


def test_a_spec_without_any_of_its_sections_has_none(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some").parent).valid
    assert provision_dag(loaded) is None


def test_the_tasks_are_these_and_each_has_its_section(dag: DAG) -> None:
    assert dag.dag_id == "some.provision"
    assert dag.tags == {"migration:some", "phase:provision"}
    assert dag.schedule is None
    stages = [
        f"{stage}_stage.{name}"
        for stage in ("first", "second")
        for name in (
            "plan",
            *(f"{GATE}-{stage}.{step}" for step in ("evaluate", "wait", "approve")),
            "apply",
        )
    ]
    assert [task.task_id for task in dag.topological_sort()] == [
        "begin_run", "generate", "scan", *stages, "publish_result", "build_report", "summarise_run",
    ]  # fmt: skip
    for task in dag.tasks:
        section = read_runbook(Phase.PROVISION).task(task.task_id.rpartition(".")[2])
        assert "*To do:*" in section, task.task_id
        assert task.doc_md == section
        assert task.retry_policy


def test_a_stage_waits_for_its_own_approval_and_the_last_word_is_always_had(dag: DAG) -> None:
    for stage in ("first", "second"):
        apply = dag.get_task(f"{stage}_stage.apply")
        assert apply.upstream_task_ids == {f"{stage}_stage.{GATE}-{stage}.approve"}
        assert (apply.stage, apply.trigger_rule) == (stage, "all_success")
    assert dag.get_task("second_stage.plan").upstream_task_ids == {"first_stage.apply"}
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    publish = dag.get_task("publish_result")
    assert publish.upstream_task_ids == {"second_stage.apply"}
    assert [asset.name for asset in publish.outlets] == ["some.provisioned"]
    assert {"dry_run", "destroy"} == set(dag.params)


def test_the_page_says_where_state_is_and_is_the_runbook(dag: DAG) -> None:
    text = dag.doc_md or ""
    assert "connection `gcp_target`, state in `gs://states/heavylift`" in text
    assert "Gate **infrastructure-approved-first**: plan_approved, infra_scanned, infra_planned" in text
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in text


def test_endpoints_come_last_where_a_run_makes_and_go_first_where_it_destroys(tmp_path: Path) -> None:
    endpoint = {
        "name": "score",
        "target": {"kind": "vertex", "connection": "gcp_target", "endpoint": "score"},
        "deployments": [
            {"name": "blue", "model": {"registered": "fraud", "version": "1"}, "traffic": 100}
            | {"machine": "n1-standard-4", "min_replicas": 1}
        ],
    }
    path = write(tmp_path, "some", infrastructure=INFRA, secrets={}, endpoints=[endpoint])
    [loaded] = load_specs(path.parent).valid
    dag = provision_dag(loaded)
    assert dag is not None
    assert "destroy" in dag.params
    order = [task.task_id for task in dag.topological_sort()]
    removal, makes = "endpoints_removal.remove_endpoints", "endpoints.plan_endpoints"
    assert order.index(removal) < order.index("generate") < order.index("copy_secrets") < order.index(makes)
    assert dag.get_task("generate").upstream_task_ids == {removal}
    assert dag.get_task(removal).trigger_rule == "none_failed"
    reviewed = "endpoints.gate_endpoints-reviewed.approve"
    assert dag.get_task("endpoints.apply_endpoints").upstream_task_ids == {reviewed}
    assert dag.get_task("publish_result").upstream_task_ids == {"endpoints.gate_endpoints-serving.wait"}
    for task in dag.tasks:
        assert "*To do:*" in read_runbook(Phase.PROVISION).task(task.task_id.rpartition(".")[2])


def test_drift_is_looked_for_on_the_clock_once_somebody_wants_it(tmp_path: Path) -> None:
    schedule = {"drift": "@daily"}
    [loaded] = load_specs(write(tmp_path, "some", infrastructure=INFRA, schedule=schedule).parent).valid
    made = drift_dag(loaded)
    assert made is not None
    assert (made.dag_id, made.is_paused_upon_creation) == ("some.drift", True)
    [looks] = made.tasks
    assert "*To do:*" in (looks.doc_md or "")
    [without] = load_specs(write(tmp_path / "b", "other", infrastructure=INFRA).parent).valid
    assert drift_dag(without) is None


def test_the_file_builds_both_and_a_task_only_its_own(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = write(tmp_path / "m", "some", infrastructure=INFRA, schedule={"drift": "@daily"}).parent
    write(specs, "other", infrastructure=INFRA)
    monkeypatch.setenv("HEAVYLIFT_MIGRATIONS", str(specs))

    def built() -> set[str]:
        return {name for name in runpy.run_path(str(repository / "dags" / "provision.py")) if "." in name}

    assert built() == {"some.provision", "some.drift", "other.provision"}
    for dag_id in ("some.provision", "some.drift"):
        # As Airflow tells a task's process; its own context manager leaves the variable behind.
        monkeypatch.setenv(PARSED, dag_id)
        assert dag_id in built()
        assert "other.provision" not in built()


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ({"phase": "transfer", "checks": ["infra_planned"]}, "HL-7930"),
        ({"phase": "provision", "checks": ["counts_equal", "infra_planned"]}, "HL-7931"),
        ({"phase": "provision", "checks": ["infra_planned"], "approval": {"required": False}}, "HL-7932"),
    ],
)
def test_gates_that_would_judge_nothing_or_ask_nobody_are_refused(
    gate: dict[str, object], code: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "some", infrastructure=INFRA, gates=[{"name": "go", **gate}])
    with pytest.raises(SpecFileError, match=code):
        load_spec(path)


def test_secrets_follow_both_stages_and_have_a_gate_of_their_own(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some", infrastructure=INFRA, secrets={}).parent).valid
    dag = provision_dag(loaded)
    assert dag is not None
    steps = [f"gate_secrets-equal.{step}" for step in ("evaluate", "wait")]
    assert [task.task_id for task in dag.topological_sort()][-6:] == [
        "copy_secrets", *steps, "publish_result", "build_report", "summarise_run",
    ]  # fmt: skip
    assert dag.get_task("copy_secrets").upstream_task_ids == {"second_stage.apply"}
    assert dag.get_task("publish_result").upstream_task_ids == {steps[-1]}
    assert "Gate **secrets-equal**: secrets_equal" in (dag.doc_md or "")
    for task in dag.tasks:
        assert "*To do:*" in read_runbook(Phase.PROVISION).task(task.task_id.rpartition(".")[2])


def test_images_follow_secrets_and_have_a_gate_of_their_own(tmp_path: Path) -> None:
    containers = {"source": "a.example", "target": "b.example/ml"}
    [loaded] = load_specs(
        write(tmp_path, "some", infrastructure=INFRA, secrets={}, containers=containers).parent
    ).valid
    dag = provision_dag(loaded)
    assert dag is not None
    steps = [f"gate_images-equal.{step}" for step in ("evaluate", "wait")]
    assert [task.task_id for task in dag.topological_sort()][-7:] == [
        "copy_images", "verify_images", *steps, "publish_result", "build_report", "summarise_run",
    ]  # fmt: skip
    assert dag.get_task("copy_images").upstream_task_ids == {"gate_secrets-equal.wait"}
    assert dag.get_task("publish_result").upstream_task_ids == {steps[-1]}
    assert "Gate **images-equal**: images_equal" in (dag.doc_md or "")
    for name in ("copy_images", "verify_images"):
        assert "*To do:*" in read_runbook(Phase.PROVISION).task(name)


def test_a_gate_of_images_judges_nothing_else_and_needs_the_section(tmp_path: Path) -> None:
    alone = {"name": "i", "phase": "provision", "checks": ["images_equal"]}
    beside = {**alone, "checks": ["images_equal", "plan_approved"]}
    containers = {"source": "a.example", "target": "b.example/ml"}
    for gate, section in ((beside, {"containers": containers}), (alone, {})):
        path = write(tmp_path, "some", infrastructure=INFRA, gates=[gate], **section)
        with pytest.raises(SpecFileError, match="HL-9165"):
            load_spec(path)


def test_a_gate_of_secrets_judges_nothing_else_and_needs_the_section(tmp_path: Path) -> None:
    alone = {"name": "s", "phase": "provision", "checks": ["secrets_equal"]}
    [loaded] = load_specs(
        write(tmp_path, "some", infrastructure=INFRA, secrets={}, gates=[alone]).parent
    ).valid
    names = [gate.name for gate in loaded.spec.gates_for(Phase.PROVISION)]
    assert names == ["infrastructure-approved", "s"]
    beside = {**alone, "checks": ["secrets_equal", "plan_approved"]}
    for gate, section in ((beside, {"secrets": {}}), (alone, {})):
        with pytest.raises(SpecFileError, match="HL-8819"):
            load_spec(write(tmp_path, "wrong", infrastructure=INFRA, gates=[gate], **section))


def parts_dag(folder: Path, **sections: object) -> DAG:
    [loaded] = load_specs(write(folder, "some", **sections).parent).valid
    made = provision_dag(loaded)
    assert made is not None
    return made


def steps(group: str, gate: str, *also: str) -> list[str]:
    return [f"{group}.gate_{gate}.{step}" for step in ("evaluate", "wait", *also)]


def test_each_part_has_its_task_and_its_gate_and_none_waits_for_another(tmp_path: Path) -> None:
    access = {**ACCESS, "target_documents": ["access/target.json"]}
    dag = parts_dag(tmp_path, pipelines=PIPELINES, access=access, manifests=MANIFESTS)
    assert {task.task_id for task in dag.tasks} == {
        "begin_run",
        "pipelines.translate_pipelines", *steps("pipelines", "pipelines-translated"),
        "access.translate_access", *steps("access", "access-reviewed", "approve"),
        "access.verify_access", *steps("access", "access-equal"),
        "manifests.translate_manifests", *steps("manifests", "manifests-translated"),
        "publish_result", "build_report", "summarise_run",
    }  # fmt: skip
    for part in ("pipelines", "access", "manifests"):
        assert dag.get_task(f"{part}.translate_{part}").upstream_task_ids == {"begin_run"}
    compared = dag.get_task("access.verify_access")
    assert compared.upstream_task_ids == {"access.gate_access-reviewed.approve"}
    assert dag.get_task("publish_result").upstream_task_ids == {
        "pipelines.gate_pipelines-translated.wait",
        "access.gate_access-equal.wait",
        "manifests.gate_manifests-translated.wait",
    }
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert set(dag.params) == {"dry_run"}, "nothing was made that could be destroyed"
    for task in dag.tasks:
        assert "*To do:*" in read_runbook(Phase.PROVISION).task(task.task_id.rpartition(".")[2]), task.task_id
    text = dag.doc_md or ""
    assert "| pipeline toy, `pipelines/toy.json` | sagemaker | airflow, written and not applied |" in text
    assert "| permissions | aws | gcp, written and not applied |" in text
    assert "| manifests, `manifests/gke` | gke | eks, Kubernetes 1.33, written and not applied |" in text
    assert "infrastructure" not in text.partition("## What this DAG does")[0]


def test_parts_stand_beside_the_infrastructure(tmp_path: Path) -> None:
    dag = parts_dag(tmp_path, infrastructure=INFRA, secrets={}, pipelines=PIPELINES, access=ACCESS)
    assert dag.get_task("pipelines.translate_pipelines").upstream_task_ids == {"begin_run"}
    assert dag.get_task("publish_result").upstream_task_ids == {
        "gate_secrets-equal.wait",
        "pipelines.gate_pipelines-translated.wait",
        "access.gate_access-reviewed.approve",
    }
    assert "access.verify_access" not in dag.task_ids
    # The publication is skipped as soon as one part is; the report comes after all of them even so.
    publish, report = dag.get_task("publish_result"), dag.get_task("build_report")
    assert report.upstream_task_ids == {"publish_result", *publish.upstream_task_ids}
    assert set(dag.params) == {"dry_run", "destroy"}


def test_jobs_autoscaling_and_alerts_have_tasks_and_gates_as_the_other_parts(tmp_path: Path) -> None:
    dag = parts_dag(tmp_path, training=TRAINING, autoscaling=AUTOSCALING, alerts=ALERTS)
    gates = {
        "training": "training-translated", "autoscaling": "autoscaling-safe", "alerts": "alerts-equal"
    }  # fmt: skip
    assert {task.task_id for task in dag.tasks} == {
        "begin_run", "publish_result", "build_report", "summarise_run",
        *(f"{part}.translate_{part}" for part in gates),
        *(step for part, gate in gates.items() for step in steps(part, gate)),
    }  # fmt: skip
    for part, gate in gates.items():
        assert dag.get_task(f"{part}.translate_{part}").upstream_task_ids == {"begin_run"}
        assert f"{part}.gate_{gate}.wait" in dag.get_task("publish_result").upstream_task_ids
        assert "*To do:*" in read_runbook(Phase.PROVISION).task(f"translate_{part}")
    text = dag.doc_md or ""
    for line in (
        "| training job finetune | `training/sagemaker.json` | vertex, written and not applied |",
        "| autoscaling churn | `autoscaling/aws.json` | vertex, written and not applied |",
        "| alerts serving | cloudwatch | prometheus, written and not applied |",
    ):
        assert line in text


def test_secrets_alone_have_a_dag_of_their_own(tmp_path: Path) -> None:
    dag = parts_dag(tmp_path, secrets={})
    assert [task.task_id for task in dag.topological_sort()] == [
        "begin_run", "copy_secrets", "gate_secrets-equal.evaluate", "gate_secrets-equal.wait",
        "publish_result", "build_report", "summarise_run",
    ]  # fmt: skip
