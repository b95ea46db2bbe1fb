"""The operators of a switch as Airflow runs them, on a workload in memory: run twice, killed, cleared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput

from heavylift.cutover.canary import api as canary_api
from heavylift.cutover.canary import from_spec
from heavylift.errors import IncompleteError
from heavylift.evidence.canary_records import CanaryRecord
from heavylift.fencing import Side
from heavylift.switching import canary as live_canary
from heavylift.switching import parts
from heavylift_airflow.operators.cutover import (
    CheckReadinessOperator,
    RehearseCutoverOperator,
    TakeTurnOperator,
)
from heavylift_airflow.operators.cutover_acts import (
    AnalyseCanaryOperator,
    PromoteCutoverOperator,
    RollBackOperator,
    SettleSwitchOperator,
    ShiftTrafficOperator,
)
from heavylift_airflow.operators.cutover_closing import (
    ApproveCutoverOperator,
    BuildSwitchReportOperator,
    EvaluateCutoverGateOperator,
    PublishCutoverOperator,
    SummariseSwitchOperator,
)
from tests.plugins.world import World, context_of
from tests.support.memory_switch import Fate, KilledError, MemoryDatabase, Workload

GATE = "cutover-ready"
OWN = {"report", "sha256", "size_bytes", "audit_head", "evidence", "seconds", "write_pause_seconds", "epoch"}
OWN |= {"expected_pause_seconds"}
"""What differs between two runs of a task that do the same."""


@dataclass
class Switching:
    """A workload, and what happens to the process that sees it next."""

    workload: Workload
    fate: Fate

    @asynccontextmanager
    async def open(self, *_: Any) -> AsyncIterator[Any]:
        yield self.workload.seen_by(self.fate)

    def at(self, side: Side) -> bool:
        [database] = self.workload.databases
        shut = database.fences[side.other].frozen and not database.fences[side].frozen
        percent = 100 if side is Side.TARGET else 0
        return shut and self.workload.requests.target_percent == percent


@pytest.fixture
def switching(world: World, monkeypatch: pytest.MonkeyPatch) -> Switching:
    from airflow.providers.standard.operators import hitl

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)
    database = MemoryDatabase("features")
    database.write(Side.SOURCE, "row")
    made = Switching(Workload([database]), Fate())
    monkeypatch.setattr(parts, "open_parts", made.open)
    side = {"engine": "postgresql"}
    world.save(
        datasets=[],
        databases=[
            {
                "name": "features",
                "source": {**side, "connection": "features_source"},
                "target": {**side, "connection": "features_target"},
                "reverse": True,
            }
        ],
        gates=[
            {
                "name": GATE,
                "phase": "cutover",
                "checks": ["cutover_ready"],
                "approval": {"required": True},
            }
        ],
        cutover={
            "runbook_owner": "eva",
            "rehearsed_within": None,
            "capacity": None,
            "traffic": {"adapter": "envoy", "connection": "traffic", "steps": [100]},
        },
    )
    return made


def once(world: World, kind: type, phase: str = "cutover", *, attempt: int = 1, **more: Any) -> Any:
    rehearse = more.pop("rehearse", False)
    made = kind(task_id="task", spec_path=world.spec_path, phase=phase, **more)
    context = {**context_of(made, attempt=attempt, rehearse=rehearse), "outlet_events": {}}
    told = made.execute(context) or {}
    return {name: value for name, value in told.items() if name not in OWN}


def twice(world: World, kind: type, phase: str = "cutover", **more: Any) -> Any:
    """Run a task, clear it, run it again; what it says must be the same."""
    first, second = (once(world, kind, phase, attempt=attempt, **more) for attempt in (1, 2))
    assert first == second, kind.__name__
    return second


def take_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin the turn without the earlier phases, which these tests are not about."""

    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(TakeTurnOperator, "_demand_gates", nothing)
    once(world, TakeTurnOperator)


def turns(world: World) -> int:
    return len(list((world.evidence / "small" / "~switch" / "turns").glob("*.json")))


def test_looking_and_rehearsing_again_move_nobody(world: World, switching: Switching) -> None:
    assert "owner" not in twice(world, CheckReadinessOperator)["open"]
    assert twice(world, RehearseCutoverOperator, rehearse=True)["passed"] is True
    [database] = switching.workload.databases
    assert not database.fences[Side.SOURCE].frozen
    assert switching.workload.requests.target_percent == 0


def test_a_turn_that_is_taken_again_is_the_same(
    world: World, switching: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turn(world, monkeypatch)
    once(world, TakeTurnOperator, attempt=2)
    assert turns(world) == 1


def test_a_shift_that_is_repeated_changes_nothing(
    world: World, switching: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turn(world, monkeypatch)
    twice(world, ShiftTrafficOperator, target_percent=25)
    assert switching.workload.requests.target_percent == 25


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("at", [1, 7, 13, 19])
@pytest.mark.parametrize(
    ("kind", "phase", "side"),
    [
        (PromoteCutoverOperator, "cutover", Side.TARGET),
        (RollBackOperator, "rollback", Side.SOURCE),
        (SettleSwitchOperator, "cutover", None),
    ],
    ids=["promote", "rollback", "settle"],
)
def test_a_switch_that_is_killed_anywhere_is_finished_by_the_next_run(
    world: World, switching: Switching, monkeypatch: pytest.MonkeyPatch,
    kind: type, phase: str, side: Side | None, at: int, after: bool,
) -> None:  # fmt: skip
    take_turn(world, monkeypatch)
    if kind is not PromoteCutoverOperator:
        once(world, PromoteCutoverOperator)
    switching.fate = Fate("kill", at, after)
    try:
        once(world, kind, phase)
    except KilledError:
        assert switching.fate.dead
    switching.fate = Fate()
    again = once(world, kind, phase, attempt=2)
    reached = side or Side(again["side"])
    assert switching.at(reached)
    assert once(world, kind, phase, attempt=3)["outcome"] == "already"
    assert switching.at(reached)
    [database] = switching.workload.databases
    assert not database.torn
    assert database.rows[Side.SOURCE] == database.rows[Side.TARGET]


def test_a_step_is_judged_again_by_the_record_of_this_run(
    world: World, switching: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_turn(world, monkeypatch)
    decided: dict[str, str] = {}

    async def analyse(wanted: str, *_: Any, **__: Any) -> Any:
        # As the analysis itself does: what was decided in this run is not judged again.
        decided.setdefault(wanted, f"verdict {len(decided) + 1}")
        record = CanaryRecord.model_construct(step="25", verdict="promote", reasons=())
        summary = next(iter(world.evidence.rglob("*.json"))).relative_to(world.evidence).as_posix()
        from heavylift.evidence.store import open_evidence

        async with open_evidence(world.evidence.as_uri()) as store:
            return record, await store.ref_of(summary)

    monkeypatch.setattr(from_spec, "canary_request", lambda *_: "step 25")
    monkeypatch.setattr(live_canary, "live_traffic", lambda *_: None)
    monkeypatch.setattr(canary_api, "analyse", analyse)
    assert twice(world, AnalyseCanaryOperator, step="25")["verdict"] == "promote"
    assert decided == {"step 25": "verdict 1"}
    assert world.actions().count("cutover.judged") == 2


def approve(world: World) -> None:
    asking = {"gate": GATE, "response_timeout": timedelta(hours=1)}
    made = ApproveCutoverOperator(task_id="task", spec_path=world.spec_path, phase="cutover", **asking)
    with pytest.raises(TaskAwaitingInput) as waiting:
        made.execute(context_of(made))
    event = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime(2026, 11, 29, 12, tzinfo=UTC),
        "responded_by_user": {"id": "eva", "name": "Eva"},
    }
    made = ApproveCutoverOperator(task_id="task", spec_path=world.spec_path, phase="cutover", **asking)
    made.execute_complete(context_of(made), event, **(waiting.value.kwargs or {}))


def test_the_gate_and_the_last_tasks_may_be_cleared(
    world: World, switching: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.switching import ready

    async def proved_before(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(ready, "earlier_phases", proved_before)
    with pytest.raises(IncompleteError):
        once(world, EvaluateCutoverGateOperator, gate=GATE)
    once(world, CheckReadinessOperator)
    assert twice(world, EvaluateCutoverGateOperator, gate=GATE)["passed"] is True
    approve(world)
    # The second time nobody is asked.
    asking = {"gate": GATE, "response_timeout": timedelta(hours=1)}
    assert twice(world, ApproveCutoverOperator, **asking)["approved"] is True
    once(world, TakeTurnOperator)
    once(world, PromoteCutoverOperator)
    for kind in (PublishCutoverOperator, BuildSwitchReportOperator, SummariseSwitchOperator):
        twice(world, kind)
    assert once(world, SummariseSwitchOperator)["passed"] is True
