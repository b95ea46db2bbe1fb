"""Debezium's topics as a stream of messages, up to the ends that they had when the run began.

It stands where PostgreSQL's replication stream stands: the same reader, assembler and applier take it from
here. Records are taken as they come from the broker, some of this topic and some of that: their order is
kept within a topic, which is one table's, and nowhere else.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.tables.debezium.places import Known, Verdict
from heavylift.tables.postgres import messages

if TYPE_CHECKING:
    from heavylift.kafka.cluster import Cluster
    from heavylift.kafka.records import Record, Records
    from heavylift.tables.debezium.notes import Seen
    from heavylift.tables.debezium.reading import TopicReader


@dataclass
class Counted:
    """What was read and is no change: tombstones, and events that were there already."""

    tombstones: int = 0
    repeated: int = 0


class TopicStream:
    """Reads topics from their marks on.

    :param readers: by topic; each has one partition.
    """

    def __init__(
        self, records: Records, readers: Mapping[str, TopicReader], seen: Seen, counted: Counted
    ) -> None:
        self._records = records
        self._readers = readers
        self._seen = seen
        self._counted = counted
        self._position = sum(reader.offset for reader in readers.values())
        self._snapshot = max((r.snapshot for r in readers.values() if r.snapshot), default=None)
        self._changes = any(reader.place for reader in readers.values())
        self._ready: deque[bytes] = deque()
        self.sent = self._position
        self.flushed = 0

    def read(self) -> bytes | None:
        """Return the next message; None where the ends are reached, or nothing came for a moment."""
        while not self._ready:
            if self._records.is_over:
                self.sent = self._position
                return None
            found = self._records.take()
            if not found:
                return None
            self._take_all(found)
        return self._ready.popleft()

    def wait(self, seconds: float) -> None:
        """Do nothing: reading waits for records itself."""

    def report(self) -> None:
        """Do nothing: the broker keeps records whether they were read or not."""

    def _take_all(self, found: list[Record]) -> None:
        """Turn records into one transaction, behind which the topics' marks are noted."""
        begins, newest = self._position, 0
        rows: list[bytes] = []
        touched: set[str] = set()
        for record in found:
            reader = self._readers[record.topic]
            if record.value is not None:
                newest = max(newest, self._take(reader, record, rows, touched))
            elif not record.last:
                self._counted.tombstones += 1
            self._position += record.next_offset - reader.offset
            reader.offset = record.next_offset
            touched.add(record.topic)
        marks = {topic: self._readers[topic].mark for topic in touched}
        self._seen.marks.append((self._position, marks))
        self._ready.append(messages.begin(begins, (newest or int(time.time() * 1000)) // 1000))
        self._ready.extend(rows)
        self._ready.append(messages.commit(self._position))

    def _take(self, reader: TopicReader, record: Record, rows: list[bytes], touched: set[str]) -> int:
        """Take one event in; return when it was committed on the source, 0 for one that is dropped."""
        event = reader.decode(record.key, record.value or b"", record.headers)
        verdict = reader.judge(event, Known(self._snapshot, self._changes))
        if verdict is Verdict.DROP:
            self._counted.repeated += 1
            return 0
        if verdict is Verdict.ANEW:
            rows += self._emptied(reader, touched)
        if event.op == "r":
            self._snapshot = reader.snapshot
        else:
            self._changes = True
        rows += reader.messages(event)
        return int(event.source.get("ts_ms") or 0)

    def _emptied(self, reader: TopicReader, touched: set[str]) -> list[bytes]:
        """Empty what an earlier snapshot, which the connector gave up, has brought."""
        shapes: list[bytes] = []
        numbers = []
        for topic, each in self._readers.items():
            if each is not reader and each.snapshot is None:
                continue
            shapes += each.shape()
            numbers.append(each.number)
            if each is not reader:
                each.snapshot = None
                touched.add(topic)
        return [*shapes, messages.truncate(*numbers, restart=False)]


@contextmanager
def opened(
    cluster: Cluster,
    readers: Mapping[str, TopicReader],
    ends: Mapping[str, int],
    seen: Seen,
    counted: Counted,
) -> Iterator[TopicStream]:
    """Open the stream for the block."""
    from heavylift.kafka.records import records

    starts = {topic: reader.offset for topic, reader in readers.items()}
    with records(cluster, starts, ends) as found:
        yield TopicStream(found, readers, seen, counted)
