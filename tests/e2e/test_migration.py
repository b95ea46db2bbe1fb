"""The example's migration from end to end; the tests go on from one another, in the file's order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress

import pytest

from heavylift.connections import connection_from_env
from heavylift.spec import Phase
from sandbox.demo_airflow import TaskState
from sandbox.demo_rclone import check_all
from sandbox.demo_results import verify_audit
from sandbox.examples import features, fraud_scoring
from sandbox.http import request
from tests.e2e.conftest import SCALE
from tests.e2e.journey import Journey, Run
from tests.support.two_databases import run_sql

GATE = "gate_transfer-verified"
ANSWERS = {"gate.approved", "gate.rejected"}


def assert_equal_by_rclone(journey: Journey) -> None:
    """Both sides are equal by a tool that shares no code with Heavylift."""
    for result in check_all(journey.spec, journey.stack.env):
        assert result.equal, result.summary
        assert result.matching > 0


def rows_of_both_sides(journey: Journey, table: str) -> tuple[list[object], list[object]]:
    """Return a table's rows as each database spells them, in order."""
    query = f"SELECT t::text FROM {table} t ORDER BY 1"
    sides = (connection_from_env(name, journey.stack.env) for name in ("features_source", "features_target"))
    source, target = (run_sql(side, query) for side in sides)
    return list(source), list(target)


def assert_databases_equal(journey: Journey) -> None:
    """The tables of the example are row by row the same, as both servers print them."""
    for table in ("customers", "features", "labels"):
        source, target = rows_of_both_sides(journey, f"public.{table}")
        assert len(source) > 0
        assert source == target, table


@pytest.mark.long
def test_a_dry_run_moves_nothing_and_is_green(journey: Journey) -> None:
    run = journey.start(Phase.TRANSFER, dry_run=True)
    assert run.end() == "success"
    states = run.states()
    for name in ("copy", "verify"):
        assert states[f"documents.{name}"] == "skipped"
    for name in (f"{GATE}.evaluate", f"{GATE}.approve", "publish_result"):
        assert states[name] == "skipped"
    summary = run.results().summary
    assert summary is not None
    assert summary.moved.objects == 0


@pytest.fixture(scope="module")
def killed(journey: Journey) -> Run:
    """Return a transfer, one of whose copy tasks was killed with SIGKILL while it ran."""
    run = journey.start(Phase.TRANSFER, bandwidth_limit="1MiB/s")
    done: set[int] = set()
    while not _kill_one(run, done):
        pass
    return run


def _kill_one(run: Run, done: set[int]) -> bool:
    """Kill a copy task that is not known as done; tell whether it was still at work."""

    def running_copy(tasks: list[TaskState]) -> TaskState | None:
        found = (t for t in tasks if t.task_id == "models.copy" and t.state == "running" and t.pid)
        return next((t for t in found if t.map_index not in done), None)

    victim = run.wait_for(running_copy)
    with suppress(ProcessLookupError):
        os.kill(victim.pid, signal.SIGKILL)
    after = run.wait_for(
        lambda tasks: next(
            (
                t
                for t in tasks
                if (t.task_id, t.map_index) == (victim.task_id, victim.map_index)
                and (t.attempt > victim.attempt or t.state in {"up_for_retry", "failed", "success"})
            ),
            None,
        )
    )
    assert after.state != "failed"
    # A small shard may have told that it is done before the signal came.
    done.add(victim.map_index)
    return bool(after.attempt > victim.attempt or after.state != "success")


def test_a_killed_worker_costs_a_retry_and_nothing_else(journey: Journey, killed: Run) -> None:
    killed.answer("Approve")
    assert killed.end() == "success", killed.states()
    assert max(task.attempt for task in killed.tasks() if task.task_id == "models.copy") == 2
    results = killed.results()
    assert results.passed
    summary = results.summary
    assert summary is not None
    assert summary.failed.objects == 0
    assert summary.found.objects == summary.moved.objects + summary.unchanged.objects
    assert_equal_by_rclone(journey)
    assert summary.databases == ("features",)
    assert_databases_equal(journey)


def test_the_trail_tells_who_did_what(journey: Journey, killed: Run) -> None:
    entries = [entry for entry in journey.trail() if entry.run in killed.results().evidence]
    actions = [entry.action for entry in entries]
    assert actions[0] == "run.started"
    assert actions[-1] == "run.finished"
    for action in ("plan.written", "shard.copied", "dataset.verified", "dataset.checked", "gate.evaluated"):
        assert action in actions
    (approval,) = [entry for entry in entries if entry.action == "gate.approved"]
    assert approval.actor == "admin"
    assert entries[0].actor == "admin"
    audit = asyncio.run(verify_audit(journey.spec, journey.stack.env))
    assert audit.problems == ()


def test_the_link_of_a_task_opens_its_evidence_for_those_who_are_logged_in(killed: Run) -> None:
    client = killed.journey.client
    link = client.xcom(killed.dag_id, killed.run_id, "documents.verify", "_link_EvidenceLink")
    assert link.startswith(str(killed.journey.stack.airflow_url))
    assert request(link).status == 401
    answer = client.fetch(link)
    assert json.loads(answer.body)["passed"] is True
    report = client.fetch(client.xcom(killed.dag_id, killed.run_id, "build_report", "_link_EvidenceLink"))
    assert b"<html" in report.body
    assert (
        "default-src 'none'" in {k.lower(): v for k, v in report.headers.items()}["content-security-policy"]
    )


def test_mapped_tasks_tell_their_shard(killed: Run) -> None:
    title = killed.journey.client.map_title(killed.dag_id, killed.run_id, "documents.copy", 0)
    assert title.startswith("shard ")
    assert " objects, " in title


def test_a_long_copy_shows_its_progress_in_the_ui(killed: Run) -> None:
    client = killed.journey.client
    copies = [task for task in killed.tasks() if task.task_id == "models.copy"]
    found = [
        client.state_value(killed.dag_id, killed.run_id, task.task_id, task.map_index, "progress")
        for task in copies
    ]
    shown = [value for value in found if value]
    assert shown
    for value in shown:
        assert 0 <= value["bytes_done"] <= value["bytes_total"]
        assert value["bytes_per_second"] >= 0


@pytest.mark.long
def test_an_approval_cannot_be_bypassed_and_a_rejection_holds(journey: Journey, killed: Run) -> None:
    client = journey.client
    run = journey.start(Phase.TRANSFER)
    approve = run.wait_for_question()
    assert run.states()["documents.copy"] == "skipped"

    client.mark(run.dag_id, run.run_id, approve, "success")
    assert run.end() == "failed"
    states = run.states()
    assert (states[approve], states["publish_result"], states["summarise_run"]) == (
        "success",
        "failed",
        "failed",
    )
    assert "waits for approval" in run.log_tail("publish_result")
    assert "[HL-8017]" in run.log_tail("publish_result").splitlines()[-1]

    client.clear(run.dag_id, run.run_id, approve)
    run.answer("Reject")
    assert run.end() == "failed"
    assert run.states()["publish_result"] == "skipped"
    assert "rejected by admin" in run.log_tail("summarise_run")

    client.clear(run.dag_id, run.run_id, f"{GATE}.evaluate")
    run.answer("Approve")
    assert run.end() == "success"
    asked = GATE.removeprefix("gate_")
    answers = [e.action for e in journey.trail() if e.subject == asked and e.action in ANSWERS]
    assert answers == ["gate.approved", "gate.rejected", "gate.approved"]


@pytest.mark.long
def test_a_sync_copies_nothing_when_nothing_changed(journey: Journey, killed: Run) -> None:
    run = journey.start(Phase.SYNC)
    assert run.end() == "success"
    idle = run.results().summary
    assert idle is not None
    assert idle.moved.objects == 0
    assert idle.unchanged.objects == idle.found.objects > 0


def test_a_sync_copies_what_changed_and_nothing_else(journey: Journey, killed: Run) -> None:
    seeded = fraud_scoring.mutate(journey.stack.env, scale=SCALE)
    written = features.mutate(journey.stack.env)
    run = journey.start(Phase.SYNC)
    assert run.end() == "success"
    synced = run.results().summary
    assert synced is not None
    assert synced.moved.objects == seeded.added + seeded.changed
    assert_equal_by_rclone(journey)
    [applied] = [each.changes for each in run.results().databases]
    assert applied == written.changed
    assert_databases_equal(journey)


@pytest.mark.long
def test_a_sync_gives_way_to_a_transfer(journey: Journey, killed: Run) -> None:
    transfer = journey.start(Phase.TRANSFER)
    transfer.wait_for_question()
    sync = journey.start(Phase.SYNC)
    assert sync.end() == "success"
    assert {state for task_id, state in sync.states().items() if task_id != "begin_run"} == {"skipped"}
    transfer.answer("Approve")
    assert transfer.end() == "success"
