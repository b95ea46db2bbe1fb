"""Asks both sides the same request at the same moment, when it is due, whatever became of those before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from heavylift.cutover.canary.endpoint import Answered, Scoring
from heavylift.cutover.canary.samples import Sample
from heavylift.cutover.ports import Side

_LATE_SECONDS = 1.0
_Queue = asyncio.Queue[tuple[float, asyncio.Task[list[Sample]]] | None]
"""When each pair was due, and what brings its samples; None at the end."""


@dataclass(frozen=True)
class Pace:
    """When requests are due: independent of one another, so many a second.

    :param bodies: how many there are to choose from; each is asked as often.
    """

    rate: float
    seconds: float
    block_seconds: float
    bodies: int
    seed: int


class Prober:
    """Pairs of requests, handed out block by block in the order in which they were due.

    :param late: how many of them the client itself sent more than a second late.
    """

    def __init__(self, source: Scoring, target: Scoring, pace: Pace) -> None:
        self._sides = {Side.SOURCE: source, Side.TARGET: target}
        self._pace = pace
        self._generator = np.random.default_rng(pace.seed)
        self.late = 0

    async def blocks(self, begin: float) -> AsyncIterator[list[Sample]]:
        """Yield the samples of each block as soon as the last of them has its answer or failed.

        :param begin: of the schedule, on the monotonic clock.
        """
        queue: _Queue = asyncio.Queue()
        sending = asyncio.create_task(self._send(begin, queue))
        try:
            async for block in self._gathered(begin, queue):
                yield block
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await _cancel(queue)

    async def _gathered(self, begin: float, queue: _Queue) -> AsyncIterator[list[Sample]]:
        samples: list[Sample] = []
        number = 0
        while (entry := await queue.get()) is not None:
            due, task = entry
            place = int((due - begin) // self._pace.block_seconds)
            if place != number and samples:
                yield samples
                samples = []
            number = place
            try:
                samples.extend(await task)
            except BaseException:
                task.cancel()
                raise
        if samples:
            yield samples

    async def _send(self, begin: float, queue: _Queue) -> None:
        try:
            await self._send_all(begin, queue)
        finally:
            await queue.put(None)

    async def _send_all(self, begin: float, queue: _Queue) -> None:
        pace, due, number = self._pace, begin, 0
        order: list[int] = []
        while True:
            due += float(self._generator.exponential(1 / pace.rate))
            if due - begin >= pace.seconds:
                break
            await asyncio.sleep(max(due - time.monotonic(), 0))
            self.late += time.monotonic() - due > _LATE_SECONDS
            if not order:
                order = [int(each) for each in self._generator.permutation(pace.bodies)]
            await queue.put((due, asyncio.create_task(self._pair(number, order.pop(), due, begin))))
            number += 1

    async def _pair(self, number: int, body: int, due: float, begin: float) -> list[Sample]:
        # Who is asked first changes, so that the microseconds between the two favour neither.
        order = (Side.SOURCE, Side.TARGET) if number % 2 else (Side.TARGET, Side.SOURCE)
        answers = await asyncio.gather(*(self._sides[side].ask(body, due) for side in order))
        return [
            _sample(side, due - begin, answer, number) for side, answer in zip(order, answers, strict=True)
        ]


def _sample(side: Side, moment: float, answer: Answered, number: int) -> Sample:
    return Sample(
        side=side,
        moment=moment,
        ok=not answer.status,
        seconds=answer.seconds,
        prediction=answer.prediction,
        pair=str(number),
        status=answer.status,
    )


async def _cancel(queue: _Queue) -> None:
    left = []
    while not queue.empty():
        entry = queue.get_nowait()
        if entry is not None:
            entry[1].cancel()
            left.append(entry[1])
    await asyncio.gather(*left, return_exceptions=True)
