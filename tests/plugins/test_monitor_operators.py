"""The phase monitor as Airflow runs it: looks on both sides of the switch, and a run whose colour is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.errors import IncompleteError, NotFoundError
from heavylift_airflow.operators.monitor import SummariseMonitorOperator, WatchOperator
from tests.plugins.world import World, context_of


def table(folder: Path, seed: int, moved: float = 0.0) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(
        pa.table({"x": np.random.default_rng(seed).normal(moved, 1, 20_000)}), folder / "rows.parquet"
    )


@pytest.fixture
def watched(world: World) -> World:
    sides = {side: {"url": f"file://{world.root}/{side}-rows"} for side in ("source", "target")}
    log = {"url": f"file://{world.root}/log"}
    table(world.root / "source-rows", 1)
    table(world.root / "target-rows", 2)
    (world.root / "log").mkdir()
    pq.write_table(pa.table({"sequence": [1, 2, 3]}), world.root / "log" / "a.parquet")
    monitor = {"drift": [{"name": "rows", **sides}], "gaps": [{"name": "log", "source": log}]}
    world.save(datasets=[], gates=[], monitor=monitor)
    return world


def look(world: World, watch: str, side: str, run_id: str = "scheduled__1") -> dict[str, Any]:
    made = WatchOperator(
        task_id="look", spec_path=world.spec_path, phase="monitor", item={"watch": watch, "side": side}
    )
    found: dict[str, Any] = made.execute(context_of(made, run_id=run_id))
    assert made.watch_title == f"{watch} {side}".strip()
    assert made.evidence_path == found["evidence"]
    return found


def look_at_all(world: World, run_id: str) -> None:
    for watch, side in (("rows", "source"), ("rows", "target"), ("log", "")):
        look(world, watch, side, run_id)


def summarise(world: World, run_id: str) -> dict[str, Any]:
    made = SummariseMonitorOperator(task_id="summarise_run", spec_path=world.spec_path, phase="monitor")
    found: dict[str, Any] = made.execute(context_of(made, run_id=run_id))
    return found


def test_a_target_like_the_source_is_no_alarm_and_one_that_drifts_turns_the_run_red(watched: World) -> None:
    look_at_all(watched, "scheduled__1")
    assert summarise(watched, "scheduled__1") == {"looks": 3, "alarms": 0, "unsure": 0}
    table(watched.root / "target-rows", 3, 0.5)
    look_at_all(watched, "scheduled__2")
    with pytest.raises(IncompleteError, match=r"rows target \(drift\): x: the distribution moved.*HL-8931"):
        summarise(watched, "scheduled__2")
    # The first run's own verdict stays what it was.
    assert summarise(watched, "scheduled__1")["alarms"] == 0
    assert "monitor.drift" in watched.actions()
    finished = [entry for entry in watched.trail() if entry.action == "run.finished"]
    assert finished[1].details["alarms"] == ["rows target"]
    assert len(list((watched.evidence / "small" / "monitoring" / "rows").glob("profile-*.json"))) == 1


def test_a_look_that_is_made_again_counts_with_its_newest_record(watched: World) -> None:
    table(watched.root / "target-rows", 3, 0.5)
    look_at_all(watched, "scheduled__1")
    table(watched.root / "target-rows", 4)
    assert look(watched, "rows", "target")["verdict"] == "ok"
    assert summarise(watched, "scheduled__1")["alarms"] == 0


def test_what_was_not_looked_at_turns_the_run_red(watched: World) -> None:
    look(watched, "rows", "source")
    with pytest.raises(IncompleteError, match=r"rows target was not looked at \| log was not looked at"):
        summarise(watched, "scheduled__1")


def test_what_cannot_be_told_turns_it_red_where_the_spec_says_so(watched: World) -> None:
    pq.write_table(pa.table({"sequence": pa.array([], pa.int64())}), watched.root / "log" / "a.parquet")
    look_at_all(watched, "scheduled__1")
    assert summarise(watched, "scheduled__1") == {"looks": 3, "alarms": 0, "unsure": 1}
    watched.save(monitor={**watched.spec["monitor"], "fail_unsure": True})
    with pytest.raises(IncompleteError, match=r"log \(gaps\): no entries"):
        summarise(watched, "scheduled__1")


def test_a_table_that_is_gone_and_a_watch_that_is_unknown_fail_the_look(watched: World) -> None:
    (watched.root / "target-rows" / "rows.parquet").unlink()
    with pytest.raises(NotFoundError, match="HL-8901"):
        look(watched, "rows", "target")
    with pytest.raises(NotFoundError, match="HL-8930"):
        look(watched, "other", "target")
