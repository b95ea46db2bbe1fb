"""One Kafka cluster: what it holds, and clients for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, OffsetSpec, ResourceType

from heavylift.connections import Connection
from heavylift.kafka.faults import MISSING, Complaints, translated
from heavylift.kafka.settings import client_settings

logger = logging.getLogger(__name__)
# librdkafka warns each time of settings that we mean: that a guarantee is "experimental", and the like.
logger.addFilter(lambda record: not record.getMessage().startswith("CONFWARN"))

PartitionKey = tuple[str, int]
"""A topic, and the number of one of its partitions."""

TIMEOUT = 30.0
"""Seconds that one question to the brokers may take."""

_HEAR = 0.2
BRIEFLY, PATIENTLY = {"fetch.wait.max.ms": 20}, {"fetch.wait.max.ms": 500}
"""For who reads to the end and goes: a broker that has nothing more says so soon, instead of waiting.

One that is slow may answer with nothing each time, its time over before it had read: who hears nothing
for :data:`HEARD_WITHIN` seconds asks again patiently."""
HEARD_WITHIN = 0.5
NOBODY = "heavylift-reader"
"""The group of our consumers, which needs a name; no position is ever committed under it."""


@dataclass(frozen=True)
class TopicView:
    """A topic as the brokers describe it."""

    name: str
    id: str
    partitions: int
    replicas: int


class Cluster:
    """One side of a mirror. Connections are made when they are first needed.

    :param side: ``source`` or ``target``, for messages.
    """

    def __init__(self, connection: Connection, side: str, timeout: float = TIMEOUT) -> None:
        self.conn_id = connection.conn_id
        self.side = side
        self.timeout = timeout
        self._settings = client_settings(connection)
        self.address = str(self._settings["bootstrap.servers"])
        self.complaints = Complaints()
        self._admin: AdminClient | None = None

    @property
    def user(self) -> str:
        """The user's name with which SASL logs in; empty where it does not."""
        return str(self._settings.get("sasl.username") or "")

    @property
    def admin(self) -> AdminClient:
        """The client that asks about topics and groups."""
        if self._admin is None:
            with self.asking("opening a client"):
                admin = AdminClient(self._with({}), logger=logger)
            self.complaints.hear = lambda: admin.poll(_HEAR)
            self._admin = admin
        return self._admin

    def asking(self, what: str) -> Any:
        """Return the context in which a client's errors become Heavylift's."""
        return translated(f"{what} on the {self.side} ({self.address})", self.conn_id, self.complaints)

    def consumer(self, more: Mapping[str, Any]) -> Consumer:
        """Return a consumer that is told what to read, joins no group and commits nothing."""
        fixed = {
            "group.id": NOBODY,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "check.crcs": True,
            "fetch.wait.max.ms": 100,
        }
        with self.asking("opening a consumer"):
            return Consumer(self._with({**fixed, **more}), logger=logger)

    def producer(self, more: Mapping[str, Any]) -> Producer:
        """Return a producer that keeps order and repeats nothing."""
        # No message timeout: one that is given up while later ones are sent would leave a gap.
        fixed = {
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,
            "acks": "all",
            "message.timeout.ms": 0,
        }
        with self.asking("opening a producer"):
            return Producer(self._with({**fixed, **more}), logger=logger)

    def cluster_id(self) -> str:
        """Return the cluster's own name for itself, empty where it has none."""
        with self.asking("looking the cluster up"):
            return str(self.admin.list_topics(timeout=self.timeout).cluster_id or "")

    def topic_names(self) -> dict[str, int]:
        """Return all topics with their number of partitions."""
        with self.asking("listing the topics"):
            listed = self.admin.list_topics(timeout=self.timeout)
        return {name: len(topic.partitions) for name, topic in listed.topics.items() if topic.error is None}

    def broker_count(self) -> int:
        """Return how many brokers there are."""
        with self.asking("looking the brokers up"):
            return len(self.admin.list_topics(timeout=self.timeout).brokers)

    def topics(self, names: Iterable[str]) -> dict[str, TopicView]:
        """Return those of the topics that exist."""
        wanted = list(names)
        if not wanted:
            return {}
        found = {}
        with self.asking("describing topics"):
            answers = self.admin.describe_topics(TopicCollection(wanted), request_timeout=self.timeout)
            for name, future in answers.items():
                view = _described(name, future)
                if view is not None:
                    found[name] = view
        return found

    def configs(self, topic: str) -> dict[str, str]:
        """Return the settings that were made for the topic itself, not the broker's defaults.

        A broker that tells neither of a setting where it comes from counts as having been told.
        """
        with self.asking(f"reading the settings of topic {topic!r}"):
            resource = ConfigResource(ResourceType.TOPIC, topic)
            answers = self.admin.describe_configs([resource], request_timeout=self.timeout)
            entries = answers[resource].result(self.timeout)
        own = {
            ConfigSource.DYNAMIC_TOPIC_CONFIG.value,
            ConfigSource.UNKNOWN_CONFIG.value,
        }
        told = {
            name: entry.value
            for name, entry in entries.items()
            if entry.source in own
            or (entry.source == ConfigSource.DEFAULT_CONFIG.value and len(entries) < 10)
        }
        return {name: str(value) for name, value in told.items() if value is not None}

    def bounds(self, partitions: Iterable[PartitionKey]) -> dict[PartitionKey, tuple[int, int]]:
        """Return first and end offset of each partition, as the brokers report them.

        The end may be reported too low: see :mod:`heavylift.kafka.ends`.
        """
        wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
        if not wanted:
            return {}
        earliest = self._offsets(wanted, OffsetSpec.earliest())
        latest = self._offsets(wanted, OffsetSpec.latest())
        return {key: (earliest[key], latest[key]) for key in earliest}

    def _offsets(self, wanted: list[TopicPartition], spec: OffsetSpec) -> dict[PartitionKey, int]:
        with self.asking("looking offsets up"):
            answers = self.admin.list_offsets(
                dict.fromkeys(wanted, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=self.timeout,
            )
            return {(at.topic, at.partition): int(f.result(self.timeout).offset) for at, f in answers.items()}

    def _with(self, more: Mapping[str, Any]) -> dict[str, Any]:
        return {"client.id": "heavylift", **self._settings, **more, "error_cb": self.complaints}


def _described(name: str, future: Any) -> TopicView | None:
    try:
        found = future.result()
    except KafkaException as error:
        if error.args[0].code() in MISSING:
            return None
        raise
    if not found.partitions:
        return None
    replicas = max(len(partition.replicas) for partition in found.partitions)
    return TopicView(name, str(found.topic_id), len(found.partitions), replicas)
