"""Every DAG: who owns it, how it is found, what an on-call engineer reads, how it retries."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable

from heavylift.spec import MigrationSpec, Phase, load_spec, load_specs
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.phases.movement import movement_dag
from heavylift_airflow.phases.runbook import read_runbook
from heavylift_airflow.retry import HeavyliftRetryPolicy
from tests.dags.specs import write

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import BundleDagBag

STATES = {Phase.TRANSFER: "transferred", Phase.SYNC: "synced", Phase.REGISTRY: "registered"}
"""Phases that move; the phase assess, which looks, has its tests in test_assess_dag.py."""
OWN_PARAMS: dict[Phase, dict[str, bool]] = {
    Phase.TRANSFER: {"copy_anew": False},
    Phase.SYNC: {"allow_many_deletes": False},
    Phase.REGISTRY: {},
}
every_phase = pytest.mark.parametrize("phase", STATES, ids=lambda phase: phase.value)


@pytest.fixture(scope="module")
def example(repository: Path) -> MigrationSpec:
    """Return the spec of the ready example."""
    return load_spec(repository / "include" / "migrations" / "fraud-scoring.yaml")


def dag_of(dag_bag: BundleDagBag, spec: MigrationSpec, phase: Phase) -> DAG:
    dag: DAG = dag_bag.dags[spec.dag_id(phase)]
    return dag


def task_of(dag: DAG, task_id: str) -> BaseOperator:
    task: BaseOperator = dag.get_task(task_id)
    return task


def test_no_dag_file_has_an_import_error(dag_bag: BundleDagBag) -> None:
    assert dag_bag.import_errors == {}


def test_the_example_has_a_dag_for_each_phase(dag_bag: BundleDagBag, example: MigrationSpec) -> None:
    assert set(dag_bag.dags) == {
        example.dag_id(phase) for phase in (Phase.ASSESS, *STATES, Phase.CUTOVER, Phase.ROLLBACK)
    } | {f"{example.migration}.finalise", f"{example.migration}.soak"}


@every_phase
def test_a_dag_is_found_by_its_migration_and_phase(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    dag = dag_of(dag_bag, example, phase)
    assert dag.tags == {f"migration:{example.migration}", f"phase:{phase.value}"}
    assert dag.owner == example.owner


@every_phase
def test_runs_do_not_overlap_and_missed_ones_are_not_made_up_for(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    dag = dag_of(dag_bag, example, phase)
    assert dag.max_active_runs == 1
    assert dag.catchup is False


@every_phase
def test_the_documentation_names_what_moves_and_is_the_runbook(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    text = dag_of(dag_bag, example, phase).doc_md or ""
    for dataset in spec_for(example, phase).datasets:
        assert f"| {dataset.name} | `{dataset.source.url}` | `{dataset.target.url}` |" in text
    for heading in ("What this DAG does", "When it fails", "What a retry costs", "The tasks"):
        assert f"## {heading}" in text


@every_phase
def test_every_task_has_a_section_in_the_runbook(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    for task in dag_of(dag_bag, example, phase).tasks:
        name = task.task_id.rpartition(".")[2]
        section = read_runbook(phase).task(name)
        assert "*To do:*" in section or "*To do " in section or name == "build_report", task.task_id
        assert task.doc_md == section


@every_phase
def test_every_task_retries_by_the_kind_of_error(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    for task in dag_of(dag_bag, example, phase).tasks:
        policy = task.retry_policy
        assert isinstance(policy, HeavyliftRetryPolicy), task.task_id
        assert policy.delay_seconds == example.defaults.retry_delay
        assert task.retries == example.defaults.retries
        assert task.retry_delay == timedelta(seconds=example.defaults.retry_delay)
        assert task.on_failure_callback
        assert task.on_retry_callback


@every_phase
def test_the_summary_is_the_only_leaf_and_always_runs(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    dag = dag_of(dag_bag, example, phase)
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert task_of(dag, "summarise_run").trigger_rule == "all_done"
    assert [task.task_id for task in dag.roots] == ["begin_run"]


@every_phase
def test_a_dataset_with_nothing_to_copy_is_verified_all_the_same(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    dag = dag_of(dag_bag, example, phase)
    for dataset in spec_for(example, phase).datasets:
        copy = task_of(dag, f"{dataset.name}.copy")
        assert copy.is_mapped
        assert copy.upstream_task_ids == {f"{dataset.name}.plan"}
        verify = task_of(dag, f"{dataset.name}.verify")
        assert verify.upstream_task_ids == {f"{dataset.name}.copy"}
        assert verify.trigger_rule == "none_failed"


@every_phase
def test_tables_are_checked_where_the_spec_expects_something_of_them(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    dag = dag_of(dag_bag, example, phase)
    for dataset in spec_for(example, phase).datasets:
        assert (f"{dataset.name}.check_tables" in dag.task_ids) == bool(dataset.expectations)


def test_the_gate_is_judged_waited_for_and_approved_before_anything_is_published(
    dag_bag: BundleDagBag, example: MigrationSpec
) -> None:
    dag = dag_of(dag_bag, example, Phase.TRANSFER)
    (gate,) = example.gates_for(Phase.TRANSFER)
    group = f"gate_{gate.name}"
    assert task_of(dag, f"{group}.evaluate").trigger_rule == "all_done"
    assert task_of(dag, f"{group}.wait").upstream_task_ids == {f"{group}.evaluate"}
    assert task_of(dag, f"{group}.approve").upstream_task_ids == {f"{group}.wait"}
    assert task_of(dag, "publish_result").upstream_task_ids == {f"{group}.approve"}


def test_phases_are_chained_by_assets(dag_bag: BundleDagBag, example: MigrationSpec) -> None:
    for phase, state in STATES.items():
        dag = dag_of(dag_bag, example, phase)
        assert [asset.name for asset in task_of(dag, "publish_result").outlets] == [
            f"{example.migration}.{state}"
        ]
        others = [task.task_id for task in dag.tasks if task.outlets and task.task_id != "publish_result"]
        assert others == []


def test_a_transfer_is_started_by_hand_and_a_sync_by_the_clock_once_somebody_wants_it(
    dag_bag: BundleDagBag, example: MigrationSpec
) -> None:
    transfer = dag_of(dag_bag, example, Phase.TRANSFER)
    sync = dag_of(dag_bag, example, Phase.SYNC)
    assert transfer.schedule is None
    assert sync.is_paused_upon_creation is True
    assert isinstance(sync.timetable, CronTriggerTimetable)
    assert sync.timetable.expression == example.schedule.sync
    assert str(sync.timetable.timezone) == "UTC"


@every_phase
def test_the_form_has_sensible_defaults_in_named_sections(
    dag_bag: BundleDagBag, example: MigrationSpec, phase: Phase
) -> None:
    params = dag_of(dag_bag, example, phase).params
    own = OWN_PARAMS[phase]
    assert params.dump() == {"dry_run": False, "bandwidth_limit": None, "shard_objects": None} | own
    for name in params:
        schema = params.get_param(name).schema
        assert schema["section"]
        assert schema["title"]
        assert params.get_param(name).description


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("bandwidth_limit", "200MiB/s", True),
        ("bandwidth_limit", "1.5GB/s", True),
        ("bandwidth_limit", "", True),
        ("bandwidth_limit", "200", False),
        ("bandwidth_limit", "200Mb/s", False),
        ("shard_objects", 1, True),
        ("shard_objects", 0, False),
        ("shard_objects", 2_000_000, False),
        ("shard_objects", "many", False),
        ("dry_run", "yes", False),
    ],
)
def test_the_form_refuses_what_cannot_be_used(
    dag_bag: BundleDagBag, example: MigrationSpec, name: str, value: object, fits: bool
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = dag_of(dag_bag, example, Phase.TRANSFER).params.get_param(name)
    if fits:
        assert param.resolve(value) == value
    else:
        with pytest.raises(ParamValidationError):
            param.resolve(value)


@pytest.mark.parametrize(
    ("deletes", "phase", "there"),
    [
        ("keep", Phase.SYNC, False),
        ("propagate", Phase.SYNC, True),
        ("quarantine", Phase.SYNC, True),
        ("propagate", Phase.TRANSFER, False),
    ],
)
def test_only_a_sync_deletes_and_only_between_copy_and_verification(
    tmp_path: Path, deletes: str, phase: Phase, there: bool
) -> None:
    datasets = [{"name": "data", "source": "s3://in-a/data/", "target": "gs://out/data/", "deletes": deletes}]
    [loaded] = load_specs(write(tmp_path, "some", datasets=datasets).parent).valid
    dag = movement_dag(loaded, phase)
    assert dag is not None
    assert ("data.deletes" in dag.task_ids) is there
    if there:
        task = dag.get_task("data.deletes")
        assert (task.upstream_task_ids, task.trigger_rule) == ({"data.copy"}, "none_failed")
        assert dag.get_task("data.verify").upstream_task_ids == {"data.deletes"}
        assert task.doc_md == read_runbook(phase).task("deletes")
        assert "*To do:*" in task.doc_md
