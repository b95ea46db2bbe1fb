"""The DAGs of cutover and rollback: steps before the switch, and nothing left between the sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG, CronTriggerTimetable

from heavylift.spec import Phase, SpecFileError, load_spec, load_specs
from heavylift_airflow.phases.cutover import cutover_dag, finalise_dag, rollback_dag, soak_dag
from heavylift_airflow.phases.drills import drill_dag
from heavylift_airflow.phases.runbook import read_runbook
from tests.dags.specs import write

DATABASE = {
    "name": "orders",
    "source": {"engine": "postgresql", "connection": "orders_source"},
    "target": {"engine": "postgresql", "connection": "orders_target"},
}
TRAFFIC = {"adapter": "envoy", "connection": "traffic", "steps": [5, 100]}
CUTOVER = {"runbook_owner": "team-a", "traffic": TRAFFIC}
GATE = "gate_cutover-approved"


def dag_of(tmp_path: Path, phase: Phase, **changes: object) -> DAG:
    [loaded] = load_specs(write(tmp_path, "some", databases=[DATABASE], **changes).parent).valid
    made = (cutover_dag if phase is Phase.CUTOVER else rollback_dag)(loaded)
    assert made is not None
    return made


def test_a_spec_without_the_section_has_neither(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some", databases=[DATABASE]).parent).valid
    assert cutover_dag(loaded) is None
    assert rollback_dag(loaded) is None


def test_requests_move_in_watched_steps_before_writes_do(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, Phase.CUTOVER, cutover=CUTOVER)
    order = [task.task_id for task in dag.topological_sort()]
    wanted = [
        "begin_run", "check_readiness", f"{GATE}.evaluate", f"{GATE}.wait", f"{GATE}.approve", "take_turn",
        "step_shadow.shift", "step_shadow.analyse", "step_5.shift", "step_5.analyse", "promote",
    ]  # fmt: skip
    assert [name for name in order if name in wanted] == wanted
    assert set(order) == {
        *wanted, "rehearse", "settle", "watch_pause", "publish_result", "build_report", "summarise_run",
    }  # fmt: skip
    shadow, step = dag.get_task("step_shadow.shift"), dag.get_task("step_5.shift")
    assert (shadow.target_percent, shadow.mirror_percent) == (0, 100)
    assert (step.target_percent, step.mirror_percent) == (5, 0)
    assert dag.get_task("take_turn").upstream_task_ids == {f"{GATE}.approve"}
    assert {"dry_run", "rehearse"} == set(dag.params)


def test_what_fails_between_is_settled_and_fails_the_run(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, Phase.CUTOVER, cutover=CUTOVER)
    settle, turn = dag.get_task("settle"), dag.get_task("take_turn")
    assert (turn.is_setup, settle.is_teardown, settle.on_failure_fail_dagrun) == (True, True, True)
    assert settle.upstream_task_ids == {"promote", "take_turn"}
    assert [task.task_id for task in dag.leaves] == ["summarise_run"]
    assert dag.get_task("summarise_run").trigger_rule == "all_done"
    assert {"settle", "watch_pause"} <= dag.get_task("build_report").upstream_task_ids
    # It watches from before the turn is taken, and nobody waits for it.
    watch = dag.get_task("watch_pause")
    assert (watch.upstream_task_ids, watch.watched) == ({f"{GATE}.approve"}, "promote")
    assert "watch_pause" not in dag.get_task("promote").upstream_task_ids


def test_a_rollback_asks_nobody_and_is_never_paused_at_first(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, Phase.ROLLBACK, cutover=CUTOVER)
    assert [task.task_id for task in dag.topological_sort()] == [
        "begin_run", "roll_back", "watch_pause", "build_report", "summarise_run",
    ]  # fmt: skip
    assert dag.get_task("watch_pause").watched == "roll_back"
    assert dag.is_paused_upon_creation is False
    assert set(dag.params) == {"dry_run", "without_target"}


@pytest.mark.parametrize("phase", [Phase.CUTOVER, Phase.ROLLBACK])
def test_each_task_has_its_section_in_the_runbook(tmp_path: Path, phase: Phase) -> None:
    dag = dag_of(tmp_path, phase, cutover={**CUTOVER, "writers": {"adapter": "envoy", "connection": "w"}})
    for task in dag.tasks:
        section = read_runbook(phase).task(task.task_id.rpartition(".")[2])
        assert "*To do:*" in section, task.task_id
        assert task.doc_md == section
    assert "| writes of orders | connection `orders_source` | connection `orders_target` |" in dag.doc_md
    assert "requests, by connection `traffic` | 0 % | 5 %, 100 %" in dag.doc_md


def test_without_traffic_only_writes_are_switched(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, Phase.CUTOVER, cutover={"runbook_owner": "team-a"})
    assert dag.get_task("promote").upstream_task_ids == {"take_turn"}


WRONG = {
    "8712": ({"cutover": {"runbook_owner": "a"}, "databases": []}, "nothing that could be switched"),
    "8713": ({"cutover": {**CUTOVER, "traffic": {**TRAFFIC, "steps": [50, 5, 100]}}}, "rise"),
    "8714": (
        {"cutover": {**CUTOVER, "writers": {"adapter": "endpoint", "connection": "w"}}},
        "envoy, dns or gateway_api",
    ),
    "8715": ({"cutover": CUTOVER, "databases": [{**DATABASE, "reverse": False}]}, "way back"),
    "8710": (
        {"gates": [{"name": "g", "phase": "cutover", "checks": ["cutover_ready"]}]},
        "a section cutover",
    ),
    "8711": (
        {"cutover": CUTOVER, "gates": [{"name": "g", "phase": "cutover", "checks": ["counts_equal"]}]},
        "cutover_ready",
    ),
}


@pytest.mark.parametrize("code", WRONG)
def test_what_a_switch_cannot_do_is_told_of_the_spec(tmp_path: Path, code: str) -> None:
    changes, told = WRONG[code]
    with pytest.raises(SpecFileError) as wrong:
        load_spec(write(tmp_path, "some", **{"databases": [DATABASE], **changes}))
    assert f"HL-{code}" in str(wrong.value)
    assert told in str(wrong.value)


def test_the_way_back_is_closed_by_a_dag_of_its_own(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some", databases=[DATABASE], cutover=CUTOVER).parent).valid
    dag = finalise_dag(loaded)
    assert dag is not None
    assert (dag.dag_id, dag.schedule) == ("some.finalise", None)
    assert [task.task_id for task in dag.topological_sort()] == ["begin_run", "finalise"]
    assert set(dag.params) == {"confirm", "early"}
    assert "*To do:*" in (dag.get_task("finalise").doc_md or "")


def test_each_cutover_begins_a_run_that_tells_how_far_the_soak_is(tmp_path: Path) -> None:
    [loaded] = load_specs(write(tmp_path, "some", databases=[DATABASE], cutover=CUTOVER).parent).valid
    dag = soak_dag(loaded)
    assert dag is not None
    assert [task.task_id for task in dag.topological_sort()] == ["soak_nears", "soak_ends", "soak_overdue"]
    assert dag.timetable.asset_condition is not None
    assert dag.max_active_runs > 1
    assert not dag.is_paused_upon_creation
    known = read_runbook(Phase.CUTOVER)
    assert all(known.task(task.task_id) for task in dag.tasks)


def drill_of(tmp_path: Path, **changes: object) -> DAG | None:
    [loaded] = load_specs(write(tmp_path, "some", databases=[DATABASE], **changes).parent).valid
    return drill_dag(loaded)


def test_drills_run_on_schedule_and_give_way_to_a_cutover(tmp_path: Path) -> None:
    assert drill_of(tmp_path / "none", cutover=CUTOVER) is None
    dag = drill_of(tmp_path, cutover={**CUTOVER, "drills": {"schedule": "0 3 * * 1"}})
    assert dag is not None
    assert dag.dag_id == "some.drill"
    assert dag.schedule == CronTriggerTimetable("0 3 * * 1", timezone="UTC")
    assert dag.is_paused_upon_creation is True
    begin = dag.get_task("begin_run")
    assert (begin.rival_dag_id, begin.gives_way) == ("some.cutover", True)
    assert [task.task_id for task in dag.topological_sort()] == ["begin_run", "drill", "summarise_run"]
    assert dag.get_task("summarise_run").trigger_rule == "none_skipped"
    assert dag.params["rehearse"] is True
    for task in dag.tasks:
        assert "*To do:*" in read_runbook(Phase.CUTOVER).task(task.task_id), task.task_id


def test_a_drill_also_looks_at_the_ways_back_where_the_spec_tests_them(tmp_path: Path) -> None:
    tests = {
        "requests": "gs://bucket/golden.jsonl",
        "connection": "scoring",
        "continuity": {"connection": "clients"},
    }
    dag = drill_of(tmp_path, cutover={**CUTOVER, "drills": {}}, workload_tests=tests)
    assert dag is not None
    assert dag.get_task("try_continuity").upstream_task_ids == {"drill"}
    assert dag.get_task("summarise_run").upstream_task_ids == {"drill", "try_continuity"}
