"""Progress: how far a piece of work is, how fast it goes and how long it still takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from heavylift.evidence.records import ProgressSample, Tally


@dataclass(frozen=True)
class Progress:
    """One look at a running piece of work.

    :param seconds_left: by the average rate so far; None while nothing is done.
    """

    objects_done: int
    objects_total: int
    bytes_done: int
    bytes_total: int
    bytes_per_second: float
    seconds_left: float | None


class Meter:
    """Counts what is done; ``samples`` become the throughput plot.

    :param total: all that there is to do.
    """

    _MOST_SAMPLES = 240

    def __init__(self, total: Tally, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._began = clock()
        self.objects = 0
        self.size_bytes = 0
        self.samples: list[ProgressSample] = [ProgressSample(seconds=0, objects=0, size_bytes=0)]

    def add_bytes(self, size_bytes: int) -> None:
        """Count bytes that have arrived."""
        self.size_bytes += size_bytes

    def add_object(self) -> None:
        """Count one object that is settled."""
        self.objects += 1

    def look(self) -> Progress:
        """Return the progress now."""
        elapsed = max(self._clock() - self._began, 1e-6)
        rate = self.size_bytes / elapsed
        done = self._fraction()
        return Progress(
            objects_done=self.objects,
            objects_total=self._total.objects,
            bytes_done=self.size_bytes,
            bytes_total=self._total.size_bytes,
            bytes_per_second=rate,
            seconds_left=elapsed * (1 - done) / done if done > 0 else None,
        )

    def _fraction(self) -> float:
        if self._total.size_bytes:
            return min(1.0, self.size_bytes / self._total.size_bytes)
        return self.objects / self._total.objects if self._total.objects else 1.0

    def sample(self) -> None:
        """Keep one point of the curve; halves the resolution when there are too many."""
        if len(self.samples) >= self._MOST_SAMPLES:
            self.samples = self.samples[::2]
        self.samples.append(
            ProgressSample(
                seconds=round(self._clock() - self._began, 3),
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
