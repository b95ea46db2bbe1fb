"""The records of the map topic: what a mirror keeps on the target, and how they are read back.

The topic is compacted and has one partition, so that all its records have one order, on which fencing rests.
A key is a JSON array that begins with the kind; a value is a JSON object.

====================================  ==============================================================
``["lease"]``                         who mirrors: epoch, runner, state
``["topic", TOPIC]``                  what was begun: ids of both topics, first offsets by partition
``["map", TOPIC, PARTITION, FIRST]``  spans of the offset map, the first of which begins at FIRST
``["group", GROUP, TOPIC, PARTITION]``  the position that was last written for a consumer group
``["transactions"]``                  whether this broker hides what a transaction has not committed
``["ended"]``                         the mirror was ended on purpose: nothing flows this way any more
====================================  ==============================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import IntegrityError
from heavylift.kafka.cluster import PartitionKey
from heavylift.streams.lease import Lease
from heavylift.streams.offset_map import PartitionMap, Span

SPANS_IN_A_RECORD = 1000

Pair = tuple[bytes, bytes]
"""A record's key and value."""


@dataclass
class TopicClaim:
    """A topic whose mirroring was begun.

    :param begins: by partition, the first source offset and the target's end, before anything was written.
    """

    source_id: str
    target_id: str
    begins: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupPosition:
    """Where a consumer group was put on the target, and by which of its source positions."""

    source: int
    target: int


def lease_record(lease: Lease) -> Pair:
    """Return the record of who mirrors."""
    value = {"epoch": lease.epoch, "runner": lease.runner, "state": lease.state, "beat": lease.beat}
    return _pair(["lease"], value)


def is_lease(key: bytes | None) -> bool:
    """Tell whether a record is about who mirrors."""
    return key == lease_record(Lease())[0]


def topic_record(topic: str, claim: TopicClaim) -> Pair:
    """Return the record that a topic is ours from here on."""
    begins = {str(partition): list(begin) for partition, begin in sorted(claim.begins.items())}
    return _pair(["topic", topic], {"source": claim.source_id, "target": claim.target_id, "begins": begins})


def map_records(topic: str, partition: int, spans: Sequence[Span]) -> Iterator[Pair]:
    """Yield the records that hold ``spans``."""
    for start in range(0, len(spans), SPANS_IN_A_RECORD):
        part = spans[start : start + SPANS_IN_A_RECORD]
        rows = [[span.source_first, span.target_first, span.count] for span in part]
        yield _pair(["map", topic, partition, part[0].source_first], {"spans": rows})


def group_record(group: str, topic: str, partition: int, position: GroupPosition) -> Pair:
    """Return the record of a position that was written for a group."""
    return _pair(["group", group, topic, partition], {"source": position.source, "target": position.target})


def transactions_record(supported: bool) -> Pair:
    """Return the record of what was found out about the broker's transactions."""
    return _pair(["transactions"], {"supported": supported})


def ended_record() -> Pair:
    """Return the record that nothing is mirrored this way any more."""
    return _pair(["ended"], {"ended": True})


class MapState:
    """All that the map topic says, folded record by record.

    :param tail_only: of each partition's map keep the last span only.
    """

    def __init__(self, *, tail_only: bool = False) -> None:
        self._tail_only = tail_only
        self.lease = Lease()
        self.topics: dict[str, TopicClaim] = {}
        self.maps: dict[PartitionKey, PartitionMap] = {}
        self.groups: dict[tuple[str, str, int], GroupPosition] = {}
        self.transactions: bool | None = None
        self.ended = False

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Take the next record.

        :raises IntegrityError: it is none of ours, or contradicts what came before.
        """
        try:
            kind, *rest = json.loads(key or b"")
            self._take(str(kind), rest, json.loads(value or b"null"))
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                "reading the offset map",
                got=f"a record that Heavylift did not write (key of {len(key or b'')} bytes)",
                expected="a key that is a JSON array and a value that is a JSON object",
                state="nothing was written",
                remedy="keep other writers away from the topic; restore it, or mirror under another name into"
                " new topics",
                retry_safe=False,
                code="6502",
            ) from error

    def claim(self, topic: str, claim: TopicClaim) -> None:
        """Take a topic, with a map for each partition that has none."""
        self.topics[topic] = claim
        for partition, (source, target) in claim.begins.items():
            self.maps.setdefault((topic, partition), PartitionMap(source, target, tail_only=self._tail_only))

    def _take(self, kind: str, rest: Sequence[Any], value: Any) -> None:
        if kind == "lease":
            self.lease = self.lease.after(
                Lease(int(value["epoch"]), str(value["runner"]), str(value["state"]), int(value["beat"]))
            )
        elif kind == "topic":
            self.claim(str(rest[0]), _claim_of(value))
        elif kind == "map":
            self._add_spans((str(rest[0]), int(rest[1])), value["spans"])
        elif kind == "group":
            position = GroupPosition(int(value["source"]), int(value["target"]))
            self.groups[str(rest[0]), str(rest[1]), int(rest[2])] = position
        elif kind == "transactions":
            self.transactions = bool(value["supported"])
        elif kind == "ended":
            self.ended = bool(value["ended"])

    def _add_spans(self, key: PartitionKey, rows: Sequence[Sequence[int]]) -> None:
        for source, target, count in rows:
            self.maps[key].add(Span(int(source), int(target), int(count)))


def _claim_of(value: Mapping[str, Any]) -> TopicClaim:
    begins = {int(partition): (int(begin[0]), int(begin[1])) for partition, begin in value["begins"].items()}
    return TopicClaim(str(value["source"]), str(value["target"]), begins)


def _pair(key: list[Any], value: Mapping[str, Any]) -> Pair:
    def dumps(what: Any) -> bytes:
        return json.dumps(what, separators=(",", ":"), sort_keys=True).encode()

    return dumps(key), dumps(value)
