"""Topics of a stream that is given up: planned by their ids and ends, watched, compared and deleted.

Nothing sets a topic aside as a table is: brokers rename none. The fence of the cutover keeps producers away
already; that nothing came meanwhile is seen from the ends, which the plan holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from heavylift.decommission.kept import rule_of, rules_for
from heavylift.decommission.object_deletes import not_as_planned
from heavylift.decommission.proofs import stream_proof
from heavylift.decommission.requests import LeavingRequest
from heavylift.errors import AlreadyExistsError, ConflictError
from heavylift.evidence.decommission_evidence import PlanLife
from heavylift.evidence.decommission_records import (
    DroppedDatabase,
    LeftOut,
    PlannedStream,
    PlannedTopic,
    dropped_path,
)
from heavylift.evidence.records import utc_now
from heavylift.evidence.stream_records import PartitionProof, StreamVerificationRecord
from heavylift.kafka.cluster import Cluster
from heavylift.kafka.ends import Bounds, true_bounds
from heavylift.spec.sections_data import Stream

_NO_PROOF = (
    "no passed comparison of this stream with nothing left to mirror: it was not switched, or not proved"
)
_CAME_SINCE = "records came since it was compared with the target"
_GONE = "gone from the source already"


async def survey_stream(
    request: LeavingRequest, stream: Stream
) -> tuple[PlannedStream | None, list[LeftOut]]:
    """List the topics that the target has to their last record; all others stay. Changes nothing."""
    component = f"stream/{stream.name}"
    cluster = _cluster(request, stream.source.connection)
    kept = await stream_proof(request.store, request.spec.migration, stream.name, cluster.address)
    if kept is None:
        return None, [LeftOut(component=component, what=stream.name, reason=_NO_PROOF)]
    found = await asyncio.to_thread(_look, cluster, sorted({each.topic for each in kept.record.partitions}))
    rules = rules_for(request.section.keep, component, utc_now().date())
    topics, left = [], []
    for name in sorted({each.topic for each in kept.record.partitions}):
        rule = rule_of(rules, name)
        reason = rule.reason if rule else _stays(name, found.get(name), kept.record)
        if reason:
            until = rule.until if rule else ""
            left.append(LeftOut(component=component, what=f"topic {name}", reason=reason, until=until))
        else:
            topics.append(found[name])
    planned = PlannedStream(
        stream=stream.name,
        connection=stream.source.connection,
        where=cluster.address,
        topics=tuple(topics),
        proof=kept.record.statement,
    )
    return (planned if topics else None), left


async def demand_unchanged(request: LeavingRequest, planned: PlannedStream) -> None:
    """Demand that each topic is the planned one, with the planned ends; one that is gone is gone.

    :raises ConflictError: one was made anew, or somebody has written to it.
    """
    found = await asyncio.to_thread(
        _look, _cluster(request, planned.connection), [each.name for each in planned.topics]
    )
    changed = [
        each.name
        for each in planned.topics
        if each.name in found and (found[each.name].id, found[each.name].ends) != (each.id, each.ends)
    ]
    if changed:
        raise not_as_planned(f"stream {planned.stream}", "topics that are not as planned any more", changed)


async def unwritten(request: LeavingRequest, planned: PlannedStream) -> tuple[bool, str]:
    """Tell whether the topics are as planned still, and what is told of them."""
    try:
        await demand_unchanged(request, planned)
    except ConflictError as error:
        return False, error.got
    return True, f"{len(planned.topics)} topics have the planned ids and ends"


async def demand_free(request: LeavingRequest, planned: PlannedStream) -> None:
    """Demand that no rule which the spec has by now keeps a planned topic.

    :raises ConflictError: a legal hold or a retention has come since.
    """
    rules = rules_for(request.section.keep, f"stream/{planned.stream}", utc_now().date())
    held = [each.name for each in planned.topics if rule_of(rules, each.name)]
    if held:
        raise not_as_planned(f"stream {planned.stream}", "topics that a rule keeps by now", held)


async def delete_topics(request: LeavingRequest, life: PlanLife, planned: PlannedStream) -> tuple[int, int]:
    """Delete the planned topics, seen to be as planned; return how many, and how many were gone.

    :raises ConflictError: one is not as planned.
    """
    path = dropped_path(request.spec.migration, life.number, f"stream-{planned.stream}")
    if await request.store.exists(path):
        return 0, len(planned.topics)
    await demand_unchanged(request, planned)
    cluster = _cluster(request, planned.connection)
    deleted = await asyncio.to_thread(_delete, cluster, planned)
    gone = [each.name for each in planned.topics if each.name not in deleted]
    record = DroppedDatabase(database=f"stream-{planned.stream}", dropped=tuple(deleted), absent=tuple(gone))
    try:
        await request.store.write_json(path, record)
    except AlreadyExistsError:
        return 0, len(planned.topics)
    return len(deleted), len(gone)


async def still_there(request: LeavingRequest, planned: PlannedStream) -> list[str]:
    """Return the planned topics that the brokers know, by their ids."""
    cluster = _cluster(request, planned.connection)
    found = await asyncio.to_thread(cluster.topics, [each.name for each in planned.topics])
    return [each.name for each in planned.topics if each.name in found and found[each.name].id == each.id]


def _look(cluster: Cluster, names: Sequence[str]) -> dict[str, PlannedTopic]:
    views = cluster.topics(names)
    keys = [(name, number) for name, view in views.items() for number in range(view.partitions)]
    bounds = true_bounds(cluster, keys)
    return {name: _planned(name, view.id, view.partitions, bounds) for name, view in views.items()}


def _planned(name: str, id_: str, partitions: int, bounds: dict[tuple[str, int], Bounds]) -> PlannedTopic:
    found = [bounds[name, number] for number in range(partitions)]
    ends = tuple(each.end for each in found)
    return PlannedTopic(name=name, id=id_, ends=ends, offsets=sum(each.end - each.first for each in found))


def _stays(name: str, topic: PlannedTopic | None, proof: StreamVerificationRecord) -> str:
    if topic is None:
        return _GONE
    compared = {each.partition: _end(each) for each in proof.partitions if each.topic == name}
    same = all(compared.get(number) == end for number, end in enumerate(topic.ends))
    return "" if same else _CAME_SINCE


def _end(proof: PartitionProof) -> int:
    return proof.source_to


def _delete(cluster: Cluster, planned: PlannedStream) -> list[str]:
    there = cluster.topics([each.name for each in planned.topics])
    names = [each.name for each in planned.topics if there.get(each.name) and there[each.name].id == each.id]
    if not names:
        return []
    with cluster.asking("deleting topics"):
        for answer in cluster.admin.delete_topics(names, request_timeout=cluster.timeout).values():
            answer.result(cluster.timeout)
    return names


def _cluster(request: LeavingRequest, connection: str) -> Cluster:
    return Cluster(request.connections(connection), "source")
