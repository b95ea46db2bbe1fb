"""A check that is stopped: it ends soon, and leaves neither threads at work nor files."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import duckdb
import pytest

from heavylift.datasets import side
from heavylift.datasets.concurrency import in_thread, map_bounded
from tests.unit.datasets.tables import Sides, table

ENDLESS = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range + b.range = 3"


async def test_a_cancelled_thread_is_waited_for() -> None:
    started, ended, release = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(60)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_cancelled_query_is_interrupted() -> None:
    engine = duckdb.connect()
    started = threading.Event()

    def work() -> None:
        started.set()
        engine.execute(ENDLESS)

    task = asyncio.create_task(in_thread(work, interrupt=engine.interrupt))
    await asyncio.to_thread(started.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(task), 60)
    engine.close()


async def test_a_cancelled_check_leaves_no_files(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    started = threading.Event()
    real = side.create_view

    def endless_view(engine: duckdb.DuckDBPyConnection, *args: object) -> object:
        real(engine, *args)  # type: ignore[arg-type]
        started.set()
        return engine.execute(ENDLESS)

    monkeypatch.setattr(side, "create_view", endless_view)
    sides.put("a.csv", b"a\n1\n")
    task = asyncio.create_task(sides.check(table("*.csv")))
    await asyncio.to_thread(started.wait, 60)
    assert list(temporary.iterdir())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(task), 60)
    assert list(temporary.iterdir()) == []


async def test_results_keep_the_order_of_the_items_and_few_run_at_once() -> None:
    running = most = 0

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return item * 2

    assert await map_bounded(range(20), work, 3) == [item * 2 for item in range(20)]
    assert most == 3


async def test_the_first_error_stops_the_rest_and_comes_out_as_itself() -> None:
    begun: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise KeyError(item)
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        await map_bounded(range(9), work, 2)
    assert len(begun) <= 3
