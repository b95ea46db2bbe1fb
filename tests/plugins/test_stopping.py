"""Being stopped: soon, resumable, and said so; and the progress told meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from dataclasses import replace
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.comms import ErrorResponse

from heavylift.errors import TransientError
from heavylift.objects.api import Progress
from heavylift_airflow.progress import (
    ProgressReporter,
    human_size,
    progress_line,
    state_store_of,
)
from heavylift_airflow.working import StoppableWork
from tests.plugins.test_transfer_operators import copy_task, execute, plan_task, verify_task
from tests.plugins.world import World, context_of


def test_a_signal_stops_the_work_soon_and_says_it_may_be_repeated() -> None:
    work = StoppableWork()
    started = threading.Event()
    cleaned: list[bool] = []

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    def send_signal() -> None:
        started.wait()
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: work.stop())
    threading.Thread(target=send_signal).start()
    try:
        with pytest.raises(TransientError, match=r"copy failed: got a request to stop.*safe.*HL-8003"):
            work.run(endless(), "copy")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert cleaned == [True]


def test_work_that_was_stopped_before_it_began_does_not_begin() -> None:
    work = StoppableWork()
    work.stop()
    begun: list[bool] = []

    async def begin() -> None:
        begun.append(True)

    with pytest.raises(TransientError):
        work.run(begin(), "copy")
    assert begun == []


def test_stopping_finished_work_does_no_harm() -> None:
    work = StoppableWork()

    async def two() -> int:
        return 2

    assert work.run(two(), "sum") == 2
    work.stop()


def test_a_copy_that_is_stopped_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the copy while its second object is being read; the next attempt does the rest."""
    from heavylift.objects import copy as copying

    shard = execute(plan_task(world), shard_objects=100)[0]
    task = copy_task(world, shard)
    original = copying.copy_object
    seen: list[str] = []

    async def stop_at_second(copier: Any, row: Any) -> Any:
        seen.append(row.rel)
        if len(seen) == 2:
            task.on_kill()
            await asyncio.Event().wait()
        return await original(copier, row)

    world.save(defaults={"limits": {"max_concurrency": 1}})
    monkeypatch.setattr(copying, "copy_object", stop_at_second)
    with pytest.raises(TransientError, match="HL-8003"):
        execute(task)
    monkeypatch.setattr(copying, "copy_object", original)
    again = execute(copy_task(world, shard), attempt=2)
    assert (again["moved"], again["unchanged"]) == (4, 1)
    assert execute(verify_task(world))["passed"] is True


class Lines:
    """Takes what would be logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, *args: object) -> None:
        self.lines.append(event % args)


def progress(done: int, seconds_left: float | None = 75) -> Progress:
    return Progress(
        objects_done=done,
        objects_total=1000,
        bytes_done=done * 2**20,
        bytes_total=1000 * 2**20,
        bytes_per_second=12.5 * 2**20,
        seconds_left=seconds_left,
    )


def test_progress_is_told_every_few_seconds_and_not_more_often() -> None:
    lines, now = Lines(), [0.0]
    reporter = ProgressReporter(lines, {"dataset": "d"}, clock=lambda: now[0], every_seconds=5)
    for second in range(1, 13):
        now[0] = second
        reporter(progress(second))
    assert len(lines.lines) == 2


def test_a_line_tells_done_total_rate_and_time_left() -> None:
    line = progress_line(progress(250))
    assert line == "copied 250 of 1,000 objects, 250.0 MiB of 1000.0 MiB, 12.5 MiB/s, 1m 15s left"
    assert progress_line(progress(0, seconds_left=None)).endswith("12.5 MiB/s")
    assert progress_line(progress(1, seconds_left=7300)).endswith("2h 01m left")
    pressed = replace(progress(1), objects_per_second=1234.5, throttled=7, concurrency=4)
    assert progress_line(pressed).endswith(
        "12.5 MiB/s, 1,234 objects/s, 1m 15s left, throttled 7 times (now at 4 requests at once)"
    )


def test_progress_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.observability import stats

    gauges: dict[str, Any] = {}
    monkeypatch.setattr(stats, "gauge", lambda name, value, tags: gauges.update({name: (value, tags)}))
    reporter = ProgressReporter(Lines(), {"dataset": "d"}, every_seconds=0)
    reporter(replace(progress(3), throttled=2, concurrency=5))
    assert gauges["heavylift.copy.throttled"][0] == 2
    assert gauges["heavylift.copy.concurrency"][0] == 5
    assert gauges["heavylift.copy.seconds_left"][0] == 75
    assert gauges["heavylift.copy.objects_done"] == (3, {"dataset": "d"})
    assert gauges["heavylift.copy.bytes_done"][0] == 3 * 2**20
    assert "heavylift.copy.bytes_per_second" in gauges


def test_progress_is_kept_where_the_ui_shows_it_and_losing_it_stops_nothing() -> None:
    kept: dict[str, Any] = {}

    class StateStore:
        def set(self, key: str, value: Any) -> None:
            if value["objects_done"] > 3:
                raise AirflowRuntimeError(ErrorResponse())
            kept[key] = json.loads(json.dumps(value))

    lines = Lines()
    context: Any = {"task_state_store": StateStore()}
    reporter = ProgressReporter(lines, {}, store=state_store_of(context, lines), every_seconds=0)
    reporter(progress(3))
    reporter(progress(4))
    assert (kept["progress"]["objects_done"], kept["progress"]["objects_total"]) == (3, 1000)
    assert "could not be shown" in lines.lines[-1]
    assert state_store_of(cast("Any", {}), lines) is None


def test_sizes_are_written_for_people() -> None:
    assert [human_size(n) for n in (0, 1023, 1536, 5 * 2**30, 2**50)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "1,024.0 TiB",
    ]


def test_the_context_helper_refuses_what_could_not_travel() -> None:
    task_context = context_of(type("Task", (), {"task_id": "t"})())
    with pytest.raises(TypeError):
        task_context["ti"].xcom_push("x", b"bytes")
