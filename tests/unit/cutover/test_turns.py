"""Turns: one at a time, in order, and over for good once another has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from heavylift.cutover.ports import Side
from heavylift.cutover.turns import Turns
from heavylift.errors import ConflictError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore, open_evidence

TARGET, SOURCE = Side.TARGET, Side.SOURCE


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[EvidenceStore]:
    async with open_evidence(f"file://{tmp_path}/evidence", None) as opened:
        yield opened


def run(name: str) -> RunKey:
    return RunKey(migration="shop", phase="cutover", run=name)


async def test_a_run_keeps_its_turn_until_it_asks_for_a_fresh_one(store: EvidenceStore) -> None:
    turns = Turns(store, "shop")
    first = await turns.take(run("a"), TARGET, "mary")
    assert await turns.take(run("a"), TARGET, "mary") == first
    fresh = await turns.take(run("a"), TARGET, "mary", fresh=True)
    assert (first.number, first.epoch, fresh.number, fresh.epoch) == (1, 1, 2, 2)
    with pytest.raises(ConflictError, match="HL-8701"):
        await turns.demand(first)
    await turns.demand(fresh)


async def test_epochs_begin_above_what_the_world_has_seen(store: EvidenceStore) -> None:
    turns = Turns(store, "shop")
    assert (await turns.take(run("a"), TARGET, "mary", seen=41)).epoch == 42
    assert (await turns.take(run("b"), SOURCE, "joe", seen=3)).epoch == 43


async def test_a_run_whose_turn_was_ended_gets_none_again(store: EvidenceStore) -> None:
    turns = Turns(store, "shop")
    await turns.take(run("a"), TARGET, "mary")
    await turns.take(run("b"), SOURCE, "joe")
    with pytest.raises(ConflictError, match=r"turn 2, which joe took .* for the source.*HL-8703"):
        await turns.take(run("a"), TARGET, "mary", fresh=True)
    latest = await turns.latest()
    assert latest is not None
    assert (latest.run, latest.goal) == (run("b"), "source")


async def test_of_many_that_ask_at_once_each_gets_a_turn_of_its_own(store: EvidenceStore) -> None:
    turns = Turns(store, "shop")
    taken = await asyncio.gather(*(turns.take(run(f"r{n}"), TARGET, "mary") for n in range(8)))
    assert sorted(each.epoch for each in taken) == list(range(1, 9))
