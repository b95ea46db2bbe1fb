"""Whether a broker's transactions can be relied on: tried out, for some accept them and hide nothing."""

from __future__ import annotations

import uuid

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from heavylift.kafka.cluster import Cluster

_TIMEOUT = 10.0


def open_transactions(cluster: Cluster, name: str, settings: dict[str, object]) -> Producer:
    """Return a producer whose transactions end those of an earlier owner of ``name``."""
    producer = cluster.producer({**settings, "transactional.id": name})
    with cluster.asking("beginning to use transactions"):
        producer.init_transactions(cluster.timeout)
    return producer


def honours_transactions(cluster: Cluster, topic: str) -> bool:
    """Tell whether readers are spared what a transaction has thrown away.

    Writes one record into ``topic`` in a transaction, aborts it, and reads from its offset on.
    """
    mark = f'["probe","{uuid.uuid4().hex}"]'.encode()
    offsets: list[int] = []

    def written(error: KafkaError | None, message: Message) -> None:
        if error is None:
            offsets.append(message.offset() or 0)

    try:
        producer = cluster.producer({"transactional.id": f"{topic}.probe"})
        producer.init_transactions(_TIMEOUT)
        producer.begin_transaction()
        producer.produce(topic, b"{}", mark, 0, on_delivery=written)
        producer.flush(_TIMEOUT)
        producer.abort_transaction(_TIMEOUT)
    except KafkaException:
        # Not known, not allowed, not in time: the other way needs none of it.
        return False
    return bool(offsets) and not _is_there(cluster, topic, offsets[0], mark)


def _is_there(cluster: Cluster, topic: str, offset: int, mark: bytes) -> bool:
    consumer = cluster.consumer({})
    try:
        consumer.assign([TopicPartition(topic, 0, offset)])
        while True:
            with cluster.asking(f"reading {topic}"):
                message = consumer.poll(_TIMEOUT)
            # Silence proves nothing, and counts as the worse case.
            if message is None or (message.error() is None and message.key() == mark):
                return True
            if message.error() is not None:
                return False
    finally:
        consumer.close()
