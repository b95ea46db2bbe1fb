"""Sends records to the target and learns from the acknowledgements where each of them lies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from heavylift.errors import ConflictError, HeavyliftError, ServerUnavailableError, UnsupportedError
from heavylift.kafka.cluster import PartitionKey
from heavylift.kafka.faults import of
from heavylift.streams.map_records import Pair, map_records
from heavylift.streams.offset_map import PartitionMap, Span

_NO_TIMESTAMP = 0
_FULL = 0.02


class PartitionSender:
    """One partition: what was sent, and the spans that its acknowledgements make.

    A partition's acknowledgements come in the order in which its records were sent, for the producer is
    idempotent: the first one that is missing belongs to the first record that is waiting.

    :param known: the partition's map so far; spans are added to it as their records are written.
    :param target_end: where the target's partition ends.
    :param alone: the target's offsets follow each other unless somebody else writes; with transactions,
        markers take offsets of their own.
    """

    def __init__(
        self, key: PartitionKey, known: PartitionMap, target_end: int, conn_id: str, *, alone: bool
    ) -> None:
        self.key = key
        self.known = known
        self.problem: HeavyliftError | None = None
        self.sent = 0
        self._conn_id = conn_id
        self._alone = alone
        self._waiting: deque[int] = deque()
        self._closed: list[Span] = []
        last = known.last
        # The open span: it goes on from the last one that is mapped, where offsets touch.
        self._first = (
            (last.source_first, last.target_first) if last else (known.source_next, known.target_next)
        )
        self._next_source, self._next_target = known.source_next, known.target_next
        if target_end > self._next_target:
            # Records without a partner lie there, or markers of transactions: the next span begins after
            # them.
            self._first = (self._next_source, target_end)
            self._next_target = target_end
        self._changed = False

    @property
    def in_flight(self) -> int:
        """How many records wait for their acknowledgement."""
        return len(self._waiting)

    def send(self, producer: Producer, message: Message, while_full: Callable[[], None]) -> None:
        """Hand a record to the producer, unaltered, for the same partition.

        :param while_full: called again and again while the producer has no room.
        :raises UnsupportedError: it has no timestamp that a client can write.
        """
        stamp = message.timestamp()[1]
        if stamp <= _NO_TIMESTAMP:
            raise self._unwritable(message, stamp)
        topic, partition = self.key
        value, key, headers = message.value(), message.key(), message.headers() or []
        while True:
            try:
                producer.produce(topic, value, key, partition, self._acknowledged, None, stamp, headers)
                break
            except BufferError:
                # The queue's limits are the memory limit: wait for room.
                producer.poll(_FULL)
                if self.problem is not None:
                    raise self.problem from None
                while_full()
        self._waiting.append(message.offset() or 0)
        self.sent += 1

    def records(self) -> list[Pair]:
        """Return the map records for what was acknowledged since the last call, and take them as mapped."""
        if not self._changed:
            return []
        spans = [*self._closed, self._open()]
        for span in spans:
            self.known.add(span)
        self._closed, self._changed = [], False
        return list(map_records(*self.key, spans))

    def _open(self) -> Span:
        return Span(*self._first, self._next_source - self._first[0])

    def _acknowledged(self, error: KafkaError | None, message: Message) -> None:
        # Called once for each record: as little as will do.
        if error is not None:
            self.problem = self.problem or of(
                error, f"writing to {self.key[0]}[{self.key[1]}]", self._conn_id
            )
            return
        source, target = self._waiting.popleft(), message.offset()
        if source != self._next_source or target != self._next_target:
            self._step_aside(source, target)
        self._next_source += 1
        self._next_target += 1
        self._changed = True

    def _step_aside(self, source: int, target: int | None) -> None:
        # A broker that has a batch already, from before a connection broke, need not say where, and no
        # record can lie before one that was acknowledged. As the only writer we know the place all the same;
        # the next offset that is told, or the partition's end, shows that it is so.
        told = target is not None and target >= self._next_target
        if not told and not self._alone:
            self.problem = self.problem or self._nowhere()
        place = target if told and target is not None else self._next_target
        if self._alone and place != self._next_target:
            self.problem = self.problem or self._not_alone(place)
        if source != self._next_source or place != self._next_target:
            self._begin_span(source, place)

    def _begin_span(self, source: int, target: int) -> None:
        if self._next_source > self._first[0]:
            self._closed.append(self._open())
        self._first = (source, target)
        self._next_source, self._next_target = source, target

    def at_end(self, end: int) -> None:
        """Hold what was mapped against where the partition ends now.

        :raises ConflictError: it ends elsewhere: somebody else has written to it.
        """
        if self._alone and end != self.known.target_next and self.sent:
            raise self._elsewhere(end)

    def _elsewhere(self, end: int) -> ConflictError:
        return ConflictError(
            f"writing to {self.key[0]}[{self.key[1]}]",
            got=f"a partition that ends at target offset {end}",
            expected=f"{self.known.target_next}, where our last record is",
            state="all records were acknowledged; somebody else's lie among them or after them",
            remedy="stop the other writer, and verify; where it differs, mirror into a new topic under"
            " another stream name",
            retry_safe=False,
            code="6537",
        )

    def _nowhere(self) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"writing to {self.key[0]}[{self.key[1]}]",
            got="an acknowledgement that does not say where the record lies",
            expected="its offset",
            state="the transaction is not committed: nothing of this batch can be seen",
            remedy="run it again",
            code="6536",
        )

    def _not_alone(self, target: int) -> ConflictError:
        return ConflictError(
            f"writing to {self.key[0]}[{self.key[1]}]",
            got=f"target offset {target} for a record that should have got {self._next_target}",
            expected="no other writer in a topic that is being mirrored into",
            state="what was acknowledged is in the offset map; somebody else's records lie between",
            remedy="stop the other writer; then mirror into a new topic under another stream name",
            retry_safe=False,
            code="6530",
        )

    def _unwritable(self, message: Message, stamp: int) -> UnsupportedError:
        return UnsupportedError(
            f"mirroring offset {message.offset()} of {self.key[0]}[{self.key[1]}]",
            got=f"a record with timestamp {stamp}",
            expected="a timestamp after 1970: clients cannot write another one",
            state="all records before it are mirrored",
            remedy="leave this topic out, or let the record expire on the source",
            code="6531",
        )


class Acknowledgements:
    """Waits for acknowledgements, and stops waiting where none come."""

    def __init__(self, senders: dict[PartitionKey, PartitionSender], clock: Callable[[], float]) -> None:
        self._senders = senders
        self._clock = clock
        self._before = 0
        self._since = clock()

    @property
    def in_flight(self) -> int:
        """Records that wait for their acknowledgement."""
        return sum(sender.in_flight for sender in self._senders.values())

    @property
    def done(self) -> int:
        """Records that were acknowledged."""
        return sum(sender.sent - sender.in_flight for sender in self._senders.values())

    def check(self) -> None:
        """Raise the first problem of any partition.

        :raises HeavyliftError: a record could not be written.
        """
        for sender in self._senders.values():
            if sender.problem is not None:
                raise sender.problem

    def silent_for(self) -> float:
        """Return for how many seconds records have waited without any being acknowledged."""
        done = self.done
        if done != self._before or not self.in_flight:
            self._before, self._since = done, self._clock()
        return self._clock() - self._since
