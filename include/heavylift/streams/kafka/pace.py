"""How fast a run may go, how far it is, and when to tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from confluent_kafka import Message

from heavylift.evidence.stream_records import StreamSample
from heavylift.streams.ports import StreamProgress, Watch

_REPORT_EVERY = 0.5
_SAMPLES = 200


class Pace:
    """Counts what has been read, holds it below the caps, and reports.

    :param total: records that are to be done, as far as offsets tell.
    """

    def __init__(
        self,
        act: str,
        total: int,
        watch: Watch,
        *,
        max_bytes: int | None = None,
        max_records: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.records = 0
        self.size_bytes = 0
        self.samples: list[StreamSample] = []
        self.last_stamp_ms = 0
        self._act, self._total, self._watch = act, total, watch
        self._caps = [(max_bytes, "size_bytes"), (max_records, "records")]
        self._clock = clock
        self._began = clock()
        self._due = self._began + _REPORT_EVERY
        self._sample_every = 1.0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    @property
    def rate(self) -> float:
        """Records a second since the start."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    def count(self, messages: Sequence[Message], records: int, size_bytes: int) -> None:
        """Count a batch of which so many records were sent."""
        self.records += records
        self.size_bytes += size_bytes
        if messages and messages[-1].error() is None:
            self.last_stamp_ms = messages[-1].timestamp()[1]

    def wait(self) -> float:
        """Return how many seconds too early the work is for its caps; 0 where it may go on."""
        waits = [getattr(self, name) / cap - self.seconds for cap, name in self._caps if cap]
        return max(0.0, *waits) if waits else 0.0

    def chunk(self, most: int) -> int:
        """Return how many records to take at once: no more than a cap allows in a quarter of a second."""
        max_bytes, max_records = self._caps[0][0], self._caps[1][0]
        sizes = [most]
        if max_records:
            sizes.append(max_records // 4)
        if max_bytes:
            average = max(1, self.size_bytes // self.records if self.records else 1024)
            sizes.append(max_bytes // average // 4)
        return max(1, min(sizes))

    def tell(self, *, at_end: bool = False) -> None:
        """Report, if it is time."""
        now = self._clock()
        if now < self._due and not at_end:
            return
        self._due = now + _REPORT_EVERY
        self._sample()
        rate = self.rate
        left = max(0, self._total - self.records)
        lag = max(0.0, time.time() - self.last_stamp_ms / 1000) if self.last_stamp_ms else None
        self._watch.report(
            StreamProgress(
                self._act,
                self.records,
                self._total,
                self.size_bytes,
                rate,
                left / rate if rate > 0 else None,
                lag,
            )
        )

    def _sample(self) -> None:
        if self.samples and self.seconds - self.samples[-1].seconds < self._sample_every:
            return
        if len(self.samples) >= _SAMPLES:
            # Half as many, twice as far apart: a long run's curve stays small.
            self.samples, self._sample_every = self.samples[1::2], self._sample_every * 2
        self.samples.append(
            StreamSample(seconds=round(self.seconds, 3), records=self.records, size_bytes=self.size_bytes)
        )
