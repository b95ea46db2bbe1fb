"""Operators on fences as Airflow runs them, and a sync that finds its direction by itself."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import ConflictError
from heavylift.fencing import Side, Writes
from heavylift.tables import wiring
from heavylift.tables.fences import acts
from heavylift_airflow.operators.closing import SummariseRunOperator
from heavylift_airflow.operators.fences import FreezeWritesOperator, UnfreezeWritesOperator
from heavylift_airflow.operators.tables import SnapshotTablesOperator, VerifyTablesOperator
from heavylift_airflow.operators.tables_changes import ReverseSyncOperator, SyncChangesOperator
from tests.plugins.tables_world import connection, execute, task_of, with_database
from tests.plugins.world import World, context_of
from tests.support.fake_tables import FakeEngine
from tests.support.memory_fence import MemoryFence


@pytest.fixture
def fence(monkeypatch: pytest.MonkeyPatch) -> MemoryFence:
    made = MemoryFence()
    monkeypatch.setattr(acts, "fence_for", lambda _engine: made)
    for name in ("features_source", "features_target"):
        monkeypatch.setenv(*connection(name))
    return made


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, fence: MemoryFence) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(wiring, "engine_for", lambda _request: fake)
    return fake


def act(kind: type, world: World, side: str, epoch: int | str, **arguments: object) -> dict[str, object]:
    figures: dict[str, object] = execute(task_of(kind, world, side=side, epoch=epoch, **arguments))
    return figures


def test_a_side_is_frozen_and_opened_once_and_noted(world: World, fence: MemoryFence) -> None:
    with_database(world)
    figures = act(FreezeWritesOperator, world, "source", "4")
    assert (figures["writes"], figures["epoch"], figures["already"]) == ("frozen", 4, False)
    assert act(FreezeWritesOperator, world, "source", 4)["already"]
    assert fence.states[Side.SOURCE].is_frozen
    entry = world.trail()[-1]
    assert (entry.action, entry.subject, entry.details["side"], len(entry.evidence)) == (
        "database.writes_frozen", "features", "source", 1,
    )  # fmt: skip
    with pytest.raises(ConflictError, match="HL-8701"):
        act(FreezeWritesOperator, world, "source", 3)
    with pytest.raises(ConflictError, match=r"a target that is open.*HL-8783"):
        act(UnfreezeWritesOperator, world, "source", 4)
    assert act(UnfreezeWritesOperator, world, "source", 4, whatever_the_other=True)["act"] == "opened"
    assert world.actions()[-1] == "database.writes_opened"


def test_a_dry_run_freezes_nothing(world: World, fence: MemoryFence) -> None:
    with pytest.raises(AirflowSkipException):
        execute(task_of(FreezeWritesOperator, with_database(world), side="source", epoch=1), dry_run=True)
    assert fence.states[Side.SOURCE].writes is Writes.OPEN


def test_a_live_sync_carries_changes_away_from_the_side_that_is_written_to(
    world: World, engine: FakeEngine
) -> None:
    execute(task_of(SnapshotTablesOperator, with_database(world)))

    def sync() -> tuple[str, str]:
        task = task_of(SyncChangesOperator, world, "sync", direction="live")
        context = context_of(task)
        figures = task.execute(context)
        assert world.trail()[-1].details["direction"] == figures["direction"]
        return figures["direction"], engine.calls[-1]

    act(FreezeWritesOperator, world, "target", 1)
    assert sync() == ("forward", "forward.sync")
    act(FreezeWritesOperator, world, "source", 2)
    assert sync() == ("forward", "forward.sync")
    execute(task_of(ReverseSyncOperator, world, "cutover", act="prepare"))
    act(UnfreezeWritesOperator, world, "target", 2)
    assert sync() == ("reverse", "reverse.sync")
    execute(task_of(VerifyTablesOperator, world, "sync", direction="live"))
    assert engine.calls[-2:] == ["reverse.compare", "reverse.sync"]
    # The run is judged by what it carried.
    closing = SummariseRunOperator(task_id="end", spec_path=world.spec_path, phase="sync")
    assert execute(closing)["databases"] == 1
    for kind in (SyncChangesOperator, SnapshotTablesOperator, VerifyTablesOperator):
        with pytest.raises(ConflictError, match=r"applications write to the target.*HL-8786"):
            execute(task_of(kind, world, "sync"))
    act(FreezeWritesOperator, world, "target", 3)
    assert sync() == ("reverse", "reverse.sync")
    act(UnfreezeWritesOperator, world, "source", 3)
    assert sync() == ("forward", "forward.sync")
    with pytest.raises(ConflictError, match=r"applications write to the source.*HL-8786"):
        execute(task_of(ReverseSyncOperator, world, "sync"))


def test_a_side_that_is_opened_again_stays_as_it_is(world: World, fence: MemoryFence) -> None:
    with_database(world)
    for side in ("target", "source"):
        act(FreezeWritesOperator, world, side, 1)
    first, second = (act(UnfreezeWritesOperator, world, "source", 1) for _ in range(2))
    assert (first["already"], second["already"]) == (False, True)
    assert [fence.states[side].writes for side in Side] == [Writes.OPEN, Writes.FROZEN]
