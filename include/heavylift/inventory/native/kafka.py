"""What a Kafka cluster holds: topics with their partitions, and who reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.native.fields import LINKS, link
from heavylift.inventory.native.plane import NativePlane, Question, known_hosts
from heavylift.inventory.rows import Extra, Row
from heavylift.platforms.control import Account, Answer, Limits

if TYPE_CHECKING:
    from heavylift.connections import Connection

_PAGE = 100
_HOME = "kafka://{account}"
ROWS = (
    Row(
        "kafka", "Kafka::Cluster", Kind.STREAM, "cluster", "rows", _HOME, "name", is_global=True,
        aliases=("[hosts]",),
    ),
    Row(
        "kafka", "Kafka::Topic", Kind.STREAM, "topics", "rows", _HOME + "/topics/{name}", "name",
        is_global=True,
        objects="records_at_most",
        extras=(Extra("configs", {"topic": "name"}, "settings", "settings"),),
    ),
    Row(
        "kafka", "Kafka::ConsumerGroup", Kind.STREAM, "groups", "rows", _HOME + "/groups/{name}", "name",
        is_global=True,
    ),
)  # fmt: skip
"""Every type of Kafka that is read."""


class KafkaPlane(NativePlane):
    """Reads one cluster.

    What lies between the first and the end offset is the most that a topic can hold: compaction and marks of
    transactions leave gaps.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        from heavylift.kafka.cluster import Cluster

        self._cluster = Cluster(connection, "source")
        self._lock = threading.Lock()
        first, *others = [part.strip() for part in self._cluster.address.split(",")]
        named = connection.text("cluster_name") or first
        self._home = f"kafka://{named}"
        host, _, port = first.rpartition(":")
        self._hosts = known_hosts(connection, host, int(port), *others)
        questions = {
            "cluster": Question(self._about, "Describe on Cluster"),
            "topics": Question(self._topics, "Describe on Topic *"),
            "configs": Question(self._configs, "DescribeConfigs on Topic *"),
            "groups": Question(self._groups, "Describe on Group *"),
        }
        super().__init__(limits, Account(named, "kafka"), questions)

    def account(self) -> Account:
        """Return the cluster, once it has answered."""
        self._cluster.cluster_id()
        return super().account()

    def pages(
        self, service: str, operation: str, region: str, arguments: Answer, last_token: str = ""
    ) -> Iterator[Answer]:
        """Yield all pages of a question, one question after the other: they share one client."""
        with self.asking(f"reading {operation} of {self._home}", operation), self._lock:
            answers = list(super().pages(service, operation, region, arguments, last_token))
        yield from answers

    def _about(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        row = {"name": self._account.id, "cluster_id": self._cluster.cluster_id(), "hosts": self._hosts}
        yield {"rows": [{**row, "brokers": self._cluster.broker_count()}]}

    def _topics(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        names = sorted(name for name in self._cluster.topic_names() if not name.startswith("__"))
        for start in range(0, len(names), _PAGE):
            yield {"rows": list(self._described(names[start : start + _PAGE]))}

    def _described(self, names: list[str]) -> Iterator[dict[str, Any]]:
        views = self._cluster.topics(names)
        keys = [(view.name, number) for view in views.values() for number in range(view.partitions)]
        bounds = self._cluster.bounds(keys)
        for view in views.values():
            ends = [bounds[view.name, number] for number in range(view.partitions)]
            yield {
                "name": view.name,
                "partitions": view.partitions,
                "replicas": view.replicas,
                "records_at_most": sum(end - first for first, end in ends),
                LINKS: [link("cluster", self._home, "belongs_to")],
            }

    def _configs(self, _region: str, arguments: Answer) -> Iterator[Answer]:
        yield {"settings": self._cluster.configs(str(arguments["topic"]))}

    def _groups(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        from heavylift.kafka.groups import committed, group_names

        rows = []
        for name in group_names(self._cluster):
            positions = committed(self._cluster, name)
            topics = sorted({topic for topic, _ in positions})
            links = [link(f"positions.{topic}", f"{self._home}/topics/{topic}", "reads") for topic in topics]
            rows.append({"name": name, "topics": topics, "partitions": len(positions), LINKS: links})
        yield {"rows": rows}
