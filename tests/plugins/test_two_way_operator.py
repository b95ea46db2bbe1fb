"""A dataset that is written to on both sides, as Airflow's sync keeps it equal, on real folders."""

from __future__ import annotations

from typing import Any

import pytest

from heavylift.errors import ConflictError
from heavylift_airflow.operators.closing import SummariseRunOperator
from heavylift_airflow.operators.two_way import SyncTwoWayOperator
from tests.plugins.world import World, context_of


def two_way(world: World, run_id: str, **changes: Any) -> dict[str, Any]:
    made = SyncTwoWayOperator(task_id="two_way", spec_path=world.spec_path, phase="sync", dataset="data")
    counts: dict[str, Any] = made.execute(context_of(made, run_id=run_id, **changes))
    return counts


def summarise(world: World, run_id: str) -> Any:
    made = SummariseRunOperator(task_id="summarise_run", spec_path=world.spec_path, phase="sync")
    return made.execute(context_of(made, run_id=run_id))


@pytest.fixture
def both(world: World) -> World:
    world.save(datasets=[{**world.spec["datasets"][0], "deletes": "quarantine", "two_way": {}}], gates=[])
    two_way(world, "first")
    return world


def test_both_sides_changes_are_carried_over_noted_and_proved(both: World) -> None:
    (both.source / "object-1.txt").write_text("changed here")
    (both.target / "object-2.txt").write_text("changed there")
    counts = two_way(both, "second")
    assert (counts["to_target"], counts["to_source"], counts["put_aside"]) == (1, 1, 2)
    assert (both.target / "object-1.txt").read_text() == "changed here"
    assert (both.source / "object-2.txt").read_text() == "changed there"
    noted = [entry for entry in both.trail() if entry.action == "dataset.carried"]
    assert noted[-1].details["to_source"] == 1
    assert noted[-1].evidence[0].path.endswith("data/two-way-1.json")
    summary = summarise(both, "second")
    assert (summary["moved"], summary["unchanged"]) == (1, 4)


def test_a_second_run_of_the_task_writes_nothing(both: World) -> None:
    (both.source / "object-1.txt").write_text("changed here")
    two_way(both, "second")
    before = {path: path.stat().st_mtime_ns for path in both.root.glob("[st]*e*/**/*")}
    again = two_way(both, "second", attempt=2)
    assert (again["planned"], again["put_aside"]) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in both.root.glob("[st]*e*/**/*")} == before
    assert summarise(both, "second")["moved"] == 1


def test_a_conflict_under_stop_fails_the_task_and_touches_nothing(both: World) -> None:
    (both.source / "object-1.txt").write_text("changed here")
    (both.target / "object-1.txt").write_text("changed there, too")
    with pytest.raises(ConflictError, match="9704"):
        two_way(both, "second")
    assert (both.target / "object-1.txt").read_text() == "changed there, too"
    noted = [entry for entry in both.trail() if entry.action == "dataset.carried"]
    assert noted[-1].details["conflicts"] == 1
