"""What waits for people and for hours: devices step by step, and a copy until its window opens.

The tests go on from one another, in the file's order: while the window is awaited, devices travel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from heavylift.connections import connection_from_env
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import RunKey, ShardResult
from heavylift.evidence.run_evidence import read_dataset
from heavylift.evidence.store import open_evidence
from heavylift.spec import Phase
from heavylift_airflow.operators.appliance_steps import DONE
from sandbox.demo_airflow import TaskState
from sandbox.demo_rclone import check_all
from sandbox.demo_results import verify_audit
from sandbox.examples.objects import SeedObject
from sandbox.examples.uploading import ensure_gcs_bucket, ensure_s3_bucket, put_all, s3_client
from tests.e2e.conftest import Site
from tests.e2e.journey import Journey, Run
from tests.e2e.specs import NIGHTLY, OFFLINE, next_opening, write_nightly

pytestmark = pytest.mark.long

# Begin and plan come before the copy, and they must be done by the opening, also on a slow machine.
AHEAD = timedelta(seconds=60)
OBJECTS = 8
ANSWERS = {"order": {"job": "J-7"}, "deliver": {"serial": "S-7"}, "ship": {"tracking": "1Z"}}
STEPS = ["ordered", "delivered", "loaded", "shipped", "ingested", "reconciled"]


def fill(site: Site, migration: str, folder: str) -> None:
    """Make a migration's buckets, and put objects of 20 kB on the source."""
    env = site.stack.env
    ensure_gcs_bucket(connection_from_env("gcp_target", env), migration)
    client = s3_client(connection_from_env("aws_source", env))
    ensure_s3_bucket(client, migration)
    put_all(client, migration, seeds(folder))


def seeds(folder: str) -> Iterator[SeedObject]:
    for number in range(OBJECTS):
        body = partial(bytes, bytearray([number]) * 20_000)
        yield SeedObject(f"{folder}/{number:02d}.bin", body, "image/x-test", metadata={"number": str(number)})


def assert_equal_by_rclone(journey: Journey) -> None:
    (result,) = check_all(journey.spec, journey.stack.env)
    assert result.equal, result.summary
    assert result.matching == OBJECTS


@pytest.fixture(scope="module")
def opens(site: Site) -> datetime:
    """Return when the window of the migration by night opens, shortly after this."""
    fill(site, NIGHTLY, "papers")
    site.client.wait_for_dag(site.journey(NIGHTLY).spec.dag_id(Phase.TRANSFER))
    opening = next_opening(datetime.now(UTC), AHEAD)
    write_nightly(site.specs, opening)
    return opening


@pytest.fixture(scope="module")
def nightly(site: Site, opens: datetime) -> Run:
    """Return a transfer that was started while its window was closed."""
    return site.journey(NIGHTLY).start(Phase.TRANSFER)


@pytest.fixture(scope="module")
def offline(site: Site) -> Journey:
    """Return the migration by devices, its source filled and its devices mounted, two of them."""
    fill(site, OFFLINE, "images")
    for device in ("images-01", "images-02"):
        (site.mount / device).mkdir()
    return site.journey(OFFLINE)


def state_of(tasks: list[TaskState], task_id: str, map_index: int) -> str:
    found = (task.state for task in tasks if (task.task_id, task.map_index) == (task_id, map_index))
    return next(found, "")


def copy_of(tasks: list[TaskState]) -> TaskState:
    (copy,) = [task for task in tasks if task.task_id == "papers.copy"]
    return copy


def shards(run: Run) -> list[ShardResult]:
    """Return the results of all attempts at the run's shards."""

    async def read() -> list[ShardResult]:
        spec, stack = run.journey.spec, run.journey.stack
        key = RunKey(migration=spec.migration, phase=run.phase.value, run=safe_segment(run.run_id))
        connection = connection_from_env(spec.evidence.connection, stack.env)
        async with open_evidence(spec.evidence.url, connection) as store:
            evidence = await read_dataset(store, key, "papers")
        return [kept.record for tries in evidence.attempts.values() for kept in tries]

    return asyncio.run(read())


def test_a_copy_outside_its_window_waits_in_the_triggerer(nightly: Run, opens: datetime) -> None:
    waiting = nightly.wait_for(lambda tasks: copy_of(tasks).state == "deferred" and copy_of(tasks))
    assert datetime.now(UTC) < opens, "the window opened before the copy could be seen waiting"
    assert waiting.attempt == 1
    assert shards(nightly) == []
    (noted,) = [entry for entry in nightly.journey.trail() if entry.action == "shard.waiting"]
    assert datetime.fromisoformat(noted.details["opens_at"]) == opens


def test_an_answer_that_lacks_a_fact_fails_and_is_asked_for_again(offline: Journey) -> None:
    """The first of two devices gets an order without its number, then a right one."""
    offline.client.wait_for_dag(offline.spec.dag_id(Phase.TRANSFER))
    run = offline.start(Phase.APPLIANCE)
    order = "images.device.order"
    task = run.answer_one(order, 0, DONE, {})
    assert task.state == "failed"
    assert "[HL-5711]" in "\n".join(offline.client.log_tail(run.dag_id, run.run_id, task))
    assert [entry for entry in offline.trail() if entry.action == "appliance.ordered"] == []
    run.wait_for(lambda tasks: state_of(tasks, "images.device.reconcile", 0) == "upstream_failed")
    run.wait_for(lambda tasks: state_of(tasks, "publish_result", -1) == "upstream_failed")
    assert run.states()["summarise_run"] == "none", "the other device is still on its way"
    offline.client.clear(run.dag_id, run.run_id, order, 0)
    assert run.answer_one(order, 0, DONE, ANSWERS["order"]).state == "success"


def test_devices_go_from_the_plan_to_their_reconciliation(offline: Journey) -> None:
    (run_id,) = offline.client.unfinished(offline.spec.dag_id(Phase.APPLIANCE))
    run = Run(offline, Phase.APPLIANCE, run_id)
    offline.client.unpause(offline.spec.dag_id(Phase.TRANSFER))
    assert run.answer_each(ANSWERS, DONE) == "success", run.trouble()
    assert {task.map_index for task in run.tasks() if task.task_id == "images.device.reconcile"} == {0, 1}
    summary = run.results().summary
    assert summary is not None
    assert summary.passed, summary.reasons
    assert (summary.found.objects, summary.moved.objects) == (OBJECTS, OBJECTS)
    steps = [entry for entry in offline.trail() if entry.details.get("step")]
    for device in ("images-01", "images-02"):
        taken = [(e.action, e.actor) for e in steps if e.subject == f"images/{device}"]
        assert [action for action, _actor in taken] == [f"appliance.{step}" for step in STEPS]
        people = {action for action, actor in taken if actor == "admin"}
        assert people == {"appliance.ordered", "appliance.delivered", "appliance.shipped"}
    assert asyncio.run(verify_audit(offline.spec, offline.stack.env)).problems == ()


def test_the_online_transfer_follows_by_itself_and_finds_nothing_left(offline: Journey) -> None:
    run = offline.begun_by_itself(Phase.TRANSFER)
    assert run.end() == "success", run.trouble()
    results = run.results()
    assert results.passed
    assert results.summary is not None
    assert results.summary.moved.objects == 0
    assert results.summary.unchanged.objects == OBJECTS
    assert_equal_by_rclone(offline)


def test_the_copy_goes_on_by_itself_when_its_window_opens(nightly: Run, opens: datetime) -> None:
    assert nightly.end() == "success", nightly.trouble()
    copy = copy_of(nightly.tasks())
    assert (copy.state, copy.attempt) == ("success", 1), "waiting spends no retry"
    (result,) = shards(nightly)
    assert result.started_at >= opens
    assert result.moved.objects == OBJECTS
    assert nightly.results().passed
    assert_equal_by_rclone(nightly.journey)
