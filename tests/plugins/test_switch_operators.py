"""Operators of a switch as Airflow runs them, on a workload in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from heavylift.cutover.canary import api as canary
from heavylift.cutover.canary import from_spec
from heavylift.cutover.world import Parts, observe
from heavylift.errors import (
    ConflictError,
    IncompleteError,
    IntegrityError,
    PermanentError,
    TransientError,
)
from heavylift.evidence import records
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import ReadinessItem, ReadinessRecord, switch_path
from heavylift.fencing import Side
from heavylift.notify import api as notify
from heavylift.switching import parts as parts_module
from heavylift_airflow.context import run_key
from heavylift_airflow.operators.cutover import (
    CheckReadinessOperator,
    RehearseCutoverOperator,
    TakeTurnOperator,
)
from heavylift_airflow.operators.cutover_acts import (
    AnalyseCanaryOperator,
    FinaliseCutoverOperator,
    PromoteCutoverOperator,
    RollBackOperator,
    SettleSwitchOperator,
    ShiftTrafficOperator,
)
from heavylift_airflow.operators.cutover_closing import EvaluateCutoverGateOperator, SummariseSwitchOperator
from heavylift_airflow.sensors.soak import SoakSensor
from tests.plugins.tables_world import DATABASE, with_database
from tests.plugins.world import NAME, RUN_ID, World, context_of
from tests.support.memory_schedules import MemorySchedule
from tests.support.memory_switch import Fate, MemoryDatabase, Workload

SOURCE, TARGET = Side.SOURCE, Side.TARGET
GATE = "cutover-approved"
LOOKED = ReadinessItem(item="owner", passed=True, detail="mary")
FIGURES = {"outcome", "epoch", "write_pause_seconds", "seconds"}


class Switching:
    """A migration whose workload is in memory; each task sees it with the fate that is set."""

    def __init__(self, world: World) -> None:
        self.world = with_database(world)
        self.workload = Workload([MemoryDatabase(DATABASE)])
        self.fate = Fate()
        route = {"adapter": "envoy", "connection": "traffic"}
        gate = {
            "name": GATE,
            "phase": "cutover",
            "checks": ["cutover_ready"],
            "approval": {"required": False},
        }
        world.save(gates=[gate], cutover={"runbook_owner": "mary", "traffic": route, "writers": route})

    @asynccontextmanager
    async def parts(self, *_: object) -> AsyncIterator[Parts]:
        yield self.workload.seen_by(self.fate)

    def do(self, kind: Any, phase: str = "cutover", run_id: str = RUN_ID, **arguments: Any) -> Any:
        named = ("rehearse", "dry_run", "confirm", "early")
        params = {name: arguments.pop(name) for name in named if name in arguments}
        task = kind(task_id="task", spec_path=self.world.spec_path, phase=phase, **arguments)
        return task.execute(context_of(task, run_id=run_id, **params))

    def is_at(self, side: Side) -> bool:
        return asyncio.run(observe(self.workload.seen_by(Fate()))).settled_at(side)

    def ready(self) -> None:
        """Leave the record of a look that found nothing, and judge the gate."""
        run = run_key(NAME, "cutover", RUN_ID)
        record = ReadinessRecord(run=run, owner="mary", items=(LOOKED,))

        async def keep() -> None:
            async with open_evidence(self.world.evidence.as_uri()) as store:
                await write_next(store, lambda number: switch_path(run, "readiness", number), record)

        asyncio.run(keep())
        assert self.do(EvaluateCutoverGateOperator, gate=GATE)["passed"]


@pytest.fixture
def switching(world: World, monkeypatch: pytest.MonkeyPatch) -> Switching:
    made = Switching(world)
    monkeypatch.setattr(parts_module, "open_parts", made.parts)
    return made


@pytest.fixture
def turn(switching: Switching) -> Switching:
    """Return it once the run has its turn."""
    switching.ready()
    switching.do(TakeTurnOperator)
    return switching


def test_what_is_missing_shuts_the_gate_and_no_turn_is_taken(switching: Switching) -> None:
    """Whatever the state of the gate's task is: somebody may have marked it as a success."""
    found = switching.do(CheckReadinessOperator)
    assert "phase transfer" in found["open"]
    with pytest.raises(IncompleteError, match="HL-8014"):
        switching.do(EvaluateCutoverGateOperator, gate=GATE)
    with pytest.raises(IncompleteError, match="HL-8718"):
        switching.do(TakeTurnOperator)
    assert not switching.workload.databases[0].fences[TARGET].frozen
    assert switching.world.actions() == ["cutover.looked", "gate.evaluated"]


def test_a_turn_freezes_the_copy_and_is_the_same_when_asked_again(turn: Switching) -> None:
    assert turn.workload.databases[0].fences[TARGET].frozen
    assert turn.do(TakeTurnOperator) == {"epoch": 1}
    assert turn.world.actions()[-1] == "cutover.turn_taken"


def test_a_rehearsal_moves_nobody_and_skips_what_would(switching: Switching) -> None:
    figures = switching.do(RehearseCutoverOperator, rehearse=True)
    assert figures["passed"] is True
    assert 0 <= figures["expected_pause_seconds"] <= 5
    assert switching.do(SummariseSwitchOperator, rehearse=True)["passed"]
    for kind in (TakeTurnOperator, PromoteCutoverOperator, SettleSwitchOperator):
        with pytest.raises(AirflowSkipException):
            switching.do(kind, rehearse=True)
    assert switching.is_at(SOURCE)
    with pytest.raises(AirflowSkipException):
        switching.do(RehearseCutoverOperator)


def test_a_rehearsal_that_finds_differences_fails(switching: Switching) -> None:
    switching.workload.databases[0].rows[TARGET]["stray"] = 1
    with pytest.raises(IncompleteError, match="HL-8719"):
        switching.do(RehearseCutoverOperator, rehearse=True)
    with pytest.raises(IncompleteError, match="HL-8717"):
        switching.do(SummariseSwitchOperator, rehearse=True)


def test_steps_then_promotion_then_a_rollback_twice(turn: Switching) -> None:
    assert turn.do(ShiftTrafficOperator, target_percent=0, mirror_percent=100)["mirror_percent"] == 100
    assert turn.do(ShiftTrafficOperator, target_percent=25)["target_percent"] == 25
    turn.workload.databases[0].write(SOURCE, "row")
    promoted = turn.do(PromoteCutoverOperator)
    assert set(promoted) == FIGURES
    assert promoted["outcome"] == "switched"
    assert turn.is_at(TARGET)
    assert turn.do(SettleSwitchOperator)["side"] == "target"
    assert turn.do(SummariseSwitchOperator) == {"goal": "target", "passed": True}
    turn.workload.databases[0].write(TARGET, "row")
    back = [turn.do(RollBackOperator, phase="rollback", run_id="manual__back") for _ in range(2)]
    assert [each["outcome"] for each in back] == ["switched", "already"]
    assert turn.is_at(SOURCE)
    assert turn.workload.databases[0].rows[SOURCE] == {"row": 2}
    assert turn.do(SummariseSwitchOperator, phase="rollback", run_id="manual__back")["goal"] == "source"
    assert [each for each in turn.world.actions() if each.startswith("cutover.at")] == [
        "cutover.at_target", "cutover.at_target", "cutover.at_source", "cutover.at_source",
    ]  # fmt: skip


def test_what_was_overtaken_by_a_rollback_switches_nothing_and_settles_nothing(turn: Switching) -> None:
    turn.do(RollBackOperator, phase="rollback", run_id="manual__back")
    for kind, arguments in ((PromoteCutoverOperator, {}), (ShiftTrafficOperator, {"target_percent": 50})):
        with pytest.raises(ConflictError, match="HL-8703"):
            turn.do(kind, **arguments)
    assert turn.do(SettleSwitchOperator) == {"side": "", "outcome": "left to a later turn"}
    assert turn.is_at(SOURCE)


def test_after_a_failed_promotion_settling_leaves_everything_at_the_source(turn: Switching) -> None:
    turn.do(ShiftTrafficOperator, target_percent=50)
    turn.workload.databases[0].rows[TARGET]["stray"] = 1
    with pytest.raises(IntegrityError, match="HL-8707"):
        turn.do(PromoteCutoverOperator)
    assert turn.world.actions()[-1] == "cutover.failed"
    assert turn.do(SettleSwitchOperator)["side"] == "source"
    assert turn.is_at(SOURCE)
    with pytest.raises(IncompleteError, match="then trigger this phase anew"):
        turn.do(SummariseSwitchOperator)


def test_a_promotion_that_gets_no_answer_is_tried_again_by_its_task(turn: Switching) -> None:
    turn.fate = Fate("error", 8)
    with pytest.raises(TransientError):
        turn.do(PromoteCutoverOperator)
    turn.fate = Fate()
    assert turn.do(PromoteCutoverOperator)["outcome"] == "switched"


@pytest.mark.parametrize("verdict", ["promote", "abort"])
def test_only_a_step_that_is_promoted_goes_on(
    turn: Switching, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    asked = list[str]()

    class Judged:
        promoted = verdict == "promote"
        step, reasons = "25", ("the target answers otherwise",)
        run = RunKey(migration=NAME, phase="cutover", run="r")

        def __init__(self) -> None:
            self.verdict = verdict

    async def analyse(wanted: Any, *_: object, live: object) -> Any:
        asked.append(wanted.step)
        assert live is None  # a route in memory counts nothing
        async with open_evidence(turn.world.evidence.as_uri()) as store:
            return Judged(), await store.write_json("small/canary.json", LOOKED)

    monkeypatch.setattr(canary, "analyse", analyse)
    real = from_spec.canary_request
    monkeypatch.setattr(
        from_spec, "canary_request", lambda spec, run, _connections, step: real(spec, run, _none, step)
    )
    if verdict == "promote":
        assert turn.do(AnalyseCanaryOperator, step="25") == {"step": "25", "verdict": "promote"}
    else:
        with pytest.raises(IncompleteError, match=r"the target answers otherwise.*HL-8700"):
            turn.do(AnalyseCanaryOperator, step="25")
    assert asked == ["25"]
    assert turn.world.trail()[-1].details["verdict"] == verdict


def _none(_conn_id: str) -> Any:
    return None


def test_the_way_back_is_closed_once_confirmed_and_soaked_and_only_from_the_target(turn: Switching) -> None:
    with pytest.raises(PermanentError, match="HL-8744"):
        turn.do(FinaliseCutoverOperator)
    with pytest.raises(PermanentError, match="HL-8743"):
        turn.do(FinaliseCutoverOperator, confirm=NAME)
    turn.do(PromoteCutoverOperator)
    with pytest.raises(PermanentError, match="HL-8742"):
        turn.do(FinaliseCutoverOperator, confirm=NAME)
    streams = turn.workload.databases[0].applied
    assert streams[SOURCE] is not None
    done = turn.do(FinaliseCutoverOperator, confirm=NAME, early=True)
    assert done["early"] is True
    assert streams == {SOURCE: None, TARGET: None}
    assert turn.do(FinaliseCutoverOperator, confirm=NAME, early=True) == done
    assert turn.is_at(TARGET)
    with pytest.raises(PermanentError, match="HL-8706"):
        turn.do(RollBackOperator, phase="rollback", run_id="back")
    assert turn.is_at(TARGET)
    assert "cutover.finalised" in turn.world.actions()


def test_a_turn_that_was_only_marked_as_taken_lets_nobody_shift_or_promote(switching: Switching) -> None:
    with pytest.raises(IncompleteError, match="HL-8718"):
        switching.do(ShiftTrafficOperator, target_percent=5)
    with pytest.raises(IncompleteError, match="HL-8718"):
        switching.do(PromoteCutoverOperator)
    assert switching.workload.requests.target_percent == 0
    assert not switching.workload.databases[0].fences[SOURCE].epoch


def test_a_schedule_is_switched_with_the_rest_and_back(turn: Switching) -> None:
    schedule = MemorySchedule(cron="0 0 1 1 *")
    turn.workload.schedules.append(schedule)
    looked = turn.do(CheckReadinessOperator)
    assert "schedule nightly" not in looked["open"]
    assert turn.do(PromoteCutoverOperator)["outcome"] == "switched"
    assert [schedule.sides[side].enabled for side in (SOURCE, TARGET)] == [False, True]
    assert turn.do(SummariseSwitchOperator)["passed"]
    assert turn.do(CheckReadinessOperator)["open"].count("schedule nightly") == 1
    turn.do(RollBackOperator, phase="rollback", run_id="back")
    assert [schedule.sides[side].enabled for side in (SOURCE, TARGET)] == [True, False]


def test_a_schedule_goes_back_with_a_switch_that_fails_and_no_run_is_called_done_while_it_is_held(
    turn: Switching,
) -> None:
    schedule = MemorySchedule(cron="0 0 1 1 *")
    turn.workload.schedules.append(schedule)
    turn.workload.databases[0].rows[TARGET]["stray"] = 1
    with pytest.raises(IntegrityError, match="HL-8707"):
        turn.do(PromoteCutoverOperator)
    assert [schedule.sides[side].enabled for side in (SOURCE, TARGET)] == [True, False]
    del turn.workload.databases[0].rows[TARGET]["stray"]
    # The scheduler of the target can't be changed once all the rest is there.
    schedule.refuses = TARGET
    with pytest.raises(TransientError):
        turn.do(PromoteCutoverOperator)
    assert not schedule.sides[TARGET].enabled
    with pytest.raises(IncompleteError, match="held still"):
        turn.do(SummariseSwitchOperator)
    schedule.refuses = None
    assert turn.do(PromoteCutoverOperator)["outcome"] == "already"
    assert schedule.sides[TARGET].enabled


def test_people_are_told_how_far_the_soak_is_and_only_of_one_that_goes_on(
    turn: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(notify, "send", lambda _connection, _whom, message: told.append(message.title))
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps({"conn_type": "http", "host": "127.0.0.1"}))
    turn.world.save(notify={"connection": "pager", "on": ["deadline"]})
    assert turn.do(SoakSensor, moment="ends") == {"moment": "ends", "told": False, "soak_ends": None}
    turn.do(PromoteCutoverOperator)
    for moment, days in (("nears", 6), ("ends", 7), ("overdue", 8)):
        with pytest.raises(TaskDeferred) as deferred:
            turn.do(SoakSensor, moment=moment)
        left = deferred.value.trigger.moment - utc_now()
        assert timedelta(days=days, minutes=-5) < left < timedelta(days=days, minutes=5)
    assert told == []
    now = utc_now() + timedelta(days=9)
    monkeypatch.setattr(records, "utc_now", lambda: now)
    for moment in ("nears", "ends", "overdue", "overdue"):
        assert turn.do(SoakSensor, moment=moment)["told"]
    assert len(told) == 3
    assert "forgotten" in told[-1]
    monkeypatch.undo()


def test_a_rollback_or_the_end_ends_the_soak(turn: Switching) -> None:
    turn.do(PromoteCutoverOperator)
    turn.do(FinaliseCutoverOperator, confirm=NAME, early=True)
    assert not turn.do(SoakSensor, moment="ends")["told"]
