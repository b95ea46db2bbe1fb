"""Feeds an analysis from all its sources at once, until it has decided or its time is over."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from heavylift.cutover.canary.analysis import SequentialAnalysis, Verdict
from heavylift.cutover.canary.business import BusinessReader
from heavylift.cutover.canary.live import Counters
from heavylift.cutover.canary.ports import LiveFigures
from heavylift.cutover.canary.probing import Prober
from heavylift.cutover.canary.requests import CanaryRequest
from heavylift.cutover.canary.samples import Block, Crowd, Sample
from heavylift.cutover.ports import Side
from heavylift.errors import HeavyliftError, TransientError

Look = Callable[[], Awaitable[None]]


@dataclass
class Tally:
    """What came in, apart from the evidence.

    :param statuses: of each side's paired requests.
    :param live: requests and errors of each side's live traffic.
    :param missed: source and kind of failure → how often it told nothing.
    """

    statuses: dict[Side, Counter[str]] = field(default_factory=lambda: {side: Counter() for side in Side})
    live: dict[Side, list[int]] = field(default_factory=lambda: {side: [0, 0] for side in Side})
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, samples: list[Sample]) -> None:
        """Count paired requests."""
        for each in samples:
            self.statuses[each.side][each.status] += 1

    def add_crowd(self, block: Crowd) -> None:
        """Count live requests."""
        for side, crowd in ((Side.SOURCE, block.source), (Side.TARGET, block.target)):
            self.live[side][0] += crowd.requests
            self.live[side][1] += crowd.errors


@dataclass
class Sources:
    """Where samples come from; what is None is not watched."""

    prober: Prober | None = None
    live: LiveFigures | None = None
    business: BusinessReader | None = None
    business_every: float = 60.0


class Watch:
    """One stretch of watching.

    :param look: called after each of the request's ``look_seconds``: writes down what is known.
    """

    def __init__(
        self,
        analysis: SequentialAnalysis,
        sources: Sources,
        tally: Tally,
        request: CanaryRequest,
        look: Look,
    ) -> None:
        self._analysis, self._sources, self._tally = analysis, sources, tally
        self._look, self._look_seconds = look, request.look_seconds
        self._at_least = request.at_least_seconds
        self._over = asyncio.Event()
        self._counters = Counters()
        self._begin = 0.0

    async def run(self, seconds: float) -> None:
        """Watch until the verdict is final or the time is over.

        :raises HeavyliftError: evidence can't be written, or a source fails for good.
        """
        self._begin = time.monotonic()
        sources = self._sources
        async with asyncio.TaskGroup() as group:
            every = self._analysis.limits.block_seconds
            tasks = [group.create_task(self._repeat(self._look_seconds, self._look))]
            if sources.live is not None:
                tasks.append(group.create_task(self._repeat(every, partial(self._read_live, sources.live))))
            if sources.business is not None:
                read = partial(self._read_business, sources.business)
                tasks.append(group.create_task(self._repeat(sources.business_every, read)))
            if sources.prober is not None:
                tasks.append(group.create_task(self._probe(sources.prober)))
            try:
                async with asyncio.timeout(seconds):
                    await self._over.wait()
            except TimeoutError:
                pass  # the time is over: what is known by now is the result
            for task in tasks:
                task.cancel()

    def _feed(self, block: Block) -> None:
        if self._over.is_set():
            return
        self._analysis.feed_block(block)
        self._decide()

    def _decide(self) -> None:
        verdict, final = self._analysis.decision()
        early = time.monotonic() - self._begin < self._at_least
        if final and not (early and verdict is Verdict.PROMOTE):
            self._over.set()

    async def _probe(self, prober: Prober) -> None:
        async for samples in prober.blocks(self._begin):
            if self._over.is_set():
                return
            self._tally.add(samples)
            self._analysis.feed(samples)
            self._decide()

    async def _repeat(self, every: float, act: Callable[[], Awaitable[None]]) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            await act()
            # What took longer than a turn leaves the missed turns out.
            number = max(number, int((time.monotonic() - self._begin) // every) + 1)
            try:
                async with asyncio.timeout(max(self._begin + number * every - time.monotonic(), 0)):
                    await self._over.wait()
            except TimeoutError:
                continue

    async def _read_live(self, live: LiveFigures) -> None:
        try:
            reading = await live.observe()
        except TransientError as error:
            self._tally.missed[f"live: {type(error).__name__}"] += 1
            return
        block = self._counters.block(time.monotonic() - self._begin, reading)
        if block is not None:
            self._tally.add_crowd(block)
            self._feed(block)

    async def _read_business(self, business: BusinessReader) -> None:
        try:
            block = await business.read(time.monotonic() - self._begin, time.time())
        except HeavyliftError as error:
            self._tally.missed[f"business: HL-{error.code}"] += 1
            return
        self._feed(block)
