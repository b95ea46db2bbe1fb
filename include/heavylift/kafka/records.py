"""Reading several topics of one partition each, up to ends that were looked up before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from heavylift.errors import ServerUnavailableError
from heavylift.kafka.cluster import Cluster
from heavylift.kafka.faults import of

_AT_ONCE = 2_000
_WAIT = 0.1
_STALL_SECONDS = 60.0
_QUEUE_KIB = 16_384


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic.

    :param next_offset: where the topic goes on behind it.
    :param key: None where it has none, or where ``value`` is None: a tombstone, or the end's own mark.
    :param last: the topic has been read to its end.
    """

    topic: str
    next_offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    last: bool


class Records:
    """The records between given offsets and ends, in order within each topic; one thread's."""

    def __init__(
        self, cluster: Cluster, consumer: Consumer, starts: Mapping[str, int], ends: Mapping[str, int]
    ) -> None:
        self._cluster = cluster
        self._consumer = consumer
        self._ends = ends
        self._open = {topic for topic, start in starts.items() if start < ends[topic]}
        self._heard = time.monotonic()
        consumer.assign([TopicPartition(topic, 0, starts[topic]) for topic in sorted(self._open)])

    @property
    def is_over(self) -> bool:
        """Tell whether all topics have been read to their ends."""
        return not self._open

    def take(self) -> list[Record]:
        """Return the next records; none where none came for a moment.

        :raises ServerUnavailableError: none came for a minute.
        """
        if not self._open:
            return []
        with self._cluster.asking("reading topics"):
            found = self._consumer.consume(_AT_ONCE, _WAIT)
        if found:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > _STALL_SECONDS:
            raise self._silent()
        return [record for message in found if (record := self._read(message)) is not None]

    def _read(self, message: Message) -> Record | None:
        topic, offset = str(message.topic()), int(message.offset() or 0)
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise of(error, f"reading {topic}", self._cluster.conn_id, self._cluster.complaints)
        if topic not in self._open:
            return None
        end = self._ends[topic]
        if error is not None or offset >= end:
            # Before the end there may be offsets without records: marks of transactions.
            self._close(topic)
            return Record(topic, end, None, None, (), last=True)
        last = offset + 1 >= end
        if last:
            self._close(topic)
        return Record(
            topic,
            offset + 1,
            _bytes(message.key()),
            _bytes(message.value()),
            [(str(each[0]), _bytes(each[1])) for each in message.headers() or ()],
            last,
        )

    def _close(self, topic: str) -> None:
        self._open.discard(topic)
        self._consumer.pause([TopicPartition(topic, 0)])

    def _silent(self) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"reading topics on the {self._cluster.side}",
            got=f"nothing in {_STALL_SECONDS:.0f} s, before the end of {min(self._open)}",
            expected="its records, or the word that there are no more",
            state="what was committed on the target stays, and the position with it",
            remedy="look whether the topic's partition has a leader, then run it again",
            code="6715",
        )


@contextmanager
def records(cluster: Cluster, starts: Mapping[str, int], ends: Mapping[str, int]) -> Iterator[Records]:
    """Read topics for the block.

    :param starts: offset of each topic's next record.
    :param ends: offsets at which reading ends.
    """
    consumer = cluster.consumer({"queued.max.messages.kbytes": _QUEUE_KIB})
    try:
        yield Records(cluster, consumer, starts, ends)
    finally:
        consumer.close()


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
