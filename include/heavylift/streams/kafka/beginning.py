"""What a run does before its first record: make topics, take them over, look what the target holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from heavylift.errors import ConflictError
from heavylift.kafka.cluster import Cluster, PartitionKey
from heavylift.kafka.ends import Bounds
from heavylift.streams.fingerprints import fingerprint
from heavylift.streams.kafka.looking import settings_for
from heavylift.streams.kafka.map_topic import OwnedMap
from heavylift.streams.kafka.preflight import Sides
from heavylift.streams.kafka.reading import read_range
from heavylift.streams.kafka.topics import make_topics
from heavylift.streams.map_records import TopicClaim, map_records, topic_record
from heavylift.streams.offset_map import PartitionMap
from heavylift.streams.requests import StreamOptions
from heavylift.streams.tail import Seen, Tail, match_tail


def take_over(source: Cluster, target: Cluster, sides: Sides, owned: OwnedMap) -> None:
    """Make the topics that the target lacks; note in the map that they are ours before anything is sent."""
    make_topics(target, settings_for(source, sides))
    sides.target = target.topics(sides.source)
    pairs = []
    for name, view in sorted(sides.source.items()):
        known = owned.state.topics.get(name)
        begins = dict(known.begins) if known else {}
        for number in range(view.partitions):
            there = sides.target_bounds.setdefault((name, number), Bounds(0, 0))
            begins.setdefault(number, (sides.source_bounds[name, number].first, there.end))
        claim = TopicClaim(view.id, sides.target[name].id, begins)
        if known != claim:
            pairs.append(topic_record(name, claim))
            owned.state.claim(name, claim)
    owned.write(pairs)
    owned.settle()


def find_tails(
    source: Cluster,
    target: Cluster,
    sides: Sides,
    owned: OwnedMap,
    options: StreamOptions,
    stopped: Callable[[], bool],
) -> dict[PartitionKey, Tail]:
    """Map what the target holds beyond the map, as after a crash between a batch and its map records.

    :raises ConflictError: some of it is none of ours.
    """
    found = {}
    for key in sides.partitions():
        known, end = owned.state.maps[key], sides.target_bounds[key].end
        if end <= known.target_next:
            continue
        owned.look()
        tail = _tail(source, target, key, known, sides, options, stopped)
        if tail.foreign is not None:
            raise _foreign(key, tail.foreign, tail.records)
        for span in tail.spans:
            known.add(span)
        owned.write(map_records(*key, tail.spans))
        found[key] = tail
    owned.settle()
    return found


def _tail(
    source: Cluster,
    target: Cluster,
    key: PartitionKey,
    known: PartitionMap,
    sides: Sides,
    options: StreamOptions,
    stopped: Callable[[], bool],
) -> Tail:
    begin = max(known.source_next, sides.source_bounds[key].first)

    def records(cluster: Cluster, first: int, end: int) -> Iterator[Seen]:
        read = read_range(cluster, key, first, end, stall_seconds=options.stall_seconds, stopped=stopped)
        return (Seen(message.offset() or 0, fingerprint(message)) for message in read)

    ours = records(source, begin, sides.source_bounds[key].end)
    theirs = records(target, known.target_next, sides.target_bounds[key].end)
    first = next(theirs, None)
    if first is None:
        return Tail()  # markers of transactions only
    try:
        return match_tail(ours, chain((first,), theirs), begin, known.target_next)
    finally:
        ours.close()  # type: ignore[attr-defined]
        theirs.close()  # type: ignore[attr-defined]


def _foreign(key: PartitionKey, offset: int, matched: int) -> ConflictError:
    return ConflictError(
        f"going on with {key[0]}[{key[1]}]",
        got=f"a record at target offset {offset} that is not the source's next one",
        expected="after the offset map's end, only records that an interrupted run sent",
        state=f"nothing was written by this run; {matched} records before it are the source's",
        remedy="somebody else writes to the target's topic: stop that, and mirror into a new topic under"
        " another stream name",
        retry_safe=False,
        code="6532",
    )
