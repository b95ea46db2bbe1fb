"""A pause of writes whose switch has died or sleeps is noticed, and ended at one side; nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from heavylift.cutover.api import bring_to
from heavylift.cutover.pauses import GRACE_SECONDS, PauseWatch, end_if_over, end_pause
from heavylift.cutover.ports import Side
from heavylift.cutover.switch import LATE_FORWARD_SECONDS
from heavylift.cutover.world import observe
from heavylift.evidence.store import open_evidence
from tests.support.longer import first_then_long
from tests.support.memory_switch import Fate, MemoryDatabase, Workload
from tests.unit.cutover.test_switch_rounds import healthy, lived, look, request_of


@pytest.mark.parametrize(
    ("kind", "back"), first_then_long(itertools.product(["stop", "kill"], [False, True]))
)
async def test_ended_at_each_call_of_a_switch_that_is_retried_after_it(
    tmp_path: Path, kind: str, back: bool
) -> None:
    """One that was stopped wakes after that, and must change nothing for the worse."""
    goal, ended = Side.SOURCE if back else Side.TARGET, 0
    run = "back" if back else "go"
    for at in itertools.count(1):
        async with open_evidence(f"file://{tmp_path}/{at}", None) as store:
            workload = Workload([MemoryDatabase("a"), MemoryDatabase("b")])
            writer = asyncio.create_task(workload.write())
            if back:
                await healthy(store, workload, goal.other, "over", at)
            fate = Fate(kind, at, after=at % 2 == 0)
            struck = asyncio.create_task(lived(bring_to(request_of(store, workload, fate, run), goal)))
            stopped = asyncio.create_task(fate.stopped.wait())
            await asyncio.wait({struck, stopped}, return_when=asyncio.FIRST_COMPLETED)
            whole = not stopped.done() and struck.result() == "done"
            stopped.cancel()
            done = await end_pause(request_of(store, workload, Fate(), "somebody"))
            ended += done is not None
            world = await observe(workload.seen_by(Fate()))
            assert not any(stand.between for stand in world.databases.values()), f"call {at}"
            assert await end_pause(request_of(store, workload, Fate(), "somebody")) is None
            fate.wake.set()
            await struck
            await healthy(store, workload, goal, run, at)
            workload.over = True
            await writer
            await look(workload, goal, at)
        if whole:
            break
    assert ended > 5


async def test_where_somebody_can_write_or_nobody_had_a_turn_nothing_is_done(tmp_path: Path) -> None:
    async with open_evidence(f"file://{tmp_path}", None) as store:
        workload = Workload([MemoryDatabase("a")])
        request = request_of(store, workload, Fate(), "somebody")
        assert await end_pause(request) is None
        for fence in workload.databases[0].fences.values():
            fence.frozen = True
        # By hand, and not by a switch: it is not ours to open.
        assert await end_pause(request) is None
        assert await request.turns.latest() is None


async def test_a_watcher_ends_only_a_pause_of_its_own_run_that_is_over(tmp_path: Path) -> None:
    async with open_evidence(f"file://{tmp_path}", None) as store:
        workload = Workload([MemoryDatabase("a")])
        own, now = request_of(store, workload, Fate(), "go"), 0.0
        await bring_to(own, Side.TARGET)
        other = request_of(store, workload, Fate(), "later")
        watches = {key: PauseWatch(own.max_write_pause, clock=lambda: now) for key in ("own", "other")}
        for fence in workload.databases[0].fences.values():
            fence.frozen = True
        for late in (False, True):
            now = own.max_write_pause + GRACE_SECONDS + 0.1 if late else 0.0
            # Nobody holds a turn for this run: what is frozen is not its own.
            assert await end_if_over(other, watches["other"]) is None
            done = await end_if_over(own, watches["own"])
            assert (done is not None) is late
        assert await end_if_over(own, watches["own"]) is None


async def test_a_pause_is_too_long_only_beyond_what_a_switch_that_lives_would_need() -> None:
    now = 100.0
    workload = Workload([MemoryDatabase("a"), MemoryDatabase("b")])
    watch = PauseWatch(5.0, clock=lambda: now)

    async def is_over(later: float) -> bool:
        nonlocal now
        now += later
        return watch.is_over(await observe(workload.seen_by(Fate())))

    def freeze(*which: int) -> None:
        for number, database in enumerate(workload.databases):
            for fence in database.fences.values():
                fence.frozen = number in which

    assert not await is_over(1000.0)
    freeze(0, 1)
    assert not await is_over(0.0)
    assert not await is_over(5.0 + GRACE_SECONDS)
    assert await is_over(0.1)
    # Somebody could write in between: the count begins anew.
    freeze()
    assert not await is_over(1.0)
    freeze(0, 1)
    assert not await is_over(14.0)
    # A later attempt has its own time.
    workload.databases[0].fences[Side.TARGET].epoch = 2
    assert not await is_over(14.0)
    assert not await is_over(14.0)
    assert await is_over(2.0)
    # Where one was opened already, the other may follow late.
    freeze()
    assert not await is_over(1.0)
    freeze(0)
    assert not await is_over(1.0)
    assert not await is_over(LATE_FORWARD_SECONDS + GRACE_SECONDS)
    assert await is_over(0.1)
