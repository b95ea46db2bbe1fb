"""Two runs that would write to one place: the second is refused, and goes on once the first has ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import TransientError
from heavylift.evidence import turns
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from tests.support.isolated import REPOSITORY

RUN = RunKey(migration="m", phase="registry", run="r1")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


async def held(folder: Path, place: str = "there", lost: Any = None, **more: Any) -> None:
    async with (
        open_evidence(folder.as_uri(), None) as store,
        turns.turn(store, RUN, place, lost or (lambda: None), **more),
    ):
        pass


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    async def two() -> None:
        async with open_evidence(tmp_path.as_uri(), None) as store:
            async with turns.turn(store, RUN, "there", lambda: None):
                with pytest.raises(TransientError, match="HL-9530"):
                    await held(tmp_path)
                await held(tmp_path, "elsewhere")
            await held(tmp_path)

    run(two())
    run(held(tmp_path))


def test_of_two_that_come_at_once_one_gets_the_turn(tmp_path: Path) -> None:
    async def many() -> list[object]:
        async def one(number: int) -> object:
            async with AsyncExitStack() as stack:
                store = await stack.enter_async_context(open_evidence(tmp_path.as_uri(), None))
                try:
                    await stack.enter_async_context(turns.turn(store, RUN, "there", lambda: None))
                except TransientError as error:
                    return error.code
                await everybody.wait()
                return number

        everybody = asyncio.Event()
        tasks = [asyncio.ensure_future(one(number)) for number in range(5)]
        done = 0
        while done < 4:
            await asyncio.sleep(0)
            done = sum(task.done() for task in tasks)
        everybody.set()
        return await asyncio.gather(*tasks)

    found = run(many())
    assert sorted(map(str, found))[1:] == ["9530"] * 4


HOLDER = """
import asyncio, sys
from heavylift.evidence import turns
from heavylift.evidence.store import open_evidence
from tests.unit.evidence.test_turns import RUN
async def hold():
    async with open_evidence(sys.argv[1], None) as store, turns.turn(store, RUN, "there", lambda: None):
        print("held", flush=True)
        await asyncio.Event().wait()
asyncio.run(hold())
"""


def test_a_run_that_was_killed_on_this_machine_lets_go_at_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path.as_uri()],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}"},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(TransientError, match="HL-9530"):
            run(held(tmp_path))
    finally:
        process.kill()
        process.communicate()
    run(held(tmp_path))


def test_one_that_was_killed_elsewhere_lets_go_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left() -> None:
        async with open_evidence(tmp_path.as_uri(), None) as store:
            holder = turns._Holder(store, RUN, "there", timedelta(minutes=10))
            monkeypatch.setattr("socket.gethostname", lambda: "another")
            await holder.take()
            monkeypatch.undo()

    run(left())
    with pytest.raises(TransientError, match="HL-9530"):
        run(held(tmp_path))
    later = turns.utc_now() + timedelta(minutes=11)
    monkeypatch.setattr(turns, "utc_now", lambda: later)
    run(held(tmp_path))


def test_a_turn_that_was_taken_away_stops_its_holder(tmp_path: Path) -> None:
    async def robbed() -> bool:
        lost = asyncio.Event()
        async with open_evidence(tmp_path.as_uri(), None) as store:
            holder = turns._Holder(store, RUN, "there", timedelta(seconds=0.06))
            await holder.take()
            other = turns._Holder(store, RUN, "there", timedelta(minutes=1))
            other._number = 1
            await other._say()
            await asyncio.wait_for(holder.keep(lost.set), 20)
        return lost.is_set()

    assert run(robbed())
