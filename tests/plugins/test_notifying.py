"""What people are told when tasks fail, wait or end, and that a channel in trouble harms nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.deadline import DeadlineReference
from airflow.serialization.serialized_objects import DagSerialization

from heavylift.aio import run
from heavylift.connections import Connection
from heavylift.errors import ServerUnavailableError
from heavylift.evidence.paths import database_path
from heavylift.evidence.records import utc_now
from heavylift.evidence.store import open_evidence
from heavylift.evidence.table_records import SyncRecord
from heavylift.notify import api
from heavylift.notify.message import Message
from heavylift.spec import Phase, load_files, load_spec
from heavylift_airflow import callbacks
from heavylift_airflow.callbacks import tell_failure, tell_success
from heavylift_airflow.context import run_key
from heavylift_airflow.notifying import deadlines_of, tell_of_deadline
from heavylift_airflow.operators.closing import SummariseRunOperator
from heavylift_airflow.phases.movement import default_args, movement_dag
from tests.plugins.tables_world import with_database
from tests.plugins.test_callbacks import ERROR, Lines
from tests.plugins.test_gate_operators import ask, judged, proved
from tests.plugins.test_transfer_operators import plan_task
from tests.plugins.world import NAME, RUN_ID, World, context_of

__all__ = ["judged", "proved"]

EVENTS = ["failure", "approval", "deadline", "success"]


@dataclass
class Hook:
    """Takes messages in the channel's place: this layer has no network; channels have tests of their own."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    trouble: Exception | None = None

    def send(self, _connection: Connection, _recipients: Sequence[str], message: Message) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.bodies.append(message.document)


@pytest.fixture
def hook(world: World, monkeypatch: pytest.MonkeyPatch) -> Hook:
    made = Hook()
    monkeypatch.setattr(api, "send", made.send)
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps({"conn_type": "http", "host": "127.0.0.1"}))
    world.save(notify={"connection": "pager", "on": EVENTS})
    return made


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    log = Lines()
    monkeypatch.setattr(callbacks, "log", log)
    return log.lines


def failed(world: World, error: BaseException | None = ERROR, attempt: int = 1) -> Any:
    task = plan_task(world)
    return {**context_of(task, attempt=attempt), "exception": error}


def test_a_failure_is_told_once_for_each_attempt(world: World, hook: Hook, lines: list[str]) -> None:
    for attempt in (1, 1, 2):
        tell_failure(failed(world, attempt=attempt))
    assert [body["code"] for body in hook.bodies] == ["HL-5002", "HL-5002"]
    assert hook.bodies[0]["title"] == "task plan failed: planning"
    assert lines[-1] == str(ERROR)
    assert lines[-2] == "Runbook: docs/runbooks/codes.md#hl-5002, or: heavylift explain HL-5002"


@pytest.mark.parametrize(
    "trouble",
    [ServerUnavailableError("telling", got="HTTP 503"), ValueError("anything"), None],
    ids=["refused", "foreign", "no connection"],
)
def test_a_channel_in_trouble_harms_nobody(
    world: World, hook: Hook, lines: list[str], monkeypatch: pytest.MonkeyPatch, trouble: Exception | None
) -> None:
    hook.trouble = trouble
    if trouble is None:
        monkeypatch.delenv("AIRFLOW_CONN_PAGER")
    tell_failure(failed(world))
    assert hook.bodies == []
    assert lines[-1] == str(ERROR)
    assert world.actions() == ["task.failed"]


def test_what_a_foreign_error_says_is_not_told_where_it_shows_a_secret(
    world: World, hook: Hook, lines: list[str]
) -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    tell_failure(failed(world, ValueError(f"bad key {secret}")))
    assert secret not in "".join(lines) + json.dumps(hook.bodies)
    assert "HL-8031" in lines[-1]
    assert hook.bodies[0]["code"] == "HL-8031"


class AirflowTaskTimeout(BaseException):
    """As Airflow raises it."""


class HITLTimeoutError(Exception):
    """As Airflow raises it."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, "8030"),
        (ZeroDivisionError("division"), "8031"),
        (AirflowTaskTimeout(), "8963"),
        (TimeoutError(), "8963"),
        (HITLTimeoutError(), "8964"),
    ],
)
def test_every_kind_of_failure_ends_with_five_parts_and_its_runbook(
    world: World, lines: list[str], error: BaseException | None, code: str
) -> None:
    tell_failure(failed(world, error))
    last = lines[-1]
    assert last.endswith(f"[HL-{code}]")
    positions = [last.index(part) for part in (" failed: got ", ", expected ", "State:", "To fix:", "Retry:")]
    assert positions == sorted(positions)
    assert f"#hl-{code}" in lines[-2]
    assert world.trail()[-1].details["error"]["code"] == f"HL-{code}"


def test_a_gate_that_waits_is_told_once(judged: World, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)
    for _ in range(2):
        ask(judged)
    [body] = hook.bodies
    assert (body["event"], body["title"]) == ("approval", "gate proved passed and waits for approval")


def last_task(world: World, phase: str = "transfer", task_id: str = "summarise_run") -> Any:
    made = SummariseRunOperator(task_id=task_id, spec_path=world.spec_path, phase=phase)
    return context_of(made)


def test_success_is_told_of_the_last_task_alone(world: World, hook: Hook) -> None:
    tell_success(last_task(world, task_id="plan"))
    assert hook.bodies == []
    tell_success(last_task(world))
    assert hook.bodies[0]["event"] == "success"
    assert default_args(load_spec(world.spec_path))["on_success_callback"] is tell_success
    world.save(notify=None)
    assert "on_success_callback" not in default_args(load_spec(world.spec_path))


def synced(world: World, *lags: float) -> None:
    async def write() -> None:
        async with open_evidence(world.evidence.as_uri()) as store:
            for number, lag in enumerate(lags):
                key = run_key(NAME, "sync", f"run-{number}")
                record = SyncRecord(
                    run=key, database="features", direction="forward", engine="postgresql",
                    started_at=utc_now(), from_position="0/1", upto_position="0/2",
                    applied_position="0/2", caught_up=False, lag_seconds=lag,
                )  # fmt: skip
                await store.write_json(database_path(key, "features", "sync", 1), record)

    run(write())


@pytest.mark.parametrize(("lags", "told"), [((40, 50, 60), 1), ((10, 50, 60), 0), ((40, 50, 20), 0)])
def test_lag_beyond_the_limit_for_some_syncs_is_told(
    world: World, hook: Hook, lags: tuple[float, ...], told: int
) -> None:
    with_database(world)
    synced(world, *lags)
    tell_success(last_task(world, "sync"))
    deadlines = [body for body in hook.bodies if body["event"] == "deadline"]
    assert len(deadlines) == told
    if told:
        assert deadlines[0]["title"] == "database features is 60 s behind"
        assert "30 s are accepted" in deadlines[0]["detail"]


def test_a_phase_deadline_is_airflows_own_alert_and_tells_once(world: World, hook: Hook) -> None:
    world.save(
        notify={
            "connection": "pager",
            "on": ["deadline"],
            "deadlines": [{"phase": "transfer", "within": "2h"}],
        }
    )
    spec = load_spec(world.spec_path)
    [alert] = deadlines_of(spec, Phase.TRANSFER, world.spec_path)
    assert alert.reference == DeadlineReference.DAGRUN_QUEUED_AT
    assert alert.interval.total_seconds() == 7200
    assert deadlines_of(spec, Phase.SYNC, world.spec_path) == []
    for dag_run in ({"run_id": RUN_ID}, SimpleNamespace(run_id=RUN_ID)):
        tell_of_deadline(**alert.callback.kwargs, context={"dag_run": dag_run})
    [body] = hook.bodies
    assert (body["event"], body["run"]) == ("deadline", RUN_ID)
    assert body["title"] == "the run has taken longer than 2 h"


def test_a_missed_deadline_with_a_broken_spec_harms_nobody(world: World) -> None:
    tell_of_deadline(spec_path=str(world.root / "gone.yaml"), phase="transfer", within=60.0)
    assert not world.evidence.joinpath(NAME).exists()


def test_a_dag_with_deadlines_travels_as_airflow_stores_it(world: World) -> None:
    world.save(
        notify={
            "connection": "pager",
            "on": ["deadline", "success"],
            "deadlines": [{"phase": "transfer", "within": "2h"}],
        }
    )
    [loaded] = load_files([Path(world.spec_path)]).valid
    dag = movement_dag(loaded, Phase.TRANSFER)
    assert dag is not None
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    [alert] = DagSerialization.from_dict(document).deadline
    assert "7200" in json.dumps(alert)
    assert "heavylift_airflow.notifying.tell_of_deadline" in json.dumps(alert)
