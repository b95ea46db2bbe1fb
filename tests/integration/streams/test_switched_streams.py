"""Streams that are switched while a producer writes, there, back and there again: none lost, none doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.cutover.ports import Side
from heavylift.cutover.world import Parts
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import SwitchRecord
from heavylift.streams.api import mirror_stream
from heavylift.streams.kafka.fence import fence_topic_name
from heavylift.streams.requests import FenceOptions, StreamRequest
from heavylift.switching.streams import SwitchedStream
from tests.integration.streams.brokers import Brokers
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

    def asked(self, store: object, run: str) -> SwitchRequest:
        phase = "rollback" if run.startswith("back") else "cutover"
        key = RunKey(migration="m", phase=phase, run=run)
        return SwitchRequest(store, key, self.parts, "test", PAUSE)  # type: ignore[arg-type]

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


async def test_there_and_back_and_there_again_under_a_producer(workload: Workload) -> None:
    await workload.more(0)
    await mirror_stream(workload.request)
    over = await workload.bring_to(TARGET, "over")
    assert (over.outcome, over.proofs[0].equal) == ("switched", True)
    await workload.more(1)
    back = await workload.bring_to(SOURCE, "back")
    assert back.outcome == "switched"
    await workload.more(0)
    assert (await workload.bring_to(TARGET, "again")).outcome == "switched"
    await workload.more(1)
    assert (await workload.bring_to(SOURCE, "back-again")).outcome == "switched"
    workload.producer.stop()
    ledger = workload.producer.acknowledged
    once = Counter(dict.fromkeys(ledger, 1))
    assert workload.numbers("source") == once
    print(
        "pauses", over.write_pause_seconds, back.write_pause_seconds, len(ledger), workload.on(1), over.steps
    )
