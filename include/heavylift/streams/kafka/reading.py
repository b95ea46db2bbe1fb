"""Reads a range of one partition by a consumer of its own, and says so where it could not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from heavylift.errors import IncompleteError, ServerUnavailableError
from heavylift.kafka.cluster import BRIEFLY, HEARD_WITHIN, PATIENTLY, Cluster, PartitionKey
from heavylift.kafka.faults import of

_SHORT, _LONG = 0.01, 0.1
"""A wait takes all of its time unless it fills: the first ones are short, for most ranges are."""
_AT_ONCE = 5_000
_QUEUE_KIB = 8192


def read_range(
    cluster: Cluster,
    key: PartitionKey,
    first: int,
    end: int,
    *,
    stall_seconds: float = 60.0,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Message]:
    """Yield the records of one partition from ``first`` up to ``end`` in order.

    :param stopped: looked at between batches; when true, the reading breaks off.
    :raises ServerUnavailableError: it could not be read to the end.
    :raises IncompleteError: it was stopped.
    """
    if end <= first:
        return
    consumer, patient = _opened(cluster, BRIEFLY), False
    try:
        consumer.assign([TopicPartition(*key, first)])
        heard, wait, place = time.monotonic(), _SHORT, first
        while True:
            with cluster.asking(f"reading {key[0]}[{key[1]}]"):
                messages = consumer.consume(_AT_ONCE, wait)
            wait = min(_LONG, wait * 1.5)
            if stopped():
                raise _stopped(key)
            heard = time.monotonic() if messages else heard
            for message in messages:
                offset, at_end = int(message.offset() or 0), _is_end(cluster, message)
                if offset < end and not at_end:
                    yield message
                    place = offset + 1
                # A record's offset is one before the next; the word of the end tells the next itself.
                if offset >= (end if at_end else end - 1):
                    return
            silent = time.monotonic() - heard
            if not patient and silent > HEARD_WITHIN:
                patient = True
                consumer.close()
                consumer = _opened(cluster, PATIENTLY)
                consumer.assign([TopicPartition(*key, place)])
            if silent > stall_seconds:
                raise _silent(cluster, key, stall_seconds)
    finally:
        consumer.close()


def _opened(cluster: Cluster, manner: Mapping[str, int]) -> Consumer:
    return cluster.consumer({"queued.max.messages.kbytes": _QUEUE_KIB, **manner})


def _is_end(cluster: Cluster, message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise of(error, f"reading {message.topic()}[{message.partition()}]", cluster.conn_id, cluster.complaints)


def _silent(cluster: Cluster, key: PartitionKey, seconds: float) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"reading {key[0]}[{key[1]}] on the {cluster.side}",
        got=f"nothing in {seconds:.0f} s",
        expected="its records, or the word that there are no more",
        state="nothing was concluded from what was read",
        remedy="look whether the partition has a leader, then run it again",
        code="6513",
    )


def _stopped(key: PartitionKey) -> IncompleteError:
    return IncompleteError(
        f"reading {key[0]}[{key[1]}]",
        got="a request to stop",
        expected="to read to the end",
        state="nothing was concluded from what was read",
        remedy="run it again",
        code="6514",
    )
