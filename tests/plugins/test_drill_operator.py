"""Fail-over drills as Airflow runs them, on a workload in memory."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError, ServerUnavailableError
from heavylift.evidence.drill_records import DrillRecord, drill_path, history_of, last_drills
from heavylift.evidence.records import utc_now
from heavylift.evidence.store import open_evidence
from heavylift.fencing import Side
from heavylift.gates.drill_ready import drill_item
from heavylift.switching import parts as parts_module
from heavylift_airflow import callbacks
from heavylift_airflow.context import run_key
from heavylift_airflow.operators.cutover import TakeTurnOperator
from heavylift_airflow.operators.cutover_acts import (
    FinaliseCutoverOperator,
    PromoteCutoverOperator,
    RollBackOperator,
)
from heavylift_airflow.operators.cutover_closing import SummariseSwitchOperator
from heavylift_airflow.operators.drills import DrillFailoverOperator
from tests.plugins.tables_world import with_database
from tests.plugins.test_notifying import EVENTS, Hook, hook
from tests.plugins.test_switch_operators import Switching
from tests.plugins.world import NAME, World, context_of

__all__ = ["hook"]
SOURCE, TARGET = Side.SOURCE, Side.TARGET


@pytest.fixture
def drilling(world: World, monkeypatch: pytest.MonkeyPatch) -> Switching:
    made = Switching(world)
    world.save(datasets=[], cutover={**world.spec["cutover"], "drills": {"max_rpo": 60, "max_rto": 60}})
    monkeypatch.setattr(parts_module, "open_parts", made.parts)
    return made


def drills(world: World) -> list[DrillRecord]:
    async def read() -> list[DrillRecord]:
        async with open_evidence(world.evidence.as_uri()) as store:
            return [kept.record for kept in await last_drills(store, NAME)]

    return asyncio.run(read())


def keep(world: World, *records: DrillRecord) -> None:
    async def write() -> None:
        async with open_evidence(world.evidence.as_uri()) as store:
            for number, record in enumerate(records, start=1):
                await store.write_json(drill_path(NAME, number), record)

    asyncio.run(write())


def record_of(outcome: str, days_ago: float, **more: Any) -> DrillRecord:
    return DrillRecord.model_validate(
        {
            "run": run_key(NAME, "cutover", "r"),
            "outcome": outcome,
            "drilled_at": utc_now() - timedelta(days=days_ago),
            "due_within_seconds": 8 * 86_400,
            **more,
        }
    )


def test_a_drill_moves_nobody_and_measures_both_figures(drilling: Switching) -> None:
    found = drilling.do(DrillFailoverOperator, run_id="one", rehearse=True)
    assert found["outcome"] == "passed"
    assert 0 <= found["rto_seconds"] <= 60
    assert found["rpo_seconds"] == 0.0
    assert drilling.is_at(SOURCE)
    [record] = drills(drilling.world)
    assert [(point.kind, point.seconds) for point in record.points] == [("database", 0.0)]
    assert record.back is not None
    assert (record.way, record.back.carried, record.back.rpo_seconds) == ("over and back", False, None)
    assert 0 <= found["rto_back_seconds"] <= 60
    assert "back: RTO" in record.figures
    assert not drilling.workload.databases[0].fences[SOURCE].frozen
    assert drilling.world.actions()[-1] == "failover.drilled"
    assert drilling.do(SummariseSwitchOperator, run_id="one", rehearse=True)["passed"]


def test_drilling_again_adds_a_record(drilling: Switching) -> None:
    for _ in range(2):
        drilling.do(DrillFailoverOperator, run_id="one", rehearse=True)
    assert [each.outcome for each in drills(drilling.world)] == ["passed", "passed"]
    assert drilling.is_at(SOURCE)


def test_what_a_failover_would_meet_or_miss_fails_the_drill(drilling: Switching) -> None:
    drilling.workload.databases[0].rows[Side.TARGET]["stray"] = 1
    with pytest.raises(IncompleteError, match="HL-9721"):
        drilling.do(DrillFailoverOperator, run_id="one", rehearse=True)
    del drilling.workload.databases[0].rows[Side.TARGET]["stray"]
    folders = [{"name": "data", "source": "file:///a", "target": "file:///b"}]
    drilling.world.save(datasets=folders)
    with pytest.raises(IncompleteError, match="a recovery point is not known"):
        drilling.do(DrillFailoverOperator, run_id="two", rehearse=True)
    assert [each.outcome for each in drills(drilling.world)] == ["failed", "failed"]
    assert drills(drilling.world)[-1].rto_seconds is not None
    # The rehearsal passed; the run must not be green all the same.
    with pytest.raises(IncompleteError, match="a recovery point is not known"):
        drilling.do(SummariseSwitchOperator, run_id="two", rehearse=True)


def test_a_world_that_cannot_be_asked_is_a_failed_drill(drilling: Switching) -> None:
    async def down(*_: object) -> object:
        raise ServerUnavailableError("asking", got="nobody there")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("heavylift.switching.drills.observe", down)
        with pytest.raises(IncompleteError, match="nobody there"):
            drilling.do(DrillFailoverOperator, run_id="one", rehearse=True)
    assert [each.outcome for each in drills(drilling.world)] == ["failed"]


def test_a_switch_under_way_is_left_alone(drilling: Switching) -> None:
    drilling.ready()
    epoch = drilling.do(TakeTurnOperator)["epoch"]
    with pytest.raises(AirflowSkipException, match="put off"):
        drilling.do(DrillFailoverOperator, run_id="drill", rehearse=True)
    assert drilling.do(TakeTurnOperator)["epoch"] >= epoch, "the switch has its turn still"
    assert [each.outcome for each in drills(drilling.world)] == ["put off"]


def switched(drilling: Switching) -> Switching:
    drilling.ready()
    drilling.do(TakeTurnOperator)
    drilling.do(PromoteCutoverOperator)
    return drilling


def test_after_the_switch_the_way_back_is_drilled_by_its_stream(drilling: Switching) -> None:
    switched(drilling).workload.databases[0].write(TARGET, "there")
    found = drilling.do(DrillFailoverOperator, run_id="drill", rehearse=True)
    [record] = drills(drilling.world)
    assert (found["outcome"], found["way"], found["rto_seconds"]) == ("passed", "back", None)
    assert record.back is not None
    assert (record.back.carried, record.back.rpo_seconds) == (True, 0.0)
    rows = drilling.workload.databases[0].rows
    assert rows[SOURCE] == rows[TARGET] == {"there": 1}, "it came back, as it would at a rollback"
    assert drilling.is_at(TARGET)
    assert not drilling.workload.databases[0].fences[TARGET].frozen
    assert drilling.do(SummariseSwitchOperator, run_id="drill", rehearse=True)["passed"]
    # The next one is in nobody's way, and a rollback goes as it would without it.
    drilling.do(DrillFailoverOperator, run_id="drill 2", rehearse=True)
    drilling.do(RollBackOperator, phase="rollback", run_id="back", confirm=True)
    assert drilling.is_at(SOURCE)


def test_a_way_back_that_would_not_do_fails_the_drill(drilling: Switching) -> None:
    database = switched(drilling).workload.databases[0]
    database.rows[SOURCE]["stray"] = 1
    with pytest.raises(IncompleteError, match=r"back: .*rows differ"):
        drilling.do(DrillFailoverOperator, run_id="one", rehearse=True)
    del database.rows[SOURCE]["stray"]
    database.applied[SOURCE] = None
    with pytest.raises(IncompleteError, match="no stream of changes"):
        drilling.do(DrillFailoverOperator, run_id="two", rehearse=True)
    assert [(each.outcome, each.way) for each in drills(drilling.world)] == [("failed", "back")] * 2
    assert drilling.is_at(TARGET)


def test_a_way_back_that_is_closed_is_not_drilled(drilling: Switching) -> None:
    switched(drilling)
    drilling.do(FinaliseCutoverOperator, run_id="final", confirm=NAME, early=True)
    with pytest.raises(AirflowSkipException, match="the way back is closed"):
        drilling.do(DrillFailoverOperator, run_id="drill", rehearse=True)


@pytest.mark.parametrize(
    ("records", "passed", "told"),
    [
        ((), False, "no drill was made yet"),
        ((record_of("passed", 1),), True, "1 of the last 1 passed"),
        ((record_of("passed", 2), record_of("put off", 1)), True, "1 of the last 1 passed"),
        ((record_of("passed", 2), record_of("failed", 1, reasons=("slow",))), False, "(slow)"),
        ((record_of("passed", 9),), False, "OVERDUE"),
        ((record_of("passed", 2), record_of("failed", 1, way="back")), True, "1 of the last 1 passed"),
        ((record_of("passed", 1, way="back"),), False, "no drill was made yet"),
    ],
)
def test_readiness_demands_a_good_drill_that_is_not_overdue(
    world: World, records: tuple[DrillRecord, ...], passed: bool, told: str
) -> None:
    keep(world, *records)

    async def judge() -> Any:
        async with open_evidence(world.evidence.as_uri()) as store:
            return await drill_item(store, NAME, utc_now())

    item = asyncio.run(judge())
    assert (item.item, item.passed) == ("drill", passed)
    assert told in item.detail
    assert len(item.evidence) == (0 if told.startswith("no drill") else 1)


def test_people_are_told_once_a_day_of_a_drill_that_is_overdue(
    world: World, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps({"conn_type": "http", "host": "127.0.0.1"}))
    world.save(notify={"connection": "pager", "on": EVENTS}, cutover={"runbook_owner": "mary", "drills": {}})
    with_database(world)
    keep(world, record_of("passed", 9))
    for _ in range(2):
        callbacks.tell_success(last_task(world))
    told = [body for body in hook.bodies if "drill" in body["title"]]
    assert [body["event"] for body in told] == ["deadline"]
    assert history_of([record_of("passed", 9)]).is_overdue(utc_now())


def last_task(world: World) -> Any:
    task = SummariseSwitchOperator(task_id="summarise_run", spec_path=world.spec_path, phase="cutover")
    return context_of(task)
