"""Two real brokers: filling topics, and reading them by code that shares nothing with the mirror."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from heavylift.connections import connection_from_json
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import StreamEngine
from heavylift.streams.api import StreamOptions, StreamPlace, StreamRequest

Row = tuple[bytes | None, bytes | None, Any, int]
"""Key, value, headers and timestamp of one record."""

_FIRST_STAMP = 1_700_000_000_000


@dataclass
class Brokers:
    """A source and a target with names of one test's own.

    :param env: the connections, as the sandbox gives them.
    """

    env: dict[str, str]
    folder: Path
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    lease_seconds: float = 1.0

    @property
    def topic(self) -> str:
        """The test's topic."""
        return f"orders-{self.mark}"

    def address(self, side: str) -> str:
        """Return host and port of a broker."""
        return str(json.loads(self.env[f"AIRFLOW_CONN_KAFKA_{side.upper()}"])["extra"]["bootstrap.servers"])

    def admin(self, side: str) -> AdminClient:
        """Return a client for topics and groups."""
        return AdminClient({"bootstrap.servers": self.address(side)})

    def make(self, side: str, partitions: int, topic: str = "", **configs: str) -> None:
        """Make a topic."""
        named = topic or self.topic
        settings = {name.replace("_", "."): value for name, value in configs.items()}
        admin = self.admin(side)
        admin.create_topics([NewTopic(named, partitions, 1, config=settings)])[named].result(10)

    def names(self, side: str) -> set[str]:
        """Return the topics of a broker."""
        admin = self.admin(side)
        return set(admin.list_topics(timeout=10).topics)

    def delete(self, side: str) -> None:
        """Delete the test's topic."""
        admin = self.admin(side)
        admin.delete_topics([self.topic])[self.topic].result(10)

    def fill(
        self,
        side: str,
        count: int,
        *,
        seed: int = 1,
        topic: str = "",
        partitions: int = 4,
        write: Callable[[int, random.Random], dict[str, Any]] | None = None,
        linger_ms: int | None = None,
    ) -> None:
        """Write records of many shapes, in order, over all partitions.

        :param linger_ms: for how long a batch waits for more; drawn where it is None.
        """
        draw = random.Random(seed)
        problems: list[KafkaError] = []

        def noted(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                problems.append(error)

        drawn = draw.choice([0, 2, 20])
        linger = drawn if linger_ms is None else linger_ms
        producer = Producer({"bootstrap.servers": self.address(side), "linger.ms": linger})
        for number in range(count):
            record = (write or a_record)(number, draw)
            record.setdefault("partition", number % partitions)
            producer.produce(topic or self.topic, **record, on_delivery=noted)
            if number % 500 == 0:
                producer.poll(0)
        assert producer.flush(30) == 0
        assert not problems

    def rows(
        self, side: str, partitions: int = 4, topic: str = "", at_least: Sequence[int] = ()
    ) -> list[list[Row]]:
        """Return all records of each partition, in order, until the broker says that there are no more.

        :param at_least: records of each partition before which the broker is not believed: a slow Tansu says
            so before it has read its last batch.
        """
        least = at_least or [0] * partitions
        return [self._rows(side, topic or self.topic, *pair) for pair in enumerate(least)]

    def _rows(self, side: str, topic: str, partition: int, least: int) -> list[Row]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.address(side),
                "group.id": "judge",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        found: list[Row] = []
        try:
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(60.0)
                assert message is not None, f"{topic}[{partition}] on the {side} is silent after {len(found)}"
                if message.error() is not None:
                    assert message.error().code() == KafkaError._PARTITION_EOF
                    if len(found) >= least:
                        return found
                    continue
                found.append((message.key(), message.value(), message.headers(), message.timestamp()[1]))
        finally:
            consumer.close()

    def request(self, run: str = "r", **options: Any) -> StreamRequest:
        """Return a request for this test's topic."""
        chosen = {"topics": (self.topic,), "lease_seconds": self.lease_seconds, **options}
        return StreamRequest(
            run=RunKey(migration="m", phase="sync", run=run),
            stream=self.mark,
            source=self._place("source"),
            target=self._place("target"),
            evidence_url=(self.folder / "evidence").as_uri(),
            evidence_connection=None,
            options=StreamOptions(**chosen),
        )

    def _place(self, side: str) -> StreamPlace:
        name = f"kafka_{side}"
        connection = connection_from_json(name, self.env[f"AIRFLOW_CONN_{name.upper()}"])
        return StreamPlace(StreamEngine.KAFKA, connection)


def a_record(number: int, draw: random.Random) -> dict[str, Any]:
    """Return a record: with and without key, value and headers, of any size."""
    headers: list[tuple[str, bytes | None]] | None = draw.choice(
        [None, [("trace", b"\x00\xff")], [("a", b"1"), ("a", None), ("é", b"")]]
    )
    return {
        "key": draw.choice([None, b"", f"key-{draw.randrange(50)}".encode()]),
        "value": None if draw.random() < 0.1 else f"{number}:".encode() + draw.randbytes(draw.randrange(300)),
        "headers": headers,
        "timestamp": _FIRST_STAMP + draw.randrange(10**6),
    }


def counted(rows: Iterable[list[Row]]) -> int:
    """Return how many records there are."""
    return sum(map(len, rows))
