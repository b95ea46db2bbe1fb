"""What a switch does while a server does not answer, for a moment or for good."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from heavylift.cutover import patience
from heavylift.cutover.api import SwitchFailedError, SwitchRequest, bring_to
from heavylift.cutover.ports import DatabasePort, Side, TrafficPort
from heavylift.cutover.world import Parts
from heavylift.errors import TransientError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.switch_records import SwitchRecord
from tests.support.memory_switch import Fate, MemoryDatabase, Workload

SOURCE, TARGET = Side.SOURCE, Side.TARGET
Failing = Callable[[str, tuple[Any, ...]], bool]
"""Tells of a call, by its name and arguments, whether it gets no answer."""


@dataclass(frozen=True)
class Unreliable:
    """A port some of whose calls get no answer."""

    port: Any
    fails: Failing

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.port, name)
        if not callable(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            if self.fails(name, (*arguments, *named.items())):
                raise TransientError("a call in memory", got="no answer", code="0000")
            return await found(*arguments, **named)

        return call


@dataclass
class Switching:
    """A workload, and a process that switches it."""

    store: EvidenceStore
    workload: Workload

    async def to_target(self, database: Failing, writers: Failing = lambda *_: False) -> SwitchRecord:
        seen = self.workload.seen_by(Fate())
        parts = Parts(
            [cast("DatabasePort", Unreliable(seen.databases[0], database))],
            seen.requests,
            cast("TrafficPort", Unreliable(seen.writers, writers)),
        )
        run = RunKey(migration="shop", phase="cutover", run="over")
        return (await bring_to(SwitchRequest(self.store, run, parts, "test", 5.0), TARGET))[0]

    def is_open(self, side: Side) -> bool:
        return not self.workload.databases[0].fences[side].frozen


@pytest_asyncio.fixture
async def switching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Switching]:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.5)
    async with open_evidence(f"file://{tmp_path}/evidence", None) as store:
        yield Switching(store, Workload([MemoryDatabase("a")]))


def first(count: int, of: Failing) -> Failing:
    """Return what fails so many times, and then no more."""
    left = [count]

    def fails(name: str, arguments: tuple[Any, ...]) -> bool:
        if not left[0] or not of(name, arguments):
            return False
        left[0] -= 1
        return True

    return fails


async def test_a_target_that_starts_again_while_it_is_opened_is_waited_for(switching: Switching) -> None:
    opening = first(2, lambda name, asked: name == "unfreeze" and asked[0] is TARGET)
    assert (await switching.to_target(opening)).outcome == "switched"
    assert switching.is_open(TARGET)


async def test_a_source_that_died_once_everything_had_arrived_holds_nothing_up(switching: Switching) -> None:
    """It was frozen: its death is no reason to keep writes paused."""

    done = set[str]()

    def fails(name: str, asked: tuple[Any, ...]) -> bool:
        arrived = {"verify", "prepare_way_back"} <= done
        done.add(name)
        asks_source = SOURCE in asked or (name == "unfreeze" and ("other_is_shut", True) not in asked)
        return arrived and not switching.is_open(TARGET) and asks_source

    assert (await switching.to_target(fails)).outcome == "switched"


async def test_a_target_that_died_before_it_was_opened_lets_writes_go_on_at_the_source(
    switching: Switching,
) -> None:
    dead = list[str]()

    def fails(name: str, asked: tuple[Any, ...]) -> bool:
        if switching.workload.writers.target_percent == 100:
            dead.append(name)
        return bool(dead) and TARGET in asked

    with pytest.raises(SwitchFailedError) as failed:
        await switching.to_target(fails)
    assert failed.value.record.outcome == "returned"
    assert (switching.is_open(SOURCE), switching.is_open(TARGET)) == (True, False)
    assert switching.workload.writers.target_percent == 0


async def test_a_route_that_does_not_answer_keeps_no_database_shut(switching: Switching) -> None:
    with pytest.raises(SwitchFailedError) as failed:
        await switching.to_target(lambda *_: False, lambda name, _asked: name == "shift")
    assert switching.is_open(SOURCE)
    assert failed.value.record.outcome == "between"


async def test_a_source_that_starts_again_is_opened_when_it_has(switching: Switching) -> None:
    """The attempt has failed, and the source with it: it would stay frozen if nobody waited."""
    opening = first(2, lambda name, asked: name == "unfreeze" and asked[0] is SOURCE)
    differs = first(1, lambda name, _asked: name == "verify")
    with pytest.raises(SwitchFailedError) as failed:
        await switching.to_target(lambda name, asked: opening(name, asked) or differs(name, asked))
    assert failed.value.record.outcome == "returned"
    assert switching.is_open(SOURCE)


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
    tries = list[int]()

    async def act() -> None:
        tries.append(1)
        raise TransientError("a call in memory", got="no answer", code="0000")

    with pytest.raises(TransientError):
        await patience.patiently(act)
    assert len(tries) == 2
