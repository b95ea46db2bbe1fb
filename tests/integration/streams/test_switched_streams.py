"""Streams that are switched while a producer writes, there, back and there again: none lost, none doubled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from heavylift.cutover.api import SwitchFailedError, SwitchRequest, bring_to, rehearse_switch
from heavylift.cutover.finalise import FinalTerms, finalise
from heavylift.cutover.ports import Side
from heavylift.cutover.world import Parts, observe
from heavylift.errors import ConflictError, PermanentError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import SwitchRecord
from heavylift.streams.api import fence_producers, live_request, mirror_stream, producers_state
from heavylift.streams.kafka.fence import fence_topic_name
from heavylift.streams.requests import FenceOptions, StreamRequest
from heavylift.switching.streams import SwitchedStream
from tests.integration.streams.brokers import Brokers
from tests.integration.streams.test_groups import commit, committed
from tests.support.marked_producer import MarkedProducer

SOURCE, TARGET = Side.SOURCE, Side.TARGET
PAUSE = 60.0
"""Seconds: how long it takes is told by the documentation, not here."""


class Workload:
    """A topic that a producer fills on whichever side lets it, and the acts of its switch."""

    def __init__(self, brokers: Brokers, groups: tuple[str, ...] = ("none-*",)) -> None:
        self.brokers = brokers
        brokers.make("source", 2)
        self.told: list[str] = []
        self.pause = PAUSE
        fence = FenceOptions("marker", settle_seconds=0.5)
        self.request: StreamRequest = replace(brokers.request(consumer_groups=groups), fence=fence)
        name = fence_topic_name("m", brokers.mark)
        self.producer = MarkedProducer(
            (brokers.address("source"), brokers.address("target")), brokers.topic, name
        )

    @property
    def parts(self) -> Parts:
        """A process of its own: it remembers nothing."""
        return Parts([SwitchedStream(self.request, self.told.append)])

    @property
    def live(self) -> StreamRequest:
        """As a run of the sync asks."""
        return replace(self.request, fence=replace(self.request.fence, switched=True))

    async def in_a_process(self, side: Side, run: str) -> asyncio.subprocess.Process:
        """Begin a switch in a process of its own."""
        given = {
            "env": self.brokers.env,
            "folder": str(self.brokers.folder),
            "mark": self.brokers.mark,
            "side": side.value,
            "run": run,
        }
        path = os.pathsep.join(("include", "."))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.stream_switch_worker",
            json.dumps(given),
            env={**os.environ, "PYTHONPATH": path},
            stderr=asyncio.subprocess.DEVNULL,
        )

    def asked(self, store: object, run: str) -> SwitchRequest:
        phase = "rollback" if run.startswith("back") else "cutover"
        key = RunKey(migration="m", phase=phase, run=run)
        return SwitchRequest(store, key, self.parts, "test", self.pause)  # type: ignore[arg-type]

    async def bring_to(self, side: Side, run: str) -> SwitchRecord:
        async with open_evidence(self.request.evidence_url, None) as store:
            return (await bring_to(self.asked(store, run), side))[0]

    async def more(self, side: int, count: int = 40) -> None:
        """Wait until the producer has written some more to a side."""

        def written() -> int:
            return sum(each == side for each in list(self.producer.acknowledged.values()))

        wanted = written() + count
        async with asyncio.timeout(60):
            while written() < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # a thread's work tells no event

    def numbers(self, side: str) -> Counter[int]:
        """Return how often each number lies on a side."""
        return Counter(int(row[1] or b"") for rows in self.brokers.rows(side, 2) for row in rows)

    def on(self, side: int) -> int:
        return sum(each == side for each in self.producer.acknowledged.values())


@pytest.fixture
def workload(brokers: Brokers) -> Iterator[Workload]:
    made = Workload(brokers)
    made.producer.start()
    try:
        yield made
    finally:
        made.producer.stop()


async def test_there_and_back_under_a_producer(workload: Workload) -> None:
    await workload.more(0)
    await mirror_stream(workload.request)
    over = await workload.bring_to(TARGET, "over")
    assert (over.outcome, over.proofs[0].equal) == ("switched", True)
    await workload.more(1)
    back = await workload.bring_to(SOURCE, "back")
    assert back.outcome == "switched"
    await workload.more(0)
    workload.producer.stop()
    once = Counter(dict.fromkeys(workload.producer.acknowledged, 1))
    assert workload.numbers("source") == once
    assert workload.numbers("target") < once


@pytest.mark.long
async def test_again_and_again_nothing_goes_in_circles(workload: Workload) -> None:
    await mirror_stream(workload.request)
    for number in range(3):
        await workload.more(0)
        assert (await workload.bring_to(TARGET, f"over-{number}")).outcome == "switched"
        await workload.more(1)
        assert (await workload.bring_to(SOURCE, f"back-{number}")).outcome == "switched"
    assert (await workload.bring_to(TARGET, "over-last")).outcome == "switched"
    await workload.more(1)
    again = await workload.bring_to(TARGET, "over-last")
    assert again.outcome == "already"
    workload.producer.stop()
    assert workload.numbers("target") == Counter(dict.fromkeys(workload.producer.acknowledged, 1))


async def test_consumers_go_on_where_they_were_on_either_side(brokers: Brokers) -> None:
    group = f"billing-{brokers.mark}"
    quiet = Workload(brokers, (group,))
    brokers.fill("source", 200, partitions=2)
    await mirror_stream(quiet.request)
    commit(brokers, "source", group, {0: 40, 1: 100})
    assert (await quiet.bring_to(TARGET, "over")).outcome == "switched"
    source, target = brokers.rows("source", 2), brokers.rows("target", 2)
    there = committed(brokers, "target", group)
    assert target[0][there[0] :] == source[0][40:]
    # On the target it reads what the source had, and part of what comes after.
    brokers.fill("target", 60, partitions=2, seed=7)
    commit(brokers, "target", group, {0: 115, 1: 70})
    assert (await quiet.bring_to(SOURCE, "back")).outcome == "switched"
    assert brokers.rows("source", 2) == brokers.rows("target", 2)
    # What it had read before it left is behind that place in one partition, and ahead of it in the other.
    assert committed(brokers, "source", group) == {0: 115, 1: 100}
    assert any("1 of 2 positions" in line or "2 of 2 positions" in line for line in quiet.told)


async def test_a_producer_that_writes_past_the_fence_is_found_before_anything_is_opened(
    brokers: Brokers,
) -> None:
    quiet = Workload(brokers)
    brokers.fill("source", 20, partitions=2)
    await mirror_stream(quiet.request)
    over = asyncio.Event()

    async def past_the_fence() -> None:
        number = 0
        while not over.is_set():
            await asyncio.to_thread(brokers.fill, "source", 2, partitions=2, seed=number)
            number += 1

    writing = asyncio.create_task(past_the_fence())
    quiet.pause = 8.0
    try:
        with pytest.raises(SwitchFailedError) as failed:
            await quiet.bring_to(TARGET, "over")
    finally:
        over.set()
        await writing
    assert failed.value.record.outcome == "returned"
    assert not (await producers_state(quiet.request, SOURCE)).is_frozen
    assert (await producers_state(quiet.request, TARGET)).is_frozen


async def test_a_rehearsal_pauses_nobody_and_a_turn_that_is_over_changes_nothing(workload: Workload) -> None:
    await workload.more(0)
    await mirror_stream(workload.request)
    async with open_evidence(workload.request.evidence_url, None) as store:
        record, _ref = await rehearse_switch(workload.asked(store, "try"))
    assert record.passed, record.reason
    assert not (await producers_state(workload.request, SOURCE)).is_frozen
    assert (await producers_state(workload.request, TARGET)).is_frozen
    await workload.more(0)
    await fence_producers(workload.request, SOURCE, 50, frozen=False)
    with pytest.raises(ConflictError, match="HL-8701"):
        await fence_producers(workload.request, SOURCE, 49, frozen=True)
    assert not (await producers_state(workload.request, SOURCE)).is_frozen


async def test_after_the_end_nothing_flows_and_nothing_is_rolled_back(brokers: Brokers) -> None:
    quiet = Workload(brokers)
    brokers.fill("source", 20, partitions=2)
    await mirror_stream(quiet.request)
    await quiet.bring_to(TARGET, "over")
    live = await live_request(quiet.live)
    assert live.source == quiet.request.target
    async with open_evidence(quiet.request.evidence_url, None) as store:
        await finalise(quiet.asked(store, "final"), FinalTerms(timedelta(days=1), early=True))
    with pytest.raises(PermanentError, match="HL-8706"):
        await quiet.bring_to(SOURCE, "back")
    with pytest.raises(PermanentError, match="HL-9631"):
        await mirror_stream(live)
    assert (await producers_state(quiet.request, SOURCE)).is_frozen


@pytest.mark.long
async def test_a_switch_that_is_killed_at_any_moment_is_followed_by_one_that_ends(workload: Workload) -> None:
    """Each round a process is killed with -9 somewhere on its way; the next one has to come to its end."""
    await mirror_stream(workload.request)
    chance = random.Random(1)
    for number in range(6):
        side = TARGET if number % 2 == 0 else SOURCE
        await workload.more(0 if side is TARGET else 1, 5)
        process = await workload.in_a_process(side, f"{'back' if side is SOURCE else 'over'}-{number}")
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(1.5, 14.0)):
                await process.wait()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for tries in range(3):
            run = f"{'back' if side is SOURCE else 'over'}-{number}-{tries}"
            with suppress(SwitchFailedError):
                await workload.bring_to(side, run)
                break
        else:
            raise AssertionError(f"round {number}: no switch to the {side} came to its end")
        assert (await observe(workload.parts)).settled_at(side)
        await workload.more(1 if side is TARGET else 0, 5)
    workload.producer.stop()
    assert workload.numbers("source") == Counter(dict.fromkeys(workload.producer.acknowledged, 1))
