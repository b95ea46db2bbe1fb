"""The topic on the target in which a mirror keeps its offset map, its lease and the groups' positions.

It lies with the data: who restores or deletes the target does the same to what is known of it.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import NewTopic

from heavylift.errors import ConflictError, HeavyliftError, ServerUnavailableError
from heavylift.kafka.cluster import Cluster
from heavylift.kafka.ends import true_bounds
from heavylift.kafka.faults import of
from heavylift.streams.kafka.reading import read_range
from heavylift.streams.lease import Lease
from heavylift.streams.map_records import MapState, Pair, is_lease, lease_record

PREFIX = "__heavylift."
_MOST = 249
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_POLL = 0.05
_SHORT = 0.01
_SURE_FOR = 0.6
"""The share of a lease for which a sign of life that came back is relied on."""
_CONFIGS = {"cleanup.policy": "compact", "retention.ms": "-1"}
_REPEATABLE = {"enable.idempotence": False, "enable.gapless.guarantee": False}
"""An idempotent producer waits half a second for its number, in which writers would pause."""
_WRITES_MAP = {"linger.ms": 0, "queue.buffering.max.kbytes": 16384}


def map_topic_name(migration: str, stream: str, kind: str = "offsets") -> str:
    """Return the name of a stream's map topic, or of another of its topics of our own."""
    name = f"{PREFIX}{_UNSAFE.sub('-', migration)}.{_UNSAFE.sub('-', stream)}.{kind}"
    if len(name) <= _MOST:
        return name
    digest = uuid.uuid5(uuid.NAMESPACE_OID, name).hex
    return f"{name[: _MOST - 33]}-{digest}"


def read_state(
    cluster: Cluster, name: str, *, tail_only: bool = False, stall_seconds: float = 60.0
) -> MapState:
    """Return what the map topic says now; an empty state where it does not exist."""
    return _read(cluster, name, tail_only=tail_only, stall_seconds=stall_seconds)[0]


def _read(cluster: Cluster, name: str, *, tail_only: bool, stall_seconds: float) -> tuple[MapState, int]:
    state = MapState(tail_only=tail_only)
    if not cluster.topics([name]):
        return state, 0
    bounds = true_bounds(cluster, [(name, 0)], stall_seconds=stall_seconds)[name, 0]
    for message in read_range(cluster, (name, 0), bounds.first, bounds.end, stall_seconds=stall_seconds):
        state.apply(message.key(), message.value())
    return state, bounds.end


def ensure_map_topic(cluster: Cluster, name: str) -> None:
    """Make the map topic where it is missing.

    :raises ConflictError: there is one of that name with several partitions.
    """
    found = cluster.topics([name]).get(name)
    if found is None:
        replicas = min(3, max(1, cluster.broker_count()))
        with cluster.asking(f"making the topic {name}"):
            answers = cluster.admin.create_topics([NewTopic(name, 1, replicas, config=dict(_CONFIGS))])
            answers[name].result(cluster.timeout)
    elif found.partitions != 1:
        raise ConflictError(
            f"using the topic {name}",
            got=f"{found.partitions} partitions",
            expected="one, so that all its records have one order",
            state="nothing was written",
            remedy="delete that topic if it is nobody's, or give the stream another name",
            code="6515",
        )


class OwnedMap:
    """The map topic while this process holds the lease. Use it as a context manager.

    Entering waits for as long as a lease lasts where the last owner did not end in order.

    :param before_claim: called between the wait and the claim; with transactions it ends those of a lost
        owner.
    :raises ConflictError: (on entering) somebody else mirrors.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        *,
        lease_seconds: float,
        stall_seconds: float,
        before_claim: Callable[[MapState], None] = lambda _state: None,
    ) -> None:
        self.name = name
        self.runner = uuid.uuid4().hex
        self._cluster = cluster
        # Its own: what the data's producer still holds must not delay a sign of life.
        self._producer = cluster.producer(_WRITES_MAP)
        self._before_claim = before_claim
        self._lease_seconds = lease_seconds
        self._stall_seconds = stall_seconds
        self._consumer: Consumer | None = None
        self._ours = Lease()
        self._unwritten = 0
        self._problem: HeavyliftError | None = None
        self._beat_due = 0.0
        self._beats: dict[int, float] = {}
        self._sent_at = self._sure_at = 0.0
        self.state = MapState(tail_only=True)

    @property
    def epoch(self) -> int:
        """The number of this owner."""
        return self._ours.epoch

    @property
    def unwritten(self) -> int:
        """How many records the broker has not acknowledged yet."""
        return self._unwritten

    def __enter__(self) -> OwnedMap:
        ensure_map_topic(self._cluster, self.name)
        self.state, end = _read(self._cluster, self.name, tail_only=True, stall_seconds=self._stall_seconds)
        self._consumer = self._cluster.consumer({"queued.max.messages.kbytes": 4096})
        try:
            self._consumer.assign([TopicPartition(self.name, 0, end)])
            self._wait_for_silence()
            self._before_claim(self.state)
            self._claim()
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._release()
        finally:
            if self._consumer is not None:
                self._consumer.close()

    def look(self) -> None:
        """Take what has been written to the topic, and give a sign of life where one is due.

        :raises ConflictError: another runner has claimed the stream; nothing more may be sent.
        """
        self._follow()
        if self.state.lease.epoch > self._ours.epoch:
            raise self._fenced()
        if self._problem is not None:
            raise self._problem
        if time.monotonic() >= self._beat_due:
            self._beat()

    def be_sure(self) -> None:
        """Look, and where our last sign of life that came back is old, wait for a new one to come back.

        The topic's order makes that a barrier: a claim of another runner would have come before it. So a
        process that was frozen finds out before it sends anything.

        :raises ConflictError: another runner has claimed the stream; nothing more may be sent.
        """
        self.look()
        since = time.monotonic()
        while time.monotonic() - self._sure_at > self._lease_seconds * _SURE_FOR:
            if self._sent_at < since:
                self._beat()
            self._producer.poll(0)
            self._follow(_POLL)
            self.look()
            if time.monotonic() - since > self._stall_seconds:
                raise self._silent("reading back a sign of life")

    def _beat(self) -> None:
        self._ours = self._ours.beaten()
        self._sent_at = time.monotonic()
        self._beats[self._ours.beat] = self._sent_at
        self.write([lease_record(self._ours)])
        self._beat_due = self._sent_at + self._lease_seconds / 4

    def write(self, pairs: Iterable[Pair]) -> None:
        """Hand records to the producer; :meth:`settle` waits for them."""
        for key, value in pairs:
            self._unwritten += 1
            self._producer.produce(self.name, value, key, 0, on_delivery=self._written)

    def settle(self) -> None:
        """Wait until the broker has acknowledged all records.

        :raises ServerUnavailableError: it does not.
        """
        began = time.monotonic()
        while self._unwritten:
            self._producer.poll(_POLL)
            if self._problem is not None:
                raise self._problem
            if time.monotonic() - began > self._stall_seconds:
                raise self._silent("writing to the offset map")

    def _written(self, error: KafkaError | None, _message: Message) -> None:
        self._unwritten -= 1
        if error is not None and self._problem is None:
            self._problem = of(
                error, f"writing to {self.name}", self._cluster.conn_id, self._cluster.complaints
            )

    def _follow(self, wait: float = 0.0) -> bool:
        """Apply what has arrived; tell whether anything has."""
        if self._consumer is None:
            return False
        arrived = False
        with self._cluster.asking(f"reading {self.name}"):
            messages = self._consumer.consume(1000, wait)
        for message in messages:
            error = message.error()
            if error is None:
                arrived = True
                self._take(message)
            elif error.code() != KafkaError._PARTITION_EOF:
                raise of(error, f"reading {self.name}", self._cluster.conn_id, self._cluster.complaints)
        return arrived

    def _take(self, message: Message) -> None:
        # Once the stream is ours, the map is in memory, and ahead of its own records that come back here.
        ours = self._ours.epoch > 0 and self.state.lease.epoch >= self._ours.epoch
        if not ours or is_lease(message.key()):
            self.state.apply(message.key(), message.value())
        lease = self.state.lease
        if lease.runner == self.runner:
            # Sure as of the moment in which it was written: what came before it has been read.
            self._sure_at = max(self._sure_at, self._beats.pop(lease.beat, 0.0))

    def _wait_for_silence(self) -> None:
        before = self.state.lease
        if not before.held:
            return
        until = time.monotonic() + self._lease_seconds
        while time.monotonic() < until:
            self._follow(_POLL)
            if self.state.lease != before and self.state.lease.held:
                raise self._busy()
            if not self.state.lease.held:
                return

    def _claim(self) -> None:
        self._ours = self.state.lease.claimed_by(self.runner)
        self._sent_at = self._beats[self._ours.beat] = time.monotonic()
        self.write([lease_record(self._ours)])
        self.settle()
        until = time.monotonic() + self._stall_seconds
        while self.state.lease.epoch < self._ours.epoch:
            self._follow(_SHORT)
            if time.monotonic() > until:
                raise self._silent("reading back the claim")
        if self.state.lease.runner != self.runner:
            raise self._busy()
        self._beat_due = time.monotonic() + self._lease_seconds / 4

    def _release(self) -> None:
        """End the lease in order; after another runner's claim the record changes nothing."""
        self._ours = self._ours.released()
        # An error here must not hide another: an unreleased lease costs the next run its length.
        with suppress(KafkaException, BufferError):
            self.write([lease_record(self._ours)])
            self._producer.flush(self._lease_seconds)

    def _busy(self) -> ConflictError:
        return ConflictError(
            f"mirroring into {self.name}",
            got=f"another runner at work (epoch {self.state.lease.epoch}, it gave signs of life just now)",
            expected="one runner at a time",
            state="nothing was written by this one",
            remedy="wait until the other run has ended, or end it",
            code="6516",
        )

    def _fenced(self) -> ConflictError:
        return ConflictError(
            f"mirroring into {self.name}",
            got=f"epoch {self.state.lease.epoch} claimed by another runner, ours is {self._ours.epoch}",
            expected="no other runner",
            state="this run was silent for longer than its lease and another took its place; it stopped"
            " before its next batch",
            remedy="let the other run go on, then verify the stream",
            code="6517",
        )

    def _silent(self, what: str) -> ServerUnavailableError:
        return ServerUnavailableError(
            f"{what} ({self.name})",
            got=f"no answer in {self._stall_seconds:.0f} s",
            expected="the broker's acknowledgement",
            state="records that were acknowledged stay; the next run finds them on the target",
            remedy="look whether the target's brokers run; then run it again",
            code="6518",
        )


def write_records(cluster: Cluster, name: str, pairs: Iterable[Pair]) -> None:
    """Write records that need no lease, and wait for their acknowledgement.

    They may come to lie there twice, which changes nothing that they say.

    :raises ServerUnavailableError: the broker does not acknowledge them.
    """
    problems: list[KafkaError] = []

    def written(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            problems.append(error)

    producer = cluster.producer({**_WRITES_MAP, **_REPEATABLE})
    for key, value in pairs:
        producer.produce(name, value, key, 0, on_delivery=written)
    left = producer.flush(cluster.timeout)
    if problems:
        raise of(problems[0], f"writing to {name}", cluster.conn_id, cluster.complaints)
    if left:
        raise ServerUnavailableError(
            f"writing to {name}",
            got=f"no answer in {cluster.timeout:.0f} s",
            expected="the broker's acknowledgement",
            state="unknown whether they were written; nothing that depends on them was done",
            remedy="look whether the target's brokers run; then run it again",
            code="6519",
        )
