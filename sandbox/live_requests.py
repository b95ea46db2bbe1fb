"""Load that does not wait for answers: requests leave when they are due, and every one is counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp


@dataclass
class Load:
    """What became of the requests.

    :param failures: by status, or by the name of the error.
    :param slowest: seconds that an answer took at most.
    """

    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    @property
    def total(self) -> int:
        """How many came to an end."""
        return self.answered + self.failures.total()


class OpenLoad:
    """Sends ``rate`` requests a second until it is stopped.

    :param check: tells whether a body of an answer is right.
    """

    def __init__(self, url: str, body: str, rate: float, check: Callable[[bytes], bool] = bool) -> None:
        self._url, self._body, self._check = url, body, check
        self._period = 1 / rate
        self.load = Load()
        self._stop = asyncio.Event()
        self._counted = asyncio.Event()
        self._sent: set[asyncio.Task[None]] = set()

    async def run(self) -> Load:
        """Send until :meth:`stop`, then wait for what is under way."""
        headers = {"Content-Type": "application/json"}
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(headers=headers) as session:
            due = loop.time()
            while not self._stop.is_set():
                task = asyncio.create_task(self._one(session))
                self._sent.add(task)
                task.add_done_callback(self._sent.discard)
                due += self._period
                try:
                    await asyncio.wait_for(self._stop.wait(), max(0.0, due - loop.time()))
                except TimeoutError:
                    continue
            await asyncio.gather(*self._sent)
        return self.load

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()

    async def until(self, answered: int) -> None:
        """Wait until so many were answered or failed since now."""
        wanted = self.load.total + answered
        async with asyncio.timeout(60):
            while self.load.total < wanted:
                self._counted.clear()
                await self._counted.wait()

    async def ended(self) -> None:
        """Wait until what is under way now has been answered or has failed."""
        await asyncio.gather(*self._sent)

    async def _one(self, session: aiohttp.ClientSession) -> None:
        await self._asked(session)
        self._counted.set()

    async def _asked(self, session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        try:
            async with session.post(self._url, data=self._body) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.load.failures[type(error).__name__] += 1
            return
        if answer.status == 200 and self._check(body):
            self.load.answered += 1
            self.load.slowest = max(self.load.slowest, time.monotonic() - began)
        else:
            self.load.failures[f"HTTP {answer.status}"] += 1
