"""From the source's consumer to the target's producer, until every partition is at the end that it had."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from heavylift.errors import ServerUnavailableError
from heavylift.kafka.cluster import Cluster, PartitionKey
from heavylift.kafka.ends import Bounds
from heavylift.kafka.faults import of
from heavylift.streams.kafka.map_topic import OwnedMap
from heavylift.streams.kafka.pace import Pace
from heavylift.streams.kafka.sending import Acknowledgements, PartitionSender
from heavylift.streams.ports import Watch
from heavylift.streams.requests import StreamOptions

_WAIT = 0.1
_SHORT = 0.01
_AT_ONCE = 5_000
_CHECKPOINT_SECONDS = 1.0
_POLL = 0.05


class Pump:
    """One run's transport. The offset map is written behind the acknowledgements, never before them.

    :param transactional: ``producer`` has transactions: a batch and its map records become visible together.
    """

    def __init__(
        self,
        source: Cluster,
        target: Cluster,
        producer: Producer,
        senders: dict[PartitionKey, PartitionSender],
        bounds: Mapping[PartitionKey, Bounds],
        owned: OwnedMap,
        options: StreamOptions,
        watch: Watch,
        *,
        transactional: bool,
    ) -> None:
        self._source, self._target = source, target
        self._producer, self._senders = producer, senders
        self._owned, self._options, self._watch = owned, options, watch
        self._transactional = transactional
        self._acks = Acknowledgements(senders, time.monotonic)
        begins = {key: max(sender.known.source_next, bounds[key].first) for key, sender in senders.items()}
        self._begins = begins
        self._ends = {key: bounds[key].end for key in senders}
        self._open = {key for key, begin in begins.items() if begin < self._ends[key]}
        self.pace = Pace(
            "mirror",
            sum(self._ends[key] - begins[key] for key in self._open),
            watch,
            max_bytes=options.max_bytes_per_second,
            max_records=options.max_records_per_second,
        )
        self._mapped_at, self._mapped_records = time.monotonic(), 0
        self._heard_at = time.monotonic()
        self._wait = _SHORT

    @property
    def complete(self) -> bool:
        """Whether every partition was read to its end."""
        return not self._open

    def run(self) -> None:
        """Mirror until nothing is left, or until somebody asks for an end.

        :raises HeavyliftError: something could not be read or written; what was acknowledged stays.
        """
        if not self._open:
            return
        half = max(4096, self._options.memory_bytes // 2 // 1024)
        consumer = self._source.consumer(
            {"queued.max.messages.kbytes": half, "fetch.max.bytes": max(2**20, half * 1024)}
        )
        try:
            consumer.assign([TopicPartition(*key, self._begins[key]) for key in sorted(self._open)])
            while self._open and not self._watch.stop.is_set():
                self._owned.look()
                self._acks.check()
                if not self._held_back():
                    self._batch(consumer)
                self._checkpoint()
                self.pace.tell()
            self._drain()
        finally:
            consumer.close()
        self.pace.tell(at_end=True)

    def _held_back(self) -> bool:
        """Wait a little where a cap or the acknowledgements that are missing demand it."""
        too_early = self.pace.wait()
        if too_early > 0:
            self._watch.stop.wait(min(too_early, _WAIT))
            self._producer.poll(0)
            return True
        if self._acks.in_flight > 2 * self._options.checkpoint_records:
            self._producer.poll(_POLL)
            self._check_silence()
            return True
        return False

    def _batch(self, consumer: Consumer) -> None:
        with self._source.asking("reading records"):
            messages = consumer.consume(self.pace.chunk(_AT_ONCE), self._wait)
        # It takes all of that time unless it fills: little that is left shall not wait for more.
        self._wait = min(_WAIT, self._wait * 1.5)
        if messages:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > self._options.stall_seconds:
            raise self._source_silent()
        if self._transactional:
            self._in_transaction(consumer, messages)
        else:
            if messages:
                self._owned.be_sure()
            self._send(consumer, messages)
            self._producer.poll(0)

    def _send(self, consumer: Consumer, messages: list[Message]) -> None:
        senders, ends, producer, sure = self._senders, self._ends, self._producer, self._owned.be_sure
        size = records = 0
        for message in messages:
            key: Any = (message.topic(), message.partition())
            offset, end = message.offset() or 0, ends[key]
            if message.error() is not None:
                self._end_event(key, message, offset)
                continue
            if offset < end:
                senders[key].send(producer, message, sure)
                records += 1
                size += len(message)
            if offset >= end - 1 and key in self._open:
                self._open.discard(key)
                # Otherwise a topic that is written to would go on filling the queue.
                consumer.pause([TopicPartition(*key)])
        self.pace.count(messages, records, size)

    def _end_event(self, key: PartitionKey, message: Message, offset: int) -> None:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise of(error, f"reading {key[0]}[{key[1]}]", self._source.conn_id, self._source.complaints)
        if offset >= self._ends[key]:
            self._open.discard(key)

    def _in_transaction(self, consumer: Consumer, messages: list[Message]) -> None:
        if not messages:
            return
        with self._target.asking("committing a batch"):
            self._producer.begin_transaction()
            self._send(consumer, messages)
            self._await_acks()
            pairs = [pair for sender in self._senders.values() for pair in sender.records()]
            for key, value in pairs:
                self._producer.produce(self._owned.name, value, key, 0)
            self._producer.commit_transaction(self._options.stall_seconds)

    def _checkpoint(self) -> None:
        if time.monotonic() - self._mapped_at < _CHECKPOINT_SECONDS and (
            self._acks.done - self._mapped_records < self._options.checkpoint_records
        ):
            return
        self._map()

    def _map(self) -> None:
        self._mapped_at, self._mapped_records = time.monotonic(), self._acks.done
        for sender in self._senders.values():
            self._owned.write(sender.records())

    def _drain(self) -> None:
        self._await_acks()
        self._map()
        self._owned.settle()

    def _await_acks(self) -> None:
        while self._acks.in_flight:
            self._producer.poll(_POLL)
            self._owned.look()
            self._acks.check()
            self._check_silence()
        self._acks.check()

    def _check_silence(self) -> None:
        if self._acks.silent_for() > self._options.stall_seconds:
            raise ServerUnavailableError(
                "writing to the target",
                got=f"{self._acks.in_flight} records unacknowledged for {self._options.stall_seconds:.0f} s",
                expected="acknowledgements",
                state="what was acknowledged is in the offset map, or will be found by the next run",
                remedy="look whether the target's brokers run, with enough replicas in sync; then run again",
                code="6533",
            )

    def _source_silent(self) -> ServerUnavailableError:
        topic, partition = min(self._open)
        return ServerUnavailableError(
            f"reading {topic}[{partition}] on the source",
            got=f"nothing in {self._options.stall_seconds:.0f} s",
            expected="records, or the word that there are no more",
            state="what was acknowledged is in the offset map",
            remedy="look whether the source's brokers run and its partitions have leaders; then run it again",
            code="6534",
        )
