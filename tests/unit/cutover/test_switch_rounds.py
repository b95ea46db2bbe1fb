"""Rounds of switches that are killed, stopped or interrupted at any call, while applications write."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from heavylift.cutover.api import SwitchFailedError, SwitchRequest, bring_to
from heavylift.cutover.ports import Side
from heavylift.cutover.world import observe
from heavylift.errors import HeavyliftError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore, open_evidence
from tests.support.longer import first_then_long
from tests.support.memory_schedules import MemorySchedule
from tests.support.memory_switch import Fate, KilledError, MemoryDatabase, Workload

SEEDS = range(80)
MOST_CALLS = 60


def request_of(store: EvidenceStore, workload: Workload, fate: Fate, run: str) -> SwitchRequest:
    """Return what a process of one run asks for; its clock stands still, so that no pause is too long."""
    phase = "rollback" if run.startswith("back") else "cutover"
    key = RunKey(migration="shop", phase=phase, run=run)
    return SwitchRequest(
        store, key, workload.seen_by(fate), "test", 5.0, clock=itertools.repeat(0.0).__next__
    )


async def lived(act: Coroutine[Any, Any, object]) -> str:
    """Return how a process came to its end."""
    try:
        await act
    except KilledError:
        return "killed"
    except (SwitchFailedError, HeavyliftError) as error:
        return f"failed: {error}"
    return "done"


async def one_round(store: EvidenceStore, seed: int) -> None:
    """Switch a few times to either side, harmed at random; then once without harm, and look."""
    chance = random.Random(seed)
    workload = Workload([MemoryDatabase(f"db{number}") for number in range(chance.choice((1, 2, 3)))])
    if chance.random() < 0.5:
        workload.schedules.append(MemorySchedule(cron="0 0 1 1 *"))
    writer = asyncio.create_task(workload.write())
    sleepers: list[tuple[Fate, asyncio.Task[str]]] = []
    goal, run = Side.TARGET, 0
    for _ in range(chance.randrange(1, 6)):
        fate = Fate(
            chance.choice(("kill", "stop", "error", "")),
            chance.randrange(1, MOST_CALLS),
            chance.random() < 0.5,
        )
        if chance.random() < 0.5 or run == 0:
            goal, run = chance.choice(list(Side)), run + 1
        name = f"{'back' if goal is Side.SOURCE else 'over'}-{run}"
        task = asyncio.create_task(lived(bring_to(request_of(store, workload, fate, name), goal)))
        stopped = asyncio.create_task(fate.stopped.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            sleepers.append((fate, task))
    goal = chance.choice(list(Side))
    await healthy(store, workload, goal, f"{goal}-last", seed)
    for fate, _task in sleepers:
        fate.wake.set()
    for _fate, task in sleepers:
        await task
    # One that had not even taken its turn when it was stopped was free to take a later one.
    await healthy(store, workload, goal, f"{goal}-very-last", seed)
    workload.over = True
    await writer
    await look(workload, goal, seed)


async def healthy(store: EvidenceStore, workload: Workload, goal: Side, run: str, seed: int) -> None:
    """Switch without harm."""
    ended = await lived(bring_to(request_of(store, workload, Fate(), run), goal))
    workload.over = ended != "done"
    assert ended == "done", f"seed {seed}: {run} {ended}"


async def look(workload: Workload, goal: Side, seed: int) -> None:
    """Look that everything is on one side, and nothing lost."""
    assert not any(each.torn for each in workload.databases), f"seed {seed}: both sides took writes"
    world = await observe(workload.seen_by(Fate()))
    assert world.settled_at(goal), f"seed {seed}: not all on the {goal}: {world}"
    for each in workload.schedules:
        assert not each.torn, f"seed {seed}: both sides started runs"
        runs = [side for side in Side if each.sides[side].enabled]
        assert runs == [goal], f"seed {seed}: a schedule runs on {runs}"
    assert workload.ledger, f"seed {seed}: nothing was written"
    assert workload.lost(goal) == [], f"seed {seed}: not on the {goal}"


@pytest.mark.parametrize("block", first_then_long(range(8)))
async def test_whatever_happens_to_switches_the_next_ends_on_one_side_with_everything(
    tmp_path: Path, block: int
) -> None:
    for seed in SEEDS[block::8]:
        async with open_evidence(f"file://{tmp_path}/{seed}", None) as store:
            await one_round(store, seed)


@pytest.mark.parametrize(("back", "after"), first_then_long(itertools.product([False, True], repeat=2)))
async def test_killed_at_each_call_in_turn_and_run_again(tmp_path: Path, back: bool, after: bool) -> None:
    """The same run, started again after a kill, comes to its goal: at every call that it makes."""
    goal = Side.SOURCE if back else Side.TARGET
    killed = 0
    for at in itertools.count(1):
        async with open_evidence(f"file://{tmp_path}/{at}", None) as store:
            workload = Workload([MemoryDatabase("a"), MemoryDatabase("b")])
            writer = asyncio.create_task(workload.write())
            if back:
                assert (
                    await lived(bring_to(request_of(store, workload, Fate(), "over"), goal.other)) == "done"
                )
            fate = Fate("kill", at, after)
            ended = await lived(bring_to(request_of(store, workload, fate, "back" if back else "go"), goal))
            again = await lived(bring_to(request_of(store, workload, Fate(), "back" if back else "go"), goal))
            workload.over = True
            await writer
            assert again == "done", f"call {at}"
            await look(workload, goal, at)
            if ended != "killed":
                break
            killed += 1
    assert killed > 20


@pytest.mark.parametrize(("back", "after"), first_then_long(itertools.product([False, True], repeat=2)))
async def test_an_error_at_any_call_leaves_nobody_frozen(tmp_path: Path, back: bool, after: bool) -> None:
    """Writes go on where they were, or at the goal where they went on there already."""
    goal = Side.SOURCE if back else Side.TARGET
    sides, failed = set(), 0
    for at in itertools.count(1):
        async with open_evidence(f"file://{tmp_path}/{at}", None) as store:
            workload = Workload([MemoryDatabase("a")])
            if back:
                assert (
                    await lived(bring_to(request_of(store, workload, Fate(), "over"), goal.other)) == "done"
                )
            request = request_of(store, workload, Fate("error", at, after), "back" if back else "go")
            ended = await lived(bring_to(request, goal))
            fences = workload.databases[0].fences
            taking = [side for side in Side if not fences[side].frozen]
            if ended == "done":
                break
            failed += 1
            assert taking, f"call {at}: nobody can write"
            assert len(taking) == 1 or fences[Side.TARGET].opened is None, f"call {at}"
            sides.update(taking)
    assert failed > 15
    # On the way back requests go first: once the source is open nothing is left that could fail.
    assert sides == ({goal.other} if back else set(Side))


@pytest.mark.parametrize("after", first_then_long([False, True]))
async def test_who_slept_before_opening_opens_nothing_once_writes_went_on_at_the_other_side(
    tmp_path: Path, after: bool
) -> None:
    """The next attempt fails and returns; the goal, which it never opened, has to know of it all the same."""
    for at in itertools.count(1):
        async with open_evidence(f"file://{tmp_path}/{at}", None) as store:
            workload = Workload([MemoryDatabase("a")])
            sleeper = Fate()
            task = asyncio.create_task(_stopped_before_opening(store, workload, sleeper))
            await asyncio.wait_for(sleeper.stopped.wait(), 60)
            fate = Fate("error", at, after)
            ended = await lived(bring_to(request_of(store, workload, fate, "over-2"), Side.TARGET))
            sleeper.wake.set()
            await task
            assert not workload.databases[0].torn, f"call {at}: both sides took writes"
            if ended == "done":
                break
    assert at > 10


async def _stopped_before_opening(store: EvidenceStore, workload: Workload, fate: Fate) -> None:
    """Switch, and stop where the target would be opened next."""
    request = request_of(store, workload, fate, "over-1")
    seen = request.parts.databases[0]
    unfreeze = seen.unfreeze

    async def sleeping(side: Side, *, epoch: int, other_is_shut: bool = False) -> None:
        if side is Side.TARGET:
            fate.stopped.set()
            await fate.wake.wait()
        await unfreeze(side, epoch=epoch, other_is_shut=other_is_shut)

    object.__setattr__(seen, "unfreeze", sleeping)
    await lived(bring_to(request, Side.TARGET))
