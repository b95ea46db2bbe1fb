"""A producer that holds itself back where the fence topic of a stream says so, and keeps a ledger."""

from __future__ import annotations

import json
import threading

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

_WAIT = 0.02


class FenceReader:
    """Follows one side's fence topic, by code that shares nothing with what writes it."""

    def __init__(self, address: str, topic: str) -> None:
        self._topic = topic
        self._states: dict[int, str] = {}
        settings = {
            "bootstrap.servers": address,
            "group.id": "fence-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "topic.metadata.refresh.interval.ms": 200,
        }
        self._consumer = Consumer({**settings, "log_level": 0})
        self._assigned = False

    def state(self) -> tuple[int, str]:
        """Return the highest epoch and what it says; (0, "open") where there is none."""
        if not self._assigned:
            self._assigned = self._topic in self._consumer.list_topics(timeout=5).topics
            if not self._assigned:
                return 0, "open"
            self._consumer.assign([TopicPartition(self._topic, 0, 0)])
        while True:
            message = self._consumer.poll(_WAIT)
            if message is None or message.error() is not None:
                break
            value = json.loads(message.value() or b"{}")
            self._states[value["epoch"]] = value["state"]
        epoch = max(self._states, default=0)
        return epoch, self._states.get(epoch, "open")

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()


class MarkedProducer:
    """Writes numbered records, each acknowledged before the next, to the side that lets it.

    :param addresses: of the source and of the target.
    :param acknowledged: by number, the side that has acknowledged it.
    """

    def __init__(self, addresses: tuple[str, str], topic: str, fence_topic: str, partitions: int = 2) -> None:
        self._topic, self._partitions = topic, partitions
        self._readers = [FenceReader(address, fence_topic) for address in addresses]
        self._producers = [Producer({"bootstrap.servers": each, "linger.ms": 0}) for each in addresses]
        self.acknowledged: dict[int, int] = {}
        self.held_back = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """Whether it was told to end."""
        return self._over.is_set()

    def stop(self) -> None:
        """End, once the last record is acknowledged."""
        self._over.set()
        self._thread.join()
        for reader in self._readers:
            reader.close()

    def side(self) -> int | None:
        """Return where to write now: 0 for the source, 1 for the target; None where it may nowhere."""
        (_, source), (target_epoch, target) = (reader.state() for reader in self._readers)
        if source == "open" and (target != "open" or not target_epoch):
            return 0
        return 1 if target == "open" and source != "open" else None

    def _run(self) -> None:
        number = 0
        while not self._over.is_set():
            side = self.side()
            if side is None:
                self.held_back += 1
                continue
            self._write(side, number)
            number += 1

    def _write(self, side: int, number: int) -> None:
        def noted(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self.acknowledged[number] = side

        producer = self._producers[side]
        key = f"key-{number % 7}".encode()
        producer.produce(self._topic, str(number), key, number % self._partitions, on_delivery=noted)
        producer.flush(30)
