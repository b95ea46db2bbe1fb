"""The operators that give a source up, as Airflow runs them: run twice, killed, refused, brought back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred

from heavylift.cutover.ports import Split
from heavylift.cutover.world import Parts
from heavylift.decommission import object_deletes
from heavylift.errors import ConflictError, IncompleteError
from heavylift.evidence.base import Tally
from heavylift.evidence.paths import verification_path
from heavylift.evidence.records import RunKey, VerificationRecord, utc_now
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import FinalRecord, WorldRecord, switch_path
from heavylift.switching import leaving
from heavylift_airflow.operators.decommission import (
    CertifyDeletionOperator,
    CheckSourceUnusedOperator,
    DeleteSourceOperator,
    DisableSourceOperator,
    EvaluateLeavingGateOperator,
    PlanDecommissionOperator,
    RestoreSourceOperator,
)
from heavylift_airflow.operators.decommission_closing import (
    BuildLeavingReportOperator,
    SummariseLeavingOperator,
)
from heavylift_airflow.operators.gates import GateApprovalOperator
from heavylift_airflow.sensors.grace import GraceSensor
from tests.plugins.world import NAME, World, context_of
from tests.support.memory_switch import KilledError

PLANNED, DELETION = "decommission-planned", "decommission-deletion"
OWN = {"report", "sha256", "size_bytes", "digest", "plan"}
"""What differs between two runs of a task that do the same."""


class AtTarget:
    """A route that leads nobody to the source any more."""

    async def read(self) -> Split:
        return Split(100, 0, 3, {})


@pytest.fixture
def moved(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a migration whose objects are on both sides, and whose cutover is final."""
    from airflow.providers.standard.operators import hitl

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Parts]:
        yield Parts(requests=AtTarget())  # type: ignore[arg-type]

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_question: None)
    monkeypatch.setattr(leaving, "open_parts", opened)
    world.save(
        gates=[],
        cutover={"runbook_owner": "eva", "traffic": {"adapter": "envoy", "connection": "traffic"}},
        decommission={"owner": "eva", "grace": 1},
    )
    world.fill()
    for file in world.source.iterdir():
        (world.target / file.name).write_bytes(file.read_bytes())
    asyncio.run(_proofs(world))
    return world


async def _proofs(world: World) -> None:
    count = Tally(objects=5, size_bytes=5)
    first = RunKey(migration=NAME, phase="transfer", run="first")
    verified = VerificationRecord(
        run=first,
        dataset="data",
        source_url=world.source.as_uri(),
        target_url=world.target.as_uri(),
        source=count,
        target=count,
        equal=count,
        passed=True,
    )
    switch = RunKey(migration=NAME, phase="cutover", run="switch")
    final = FinalRecord(
        run=switch,
        epoch=3,
        switched_at=utc_now() - timedelta(days=30),
        soak_seconds=60,
        world=WorldRecord(),
    )
    async with open_evidence(world.evidence.as_uri()) as store:
        await store.write_json(verification_path(first, "data", 1), verified)
        await store.write_json(switch_path(switch, "final", 1), final)


def once(world: World, kind: type, *, attempt: int = 1, **more: Any) -> Any:
    made = kind(task_id="task", spec_path=world.spec_path, phase="decommission", **more)
    told = made.execute(context_of(made, attempt=attempt)) or {}
    return {name: value for name, value in told.items() if name not in OWN}


def twice(world: World, kind: type, **more: Any) -> Any:
    """Run a task, clear it, run it again; what it says must be the same."""
    first, second = (once(world, kind, attempt=attempt, **more) for attempt in (1, 2))
    assert first == second, kind.__name__
    return second


def approve(world: World, gate: str) -> None:
    """Answer the gate as a person does."""
    made = GateApprovalOperator(
        task_id="approve",
        spec_path=world.spec_path,
        phase="decommission",
        gate=gate,
        response_timeout=timedelta(hours=1),
    )
    context = context_of(made)
    with pytest.raises(TaskAwaitingInput) as waiting:
        made.execute(context)
    event = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_by_user": {"id": "7", "name": "ann"},
        "responded_at": datetime.now(UTC),
        "timedout": False,
    }
    made.execute_complete(context, event, **(waiting.value.kwargs or {}))


def planned(world: World) -> None:
    once(world, CheckSourceUnusedOperator)
    once(world, PlanDecommissionOperator)
    once(world, EvaluateLeavingGateOperator, gate=PLANNED)


def disabled(world: World) -> None:
    planned(world)
    approve(world, PLANNED)
    once(world, DisableSourceOperator)


def agreed(world: World, waiting: Callable[[], None]) -> None:
    disabled(world)
    waiting()
    once(world, CheckSourceUnusedOperator, meanwhile=True)
    once(world, EvaluateLeavingGateOperator, gate=DELETION)
    approve(world, DELETION)


@pytest.fixture
def wait(world: World) -> Callable[[], None]:
    """Return what waits for the end of grace, as the triggerer does."""

    def until_over() -> None:
        while True:
            try:
                once(world, GraceSensor)
            except TaskDeferred as deferred:
                asyncio.run(_fired(deferred.trigger))
            else:
                return

    return until_over


async def _fired(trigger: Any) -> None:
    async for _event in trigger.run():
        return


def left(world: World) -> list[str]:
    return sorted(file.name for file in world.source.iterdir())


def test_every_task_of_the_phase_may_be_cleared(moved: World, wait: Callable[[], None]) -> None:
    assert twice(moved, CheckSourceUnusedOperator)["open"] == []
    assert twice(moved, PlanDecommissionOperator)["objects"] == 5
    assert once(moved, EvaluateLeavingGateOperator, gate=PLANNED)["passed"] is True
    approve(moved, PLANNED)
    assert twice(moved, DisableSourceOperator)["state"] == "disabled"
    wait()
    assert twice(moved, CheckSourceUnusedOperator, meanwhile=True)["open"] == []
    assert twice(moved, EvaluateLeavingGateOperator, gate=DELETION)["passed"] is True
    approve(moved, DELETION)
    assert once(moved, DeleteSourceOperator)["rows_deleted"] == 5
    assert once(moved, DeleteSourceOperator, attempt=2)["rows_deleted"] == 0
    assert left(moved) == []
    assert len(list(moved.target.iterdir())) == 5
    twice(moved, CertifyDeletionOperator)
    twice(moved, BuildLeavingReportOperator)
    assert twice(moved, SummariseLeavingOperator) == {"passed": True}
    acts = [act for act in moved.actions() if act.startswith("decommission.")]
    assert acts.count("decommission.deleted") == acts.count("decommission.certified") == 1


def test_nothing_is_touched_without_a_person_whatever_the_tasks_say(moved: World) -> None:
    planned(moved)
    with pytest.raises(IncompleteError, match="HL-9331"):
        once(moved, DisableSourceOperator)
    with pytest.raises(IncompleteError, match="HL-9331"):
        once(moved, DeleteSourceOperator)
    assert len(left(moved)) == 5


def test_the_first_answer_does_not_open_the_deletion(moved: World, wait: Callable[[], None]) -> None:
    disabled(moved)
    wait()
    once(moved, CheckSourceUnusedOperator, meanwhile=True)
    once(moved, EvaluateLeavingGateOperator, gate=DELETION)
    with pytest.raises(IncompleteError, match="HL-9331"):
        once(moved, DeleteSourceOperator)
    assert len(left(moved)) == 5


def test_a_plan_that_is_made_anew_needs_a_new_answer(moved: World) -> None:
    planned(moved)
    approve(moved, PLANNED)
    once(moved, CheckSourceUnusedOperator)
    once(moved, PlanDecommissionOperator, attempt=2)
    with pytest.raises(ConflictError, match="HL-9321"):
        once(moved, DisableSourceOperator)


def test_bringing_back_again_changes_nothing(moved: World, wait: Callable[[], None]) -> None:
    disabled(moved)
    assert twice(moved, RestoreSourceOperator)["state"] == "restored"
    with pytest.raises(ConflictError, match="HL-9333"):
        once(moved, GraceSensor)
    with pytest.raises(IncompleteError):
        once(moved, DeleteSourceOperator)
    assert len(left(moved)) == 5


@pytest.mark.parametrize("at", [0, 2, 5])
def test_a_deletion_that_is_killed_is_gone_on_with(
    moved: World, wait: Callable[[], None], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(object_deletes, "BATCH", 2)
    agreed(moved, wait)
    real, calls = object_deletes.delete_version, []

    async def dies(store: Any, key: str, version: str) -> None:
        if len(calls) == at:
            raise KilledError
        calls.append(key)
        await real(store, key, version)

    with monkeypatch.context() as struck:
        struck.setattr(object_deletes, "delete_version", dies)
        if at < 5:
            with pytest.raises(KilledError):
                once(moved, DeleteSourceOperator)
            with pytest.raises(IncompleteError, match="HL-9328"):
                once(moved, CertifyDeletionOperator)
            with pytest.raises(ConflictError, match="HL-9319"):
                once(moved, RestoreSourceOperator)
    once(moved, DeleteSourceOperator, attempt=2)
    assert left(moved) == []
    once(moved, CertifyDeletionOperator)


def test_what_changed_in_the_grace_stops_the_deletion(moved: World, wait: Callable[[], None]) -> None:
    agreed(moved, wait)
    changed: Path = moved.source / "object-3.txt"
    changed.write_text("written after the plan")
    with pytest.raises(ConflictError, match="HL-9309"):
        once(moved, DeleteSourceOperator)
    assert len(left(moved)) == 5
    once(moved, CheckSourceUnusedOperator, meanwhile=True)
    with pytest.raises(IncompleteError, match="objects_unchanged"):
        once(moved, EvaluateLeavingGateOperator, gate=DELETION)
