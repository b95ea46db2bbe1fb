"""The mirror of the way back: its offset map is the other one's, read from the other side.

What came to a side from the other need not be sent back: where it lies there is known already. So the way
back begins after it, and consumers that had not read it all yet find their place on either side.
"""

from __future__ import annotations

from heavylift.errors import NotFoundError, PermanentError
from heavylift.kafka.cluster import Cluster
from heavylift.streams.kafka.map_topic import OwnedMap, map_topic_name, read_state, write_records
from heavylift.streams.map_records import MapState, Pair, TopicClaim, ended_record, map_records, topic_record
from heavylift.streams.offset_map import PartitionMap, Span
from heavylift.streams.requests import StreamRequest


def prepare_way_back(source: Cluster, target: Cluster, request: StreamRequest) -> int:
    """Make, on the source, the offset map of what lies on the target; return its new spans. Idempotent.

    Meant while nobody writes to either side, so that it tells all that has come over.

    :raises ConflictError: a mirror is at work on the way back.
    :raises NotFoundError: nothing was ever mirrored this way.
    """
    name = map_topic_name(request.run.migration, request.stream)
    came = read_state(target, name, stall_seconds=request.options.stall_seconds)
    if not came.topics:
        raise _nothing_mirrored(request)
    options = request.options
    with OwnedMap(
        source, name, lease_seconds=options.lease_seconds, stall_seconds=options.stall_seconds
    ) as owned:
        added = 0
        owned.write(_claims(came, owned.state))
        for key, known in sorted(came.maps.items()):
            spans = turned(known, owned.state.maps[key])
            for span in spans:
                owned.state.maps[key].add(span)
            owned.write(map_records(*key, spans))
            added += len(spans)
        owned.settle()
    return added


def flows(target: Cluster, request: StreamRequest) -> bool:
    """Tell whether there is an offset map that a mirror to ``target`` goes on with; changes nothing."""
    name = map_topic_name(request.run.migration, request.stream)
    state = read_state(target, name, tail_only=True, stall_seconds=request.options.stall_seconds)
    return bool(state.topics) and not state.ended


def end_mirror(target: Cluster, request: StreamRequest) -> None:
    """Note on the target that nothing is mirrored there any more; the map stays."""
    name = map_topic_name(request.run.migration, request.stream)
    if target.topics([name]):
        write_records(target, name, [ended_record()])


def turned(came: PartitionMap, back: PartitionMap) -> list[Span]:
    """Return the spans of ``came``, seen from the other side, that ``back`` does not have yet."""
    found = []
    for span in came.spans():
        known = min(max(0, back.source_next - span.target_first), span.count)
        if known < span.count:
            found.append(Span(span.target_first + known, span.source_first + known, span.count - known))
    return found


def _claims(came: MapState, back: MapState) -> list[Pair]:
    pairs = []
    for name, claim in sorted(came.topics.items()):
        begins = {partition: (there, here) for partition, (here, there) in claim.begins.items()}
        known = back.topics.get(name)
        begins |= known.begins if known else {}
        turned_claim = TopicClaim(claim.target_id, claim.source_id, begins)
        if known != turned_claim:
            pairs.append(topic_record(name, turned_claim))
            back.claim(name, turned_claim)
    return pairs


def ended(name: str) -> PermanentError:
    """Return the error of a mirror whose way was closed."""
    return PermanentError(
        f"mirroring into {name}",
        got="a mirror that was ended on purpose: a cutover was made final",
        expected="a mirror that goes on",
        state="nothing was written",
        remedy="leave it; records that are still needed have to be mirrored under another stream name",
        retry_safe=False,
        code="9631",
    )


def _nothing_mirrored(request: StreamRequest) -> NotFoundError:
    return NotFoundError(
        f"preparing the way back of stream {request.stream!r}",
        got="no offset map: nothing was mirrored this way",
        expected="a mirror that has run",
        state="nothing was written",
        remedy="run the phases transfer and sync first",
        code="9632",
    )
