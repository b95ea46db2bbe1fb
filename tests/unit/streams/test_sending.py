"""Acknowledgements become spans, and a stranger's record among ours is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from heavylift.errors import ConflictError, PermanentError, ServerUnavailableError, UnsupportedError
from heavylift.streams.kafka.sending import Acknowledgements, PartitionSender
from heavylift.streams.offset_map import PartitionMap, Span


class Message:
    def __init__(self, offset: int | None, stamp: int = 1) -> None:
        self._offset, self._stamp = offset, stamp

    def offset(self) -> int | None:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return (1, self._stamp)

    def key(self) -> None:
        return None

    value = headers = key


class Producer:
    """Keeps what it is given until a test acknowledges it.

    :param full: so many calls find no room.
    """

    def __init__(self, full: int = 0) -> None:
        self.waiting: list[Callable[[KafkaError | None, Message], None]] = []
        self.full = full

    def produce(self, *arguments: Any) -> None:
        if self.full:
            self.full -= 1
            raise BufferError
        self.waiting.append(arguments[4])

    def poll(self, _timeout: float) -> int:
        return 0

    def acknowledge(self, *offsets: int | None) -> None:
        for offset in offsets:
            self.waiting.pop(0)(None, Message(offset))


def sent(*offsets: int, alone: bool = True, known: PartitionMap | None = None) -> tuple[PartitionSender, Any]:
    known = known or PartitionMap(0, 0)
    sender = PartitionSender(("t", 0), known, known.target_next, "k", alone=alone)
    producer: Any = Producer()
    for offset in offsets:
        sender.send(producer, Message(offset), lambda: None)  # type: ignore[arg-type]
    return sender, producer


def spans(sender: PartitionSender) -> list[Span]:
    sender.records()
    return list(sender.known.spans())


def test_a_gap_on_the_source_begins_a_span() -> None:
    sender, producer = sent(0, 1, 5, 6)
    producer.acknowledge(0, 1, 2)
    assert spans(sender) == [Span(0, 0, 2), Span(5, 2, 1)]
    assert sender.in_flight == 1
    producer.acknowledge(3)
    assert spans(sender) == [Span(0, 0, 2), Span(5, 2, 2)]
    assert sender.records() == []


def test_a_batch_that_the_broker_had_already_need_not_be_told_where() -> None:
    sender, producer = sent(0, 1, 2, 7)
    producer.acknowledge(0, None, 0, 3)
    assert spans(sender) == [Span(0, 0, 3), Span(7, 3, 1)]
    assert sender.problem is None
    sender.at_end(4)
    with pytest.raises(ConflictError, match="HL-6537"):
        sender.at_end(5)


def test_with_transactions_a_place_that_is_not_told_is_an_error() -> None:
    sender, producer = sent(0, alone=False)
    producer.acknowledge(None)
    assert type(sender.problem) is ServerUnavailableError


def test_markers_of_transactions_are_no_strangers() -> None:
    sender, producer = sent(0, 1, alone=False)
    producer.acknowledge(0, 2)
    assert sender.problem is None
    assert spans(sender) == [Span(0, 0, 1), Span(1, 2, 1)]


def test_a_strangers_record_among_ours_is_noticed() -> None:
    sender, producer = sent(0, 1)
    producer.acknowledge(0, 2)
    with pytest.raises(ConflictError, match="HL-6530"):
        Acknowledgements({("t", 0): sender}, lambda: 0.0).check()


def test_a_record_that_could_not_be_written_is_an_error() -> None:
    sender, producer = sent(0)
    producer.waiting.pop()(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), Message(None))
    assert isinstance(sender.problem, PermanentError)


def test_a_record_without_a_timestamp_stops_its_topic() -> None:
    sender, producer = sent()
    with pytest.raises(UnsupportedError, match=r"offset 7 of t\[0\].*HL-6531"):
        sender.send(producer, Message(7, stamp=-1), lambda: None)  # type: ignore[arg-type]


def test_a_full_queue_is_waited_for_with_signs_of_life() -> None:
    sender, _ = sent()
    producer: Any = Producer(full=3)
    beats: list[int] = []
    sender.send(producer, Message(0), lambda: beats.append(1))  # type: ignore[arg-type]
    assert (len(beats), sender.in_flight) == (3, 1)


def test_silence_is_measured_while_something_is_on_its_way() -> None:
    now = [0.0]
    sender, producer = sent(0, 1)
    acks = Acknowledgements({("t", 0): sender}, lambda: now[0])
    now[0] = 5.0
    assert acks.silent_for() == 5.0
    producer.acknowledge(0)
    assert acks.silent_for() == 0.0
    now[0] = 9.0
    assert acks.silent_for() == 4.0
    producer.acknowledge(1)
    assert (acks.silent_for(), acks.done, acks.in_flight) == (0.0, 2, 0)
