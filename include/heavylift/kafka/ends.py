"""Where a partition ends, whatever the broker says.

A broker may report an end that lies before the last records: Tansu reports the first offset of the last
batch, plus one, so that who reads "until the high watermark" loses the rest of that batch. The end is
therefore found by reading: from the reported last record on, until the broker says that there is nothing
more. On a broker that reports the true end this reads one record.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from heavylift.errors import ServerUnavailableError
from heavylift.kafka.cluster import BRIEFLY, HEARD_WITHIN, PATIENTLY, Cluster, PartitionKey
from heavylift.kafka.faults import of

_WAIT = 0.01
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Bounds:
    """Where a partition begins and ends.

    :param settled: the broker said that there is nothing after ``end``; false where somebody kept writing.
    """

    first: int
    end: int
    settled: bool = True


def true_bounds(
    cluster: Cluster,
    partitions: Iterable[PartitionKey],
    *,
    settle_seconds: float = 5.0,
    stall_seconds: float = 60.0,
) -> dict[PartitionKey, Bounds]:
    """Return the bounds of each partition; a partition that is written to ends at one of its latest records.

    :raises ServerUnavailableError: a partition could not be read.
    """
    reported = cluster.bounds(partitions)
    found = {key: Bounds(first, end) for key, (first, end) in reported.items() if end <= first}
    asked = {key: pair for key, pair in reported.items() if key not in found}
    if asked:
        found |= _Search(cluster, asked, settle_seconds, stall_seconds).run()
    return found


class _Search:
    """One reading of the ends of many partitions."""

    def __init__(
        self,
        cluster: Cluster,
        asked: Mapping[PartitionKey, tuple[int, int]],
        settle_seconds: float,
        stall_seconds: float,
    ) -> None:
        self._cluster = cluster
        self._consumer = self._opened(BRIEFLY)
        self._asked = asked
        self._ends = {key: end for key, (_, end) in asked.items()}
        self._open = set(asked)
        self._settled: set[PartitionKey] = set()
        self._heard: set[PartitionKey] = set()
        self._settle_seconds = settle_seconds
        self._stall_seconds = stall_seconds

    def _opened(self, manner: Mapping[str, int]) -> Consumer:
        return self._cluster.consumer({"queued.max.messages.kbytes": 16384, **manner})

    def run(self) -> dict[PartitionKey, Bounds]:
        try:
            return self._found()
        finally:
            self._consumer.close()

    def _assign(self) -> None:
        """Read what is open from the last record on that is known."""
        self._consumer.assign(
            [
                TopicPartition(*key, max(self._asked[key][0], self._ends[key] - 1))
                for key in sorted(self._open)
            ]
        )

    def _found(self) -> dict[PartitionKey, Bounds]:
        self._assign()
        began, patient = time.monotonic(), False
        while self._open:
            with self._cluster.asking("reading the ends of partitions"):
                messages = self._consumer.consume(_AT_ONCE, _WAIT)
            for message in messages:
                self._take(message)
            waited = time.monotonic() - began
            if not patient and waited > HEARD_WITHIN:
                patient = True
                self._consumer.close()
                self._consumer = self._opened(PATIENTLY)
                self._assign()
            # Who has been heard of is only being written to faster than we read; the others are silent.
            if waited > self._settle_seconds and self._open <= self._heard:
                break
            if waited > self._stall_seconds:
                raise self._silent()
        return {
            key: Bounds(first, self._ends[key], key in self._settled)
            for key, (first, _) in self._asked.items()
        }

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise of(error, "reading the end of a partition", self._cluster.conn_id, self._cluster.complaints)
        key = (str(message.topic()), int(message.partition() or 0))
        offset = int(message.offset() or 0)
        self._heard.add(key)
        if error is None:
            self._ends[key] = max(self._ends[key], offset + 1)
        elif offset >= self._ends[key]:
            self._ends[key] = offset
            self._settled.add(key)
            self._open.discard(key)

    def _silent(self) -> ServerUnavailableError:
        topic, partition = min(self._open - self._heard or self._open)
        return ServerUnavailableError(
            f"reading the end of {topic}[{partition}] on the {self._cluster.side}",
            got=f"nothing in {self._stall_seconds:.0f} s",
            expected="its last record, or the word that it has none",
            state="nothing was written",
            remedy="look whether the partition has a leader, then run it again",
            code="6512",
        )
