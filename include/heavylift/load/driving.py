"""Sends requests when they are due, whatever became of those before: an open loop.

A closed loop waits for an answer before it asks again, so that one long stall delays, and hides, all requests
that would have come meanwhile. Here the moment at which a request is due is fixed beforehand and its latency
counts from then: the wait for a free connection and the client's own lateness are in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from heavylift.load.schedule import Due


class NoAnswerError(Exception):
    """A request got no usable answer; the text is the kind of error it counts as."""


class Sender(Protocol):
    """Sends one request, once."""

    async def send(self, body: int) -> int:
        """Return the answer's HTTP status, when the answer is whole.

        :raises NoAnswerError: there was none.
        """
        ...


@dataclass(slots=True)
class Outcome:
    """What became of one request; moments are the clock's.

    :param began: when the client turned to it; ``sent`` when a connection was free, None where none ever was.
    :param done: when its answer was whole, or it had failed; None where it was never sent.
    :param error: empty where the answer was good.
    """

    due: float
    began: float | None = None
    sent: float | None = None
    done: float | None = None
    error: str = ""

    @property
    def latency(self) -> float | None:
        """Seconds from the moment it was due to a good answer."""
        return None if self.done is None or self.error else self.done - self.due


@dataclass
class Limits:
    """What bounds a step.

    :param most_errors: the step is stopped when there are more.
    :param judge: told of each request that has ended; the word that it returns stops the step.
    """

    connections: int
    timeout_seconds: float
    waiting_seconds: float
    most_errors: int
    judge: Callable[[Outcome], str] | None = None


@dataclass
class Drive:
    """One run over a schedule.

    :param stopped: why not all requests were sent: ``errors``, ``connections``, or the word of a judge; empty
        where all were.
    """

    outcomes: list[Outcome]
    stopped: str = ""
    most_waiting: int = 0
    errors: int = field(default=0, repr=False)


async def drive(
    sender: Sender, due: Sequence[Due], limits: Limits, clock: Callable[[], float] = time.monotonic
) -> Drive:
    """Send all requests when they are due, and wait until each has its answer or its time is over."""
    return await _Driver(sender, limits, clock).run(due)


class _Driver:
    def __init__(self, sender: Sender, limits: Limits, clock: Callable[[], float]) -> None:
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._free = asyncio.Semaphore(limits.connections)
        self._waiting = 0
        self._drive = Drive([])
        self._stop = asyncio.Event()

    async def run(self, due: Sequence[Due]) -> Drive:
        begin = self._clock()
        drive = self._drive
        drive.outcomes = [Outcome(begin + each.at) for each in due]
        async with asyncio.TaskGroup() as group:
            for each, outcome in zip(due, drive.outcomes, strict=True):
                if not await self._until(outcome.due):
                    break
                outcome.began = self._clock()
                group.create_task(self._one(each.body, outcome))
        return drive

    async def _until(self, moment: float) -> bool:
        """Wait for a moment; False as soon as the step is stopped."""
        while not self._stop.is_set() and (left := moment - self._clock()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._stop.wait()
            except TimeoutError:
                continue  # timers may be early by their resolution: the clock decides
        if not self._stop.is_set():
            # A client that is late must still let the requests under way go on.
            await asyncio.sleep(0)
        return not self._stop.is_set()

    async def _one(self, body: int, outcome: Outcome) -> None:
        left = outcome.due + self._limits.timeout_seconds - self._clock()
        try:
            async with asyncio.timeout(left):
                await self._turn(outcome)
                try:
                    status = await self._sender.send(body)
                finally:
                    self._free.release()
            outcome.error = "" if 200 <= status < 300 else f"http {status}"
        except TimeoutError:
            outcome.error = "timeout"
        except NoAnswerError as error:
            outcome.error = str(error)
        outcome.done = self._clock()
        if outcome.error:
            self._drive.errors += 1
            if self._drive.errors > self._limits.most_errors:
                self._end("errors")
        word = self._limits.judge(outcome) if self._limits.judge else ""
        if word:
            self._end(word)

    async def _turn(self, outcome: Outcome) -> None:
        """Wait for a free connection; a wait that is too long stops the step, and goes on."""
        if not self._free.locked():
            await self._free.acquire()
            outcome.sent = self._clock()
            return
        self._waiting += 1
        self._drive.most_waiting = max(self._drive.most_waiting, self._waiting)
        loop = asyncio.get_running_loop()
        handle = loop.call_later(self._limits.waiting_seconds, self._end, "connections")
        try:
            await self._free.acquire()
        finally:
            handle.cancel()
            self._waiting -= 1
        outcome.sent = self._clock()

    def _end(self, why: str) -> None:
        if not self._stop.is_set():
            self._drive.stopped = why
            self._stop.set()
