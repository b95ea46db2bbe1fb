"""Progress: how far a piece of work is, how fast it goes and how long it still takes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from heavylift.evidence.records import ProgressSample, Tally

RECENT_SECONDS = 20.0
"""The rate is that of so long; longer, and it would not show that a store has become slow."""
FEWEST_RECENT_OBJECTS = 20
"""With fewer objects in that time their number says nothing: bytes do."""


@dataclass(frozen=True)
class Pressure:
    """How hard the stores press back.

    :param throttled: answers so far that asked for less load.
    :param concurrency: requests that may be in flight at the more restrictive store; None where
        neither is asked over a network.
    """

    throttled: int = 0
    concurrency: int | None = None


@dataclass(frozen=True)
class Progress:
    """One look at a running piece of work.

    :param bytes_per_second: of the last :data:`RECENT_SECONDS`.
    :param seconds_left: None while that cannot be told: nothing is done yet, or nothing lately.
    :param throttled: answers of the stores that asked for less load, so far.
    :param concurrency: requests that may be in flight now at the more restrictive store; None
        where neither is asked over a network.
    """

    objects_done: int
    objects_total: int
    bytes_done: int
    bytes_total: int
    bytes_per_second: float
    seconds_left: float | None
    objects_per_second: float = 0.0
    throttled: int = 0
    concurrency: int | None = None


class _Point(NamedTuple):
    at: float
    objects: int
    size_bytes: int


class Meter:
    """Counts what is done; ``samples`` become the throughput plot.

    :param total: all that there is to do.
    :param pressure: asked for how hard the stores press back.
    """

    _MOST_SAMPLES = 240

    def __init__(
        self,
        total: Tally,
        *,
        pressure: Callable[[], Pressure] = Pressure,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._pressure = pressure
        self._clock = clock
        self._began = clock()
        self.objects = 0
        self.size_bytes = 0
        self.samples: list[ProgressSample] = [ProgressSample(seconds=0, objects=0, size_bytes=0)]
        self._recent: deque[_Point] = deque()

    def start_with(self, done: Tally) -> None:
        """Count what an earlier attempt has settled; it is no part of this one's rate."""
        self.objects, self.size_bytes = done.objects, done.size_bytes
        self._recent.clear()

    def add_bytes(self, size_bytes: int) -> None:
        """Count bytes that have arrived."""
        self._note()
        self.size_bytes += size_bytes

    def add_object(self) -> None:
        """Count one object that is settled."""
        self._note()
        self.objects += 1

    def _note(self) -> None:
        """Begin the recent time with what there was before anything was counted."""
        if not self._recent:
            self._recent.append(_Point(self._began, self.objects, self.size_bytes))

    def look(self) -> Progress:
        """Return the progress now."""
        self._note()
        now = _Point(self._clock(), self.objects, self.size_bytes)
        since = self._recent[0]
        elapsed = max(now.at - since.at, 1e-6)
        objects, size_bytes = now.objects - since.objects, now.size_bytes - since.size_bytes
        pressure = self._pressure()
        return Progress(
            objects_done=self.objects,
            objects_total=self._total.objects,
            bytes_done=self.size_bytes,
            bytes_total=self._total.size_bytes,
            bytes_per_second=size_bytes / elapsed,
            seconds_left=self._seconds_left(objects, size_bytes, elapsed),
            objects_per_second=objects / elapsed,
            throttled=pressure.throttled,
            concurrency=pressure.concurrency,
        )

    def _seconds_left(self, objects: int, size_bytes: int, elapsed: float) -> float | None:
        """Return the longer of two estimates: by bytes, and by objects where those are many.

        What is left may be of another kind than what was done lately. Of small objects after large
        ones, as many a second as lately will be done at least; of large ones after small, as many
        bytes. The longer estimate is the one that holds.
        """
        objects_left = max(0, self._total.objects - self.objects)
        bytes_left = max(0, self._total.size_bytes - self.size_bytes)
        if not objects_left and not bytes_left:
            return 0.0
        estimates = []
        if size_bytes and bytes_left:
            estimates.append(bytes_left * elapsed / size_bytes)
        if objects and (objects >= FEWEST_RECENT_OBJECTS or not estimates):
            estimates.append(objects_left * elapsed / objects)
        return max(estimates, default=None)

    def sample(self) -> None:
        """Keep one point of the curve; halves the resolution when there are too many."""
        now = self._clock()
        self._note()
        self._recent.append(_Point(now, self.objects, self.size_bytes))
        while len(self._recent) > 2 and self._recent[1].at <= now - RECENT_SECONDS:
            self._recent.popleft()
        if len(self.samples) >= self._MOST_SAMPLES:
            self.samples = self.samples[::2]
        self.samples.append(
            ProgressSample(
                seconds=round(now - self._began, 3),
                objects=self.objects,
                size_bytes=self.size_bytes,
            )
        )

    @asynccontextmanager
    async def reporting(
        self, report: Callable[[Progress], None] | None, every_seconds: float = 1.0
    ) -> AsyncIterator[None]:
        """Sample, and call ``report``, regularly while the block runs and once at its end."""
        task = asyncio.create_task(self._tick(report, every_seconds))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.sample()
            if report:
                report(self.look())

    async def _tick(self, report: Callable[[Progress], None] | None, every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            self.sample()
            if report:
                report(self.look())
